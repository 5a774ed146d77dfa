// A diagram that is wider than its frame first shows the part where the workflow begins.

for (const frame of document.querySelectorAll("[data-diagram]")) {
  const start = frame.querySelector(".step.start");
  if (!start || frame.scrollWidth <= frame.clientWidth) continue;
  const box = start.getBoundingClientRect();
  frame.scrollLeft += box.left + box.width / 2 - frame.getBoundingClientRect().left - frame.clientWidth / 2;
}
