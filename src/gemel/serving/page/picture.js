// A file that somebody gives, to a picture that the server takes.

import { say } from "/page/words.js";
import { session } from "/page/session.js";
import { checkWeight, Unfit } from "/page/unfit.js";

/** A file as `{blob, name, remark}`, made smaller if the server takes no more pixels. */
export async function readPicture(file, name) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw new Unfit(say("item.not.picture"));
  const most = session.about?.limits.pixels ?? Infinity;
  if (bitmap.width * bitmap.height > most) return smaller(bitmap, most, name);
  checkWeight(file);
  return { blob: file, name, remark: "" };
}

async function smaller(bitmap, pixels, name) {
  const scale = Math.sqrt(pixels / (bitmap.width * bitmap.height));
  const width = Math.max(1, Math.floor(bitmap.width * scale));
  const height = Math.max(1, Math.floor(bitmap.height * scale));
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  return { blob, name, remark: say("item.shrunk", { pixels, width, height }) };
}
