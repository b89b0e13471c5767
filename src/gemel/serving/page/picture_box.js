// One place for a picture: drawn, uploaded, dropped, pasted, or taken with the camera.

import { takePicture } from "/page/camera.js";
import { DrawnBox } from "/page/drawn_box.js";
import { readPicture } from "/page/picture.js";
import { session } from "/page/session.js";
import { asPng, MARKER } from "/page/strokes.js";
import { say } from "/page/words.js";

export class PictureBox extends DrawnBox {
  constructor(place) {
    super(place, "picture-box", MARKER);
    this.parts.camera.addEventListener("click", async () => {
      const taken = await takePicture();
      if (taken) this.take(taken, say("item.photo"));
    });
  }

  among(files) {
    return [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  }

  async read(file, name) {
    const picture = await readPicture(file, name);
    return { ...picture, url: URL.createObjectURL(picture.blob) };
  }

  drawn(strokes) {
    return asPng(strokes);
  }

  fault() {
    return this.isEmpty() ? say("item.missing") : "";
  }

  showGiven(given) {
    const { picture } = this.parts;
    picture.hidden = !given;
    if (!given) return;
    picture.src = given.url;
    picture.alt = say("item.picture", { name: given.name });
  }

  hint() {
    return say(session.about?.model.input.channels === 3 ? "item.hint.colour" : "item.hint");
  }

  label(count) {
    return count ? say("item.pad", { count }) : say("item.pad.empty");
  }

  note({ given }) {
    return given?.remark ?? "";
  }
}
