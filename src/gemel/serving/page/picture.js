// A file that somebody gives, to a picture that the server takes.

import { say } from "/page/words.js";
import { session } from "/page/session.js";

const MEGABYTE = 1e6;

/** What is wrong with a picture, in words for whoever gave it. */
export class Unfit extends Error {}

/** A file as `{blob, name, remark}`, made smaller if the server takes no more pixels. */
export async function readPicture(file, name) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw new Unfit(say("item.not.picture"));
  const { body_bytes: bytes, pixels } = session.about?.limits ?? {};
  const most = pixels ?? Infinity;
  if (bitmap.width * bitmap.height > most) return smaller(bitmap, most, name);
  if (file.size > (bytes ?? Infinity)) throw new Unfit(tooHeavy(file.size, bytes));
  return { blob: file, name, remark: "" };
}

function tooHeavy(size, bytes) {
  const megabytes = (count) => Math.round((10 * count) / MEGABYTE) / 10;
  return say("item.heavy", { size: megabytes(size), most: megabytes(bytes) });
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

/** The first picture among what was pasted or dropped. */
export function pictureAmong(transfer) {
  return [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}
