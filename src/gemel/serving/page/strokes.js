// Strokes: lists of points [x, y, milliseconds] or, of a pen, [x, y, milliseconds, pressure],
// where x and y are shares of the pad's width; how they are drawn, and what is sent of them.

export const MARKER = 0.035; // the width of a line, a share of the pad's
export const PEN = 0.009;
const SIDE = 400; // pixels of the picture that is sent
const NO_PRESSURE = 0.5; // what a pen without pressure gives throughout

/** Draws strokes on a context that is `width` pixels wide. */
export function draw(context, strokes, width, colour, pen = MARKER) {
  context.lineWidth = pen * width;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * width, y * width]);
    context.beginPath();
    context.moveTo(...points[0]);
    // curves from middle to middle, so that a quick hand leaves no corners
    for (let i = 1; i < points.length - 1; i++) {
      const [x, y] = points[i];
      context.quadraticCurveTo(x, y, (x + points[i + 1][0]) / 2, (y + points[i + 1][1]) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }
}

/** Strokes of a square pad as a PNG, black on white. */
export function asPng(strokes) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  draw(context, strokes, SIDE, "#000");
  return canvas.convertToBlob({ type: "image/png" });
}

/** Seconds from the first point to the last. */
export const lasting = (strokes) => (strokes.at(-1).at(-1)[2] - strokes[0][0][2]) / 1000;

/** Strokes as JSON: times from the first point on, and pressure only where a pen has it. */
export function asRecording(strokes) {
  const begun = strokes[0][0][2];
  const points = strokes.flat();
  const pressed = points.every((one) => one.length > 3) && points.some((one) => one[3] !== NO_PRESSURE);
  const rounded = (value, digits) => Number(value.toFixed(digits));
  const sent = ([x, y, time, pressure]) => {
    const at = [rounded(x, 5), rounded(y, 5), rounded(time - begun, 1)];
    return pressed ? [...at, rounded(pressure, 4)] : at;
  };
  return JSON.stringify(strokes.map((stroke) => stroke.map(sent)));
}
