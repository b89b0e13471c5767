// A picture from the camera, or a clear word why not.

import { byId } from "/page/dom.js";
import { say } from "/page/words.js";

const REFUSALS = {
  NotAllowedError: "camera.refused",
  SecurityError: "camera.refused",
  NotFoundError: "camera.none",
  OverconstrainedError: "camera.none",
};

/** Opens the camera's dialog. Gives a PNG, or null where nothing was taken. */
export async function takePicture() {
  const dialog = byId("camera-dialog");
  const view = byId("camera-view");
  byId("camera-take").disabled = true;
  byId("camera-wrong").textContent = say("camera.starting");
  dialog.showModal();
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const stream = await start(view);
  if (stream && !dialog.open) stop(stream, view);
  const taken = stream && dialog.open ? await wait(view, closed) : null;
  await closed;
  if (stream) stop(stream, view);
  return taken;
}

async function start(view) {
  const words = byId("camera-wrong");
  if (!navigator.mediaDevices) {
    words.textContent = say("camera.insecure");
    return null;
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    view.srcObject = stream;
    await view.play();
    words.textContent = "";
    byId("camera-take").disabled = false;
    return stream;
  } catch (error) {
    words.textContent = say(REFUSALS[error.name] ?? "camera.taken");
    return null;
  }
}

function wait(view, closed) {
  const taken = new Promise((resolve) => {
    byId("camera-take").onclick = async () => {
      resolve(await frame(view));
      byId("camera-dialog").close();
    };
  });
  return Promise.race([taken, closed.then(() => null)]);
}

function frame(view) {
  const canvas = new OffscreenCanvas(view.videoWidth, view.videoHeight);
  canvas.getContext("2d").drawImage(view, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

function stop(stream, view) {
  for (const track of stream.getTracks()) track.stop();
  view.srcObject = null;
}

export function startCamera() {
  byId("camera-cancel").addEventListener("click", () => byId("camera-dialog").close());
}
