// Strokes: lists of points [x, y], each from 0 to 1, and how they are drawn.

const PEN = 0.035; // of the pad's side
const SIDE = 400; // pixels of the picture that is sent

/** Draws strokes on a context of `side` pixels. */
export function draw(context, strokes, side, colour) {
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = colour;
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [x * side, y * side]);
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

/** Strokes as a PNG, black on white. */
export function asPng(strokes) {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  draw(context, strokes, SIDE, "#000");
  return canvas.convertToBlob({ type: "image/png" });
}
