// A diagram that is wider than its frame is made smaller, but not so small that it cannot be read; what still does not
// fit is scrolled to the part where the workflow begins.

const SMALLEST = 0.6;

function fit(frame) {
  const drawing = frame.querySelector("svg");
  const natural = drawing.viewBox.baseVal.width;
  const width = Math.min(natural, Math.max(frame.clientWidth, natural * SMALLEST));
  drawing.style.width = `${width}px`;
  drawing.style.height = "auto";
}

function showStart(frame) {
  const start = frame.querySelector(".step.start");
  if (!start || frame.scrollWidth <= frame.clientWidth) return;
  const box = start.getBoundingClientRect();
  frame.scrollLeft += box.left + box.width / 2 - frame.getBoundingClientRect().left - frame.clientWidth / 2;
}

for (const frame of document.querySelectorAll("[data-diagram]")) {
  fit(frame);
  showStart(frame);
  new ResizeObserver(() => fit(frame)).observe(frame);
}
