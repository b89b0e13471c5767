// Turns points in space by mouse, touch and arrow keys. Their places stand in their data-at.
for (const drawing of document.querySelectorAll("svg.turning")) {
  const radius = Number(drawing.dataset.radius);
  const points = [...drawing.querySelectorAll("[data-at]")];
  const places = points.map((point) => point.dataset.at.split(" ").map(Number));
  let turn = 0, tilt = 0, held = null;

  const draw = () => {
    const [a, b, c, d] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    points.forEach((point, number) => {
      const [x, y, z] = places[number];
      const across = a * x + b * z, near = a * z - b * x;
      const up = c * y - d * near, depth = d * y + c * near;
      point.setAttribute("transform", `translate(${(radius * across).toFixed(1)} ${(-radius * up).toFixed(1)})`);
      point.style.opacity = (0.6 + 0.4 * depth).toFixed(2);
    });
  };
  drawing.addEventListener("pointerdown", (event) => {
    held = [event.clientX, event.clientY];
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!held) return;
    turn += (event.clientX - held[0]) / 150;
    tilt += (event.clientY - held[1]) / 150;
    held = [event.clientX, event.clientY];
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) drawing.addEventListener(end, () => { held = null; });
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    turn += step[0] / 10;
    tilt += step[1] / 10;
    event.preventDefault();
    draw();
  });
  draw();
}
