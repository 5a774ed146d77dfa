// Draws the figures of a table: a <canvas data-chart="id"> by the JSON of that id. Colours are the page's, in its theme;
// series differ by pattern, dashes and points as well, not by colour alone. Without this file the tables are the page.

const { Chart } = window;
const COLOURS = ["--accent", "--warn", "--info", "--bad", "--good"];
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 4]];
const POINTS = ["circle", "rectRot", "triangle", "rect", "star"];
const STRIPE = 8;
const ROW_PX = 34;
const HEAD_PX = 90;
const LONGEST_NAME = 30;
const SHORTEST_NAME = 12;
const PX_FOR_A_LETTER = 15; // of the whole width, so that names take no more than two fifths of it

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Plain, then striped in one direction, then in the other, then dotted.
function fill(place) {
  const own = colour(COLOURS[place % COLOURS.length]);
  if (place === 0) return own;
  const tile = Object.assign(document.createElement("canvas"), { width: STRIPE, height: STRIPE });
  const pen = tile.getContext("2d");
  pen.strokeStyle = pen.fillStyle = own;
  pen.lineWidth = 3;
  if (place % 3 === 0) pen.arc(STRIPE / 2, STRIPE / 2, 2.5, 0, 2 * Math.PI);
  for (const shift of place % 3 ? [-STRIPE, 0, STRIPE] : []) {
    const [from, to] = place % 3 === 1 ? [STRIPE, 0] : [0, STRIPE];
    pen.moveTo(shift, from);
    pen.lineTo(shift + STRIPE, to);
  }
  if (place % 3) pen.stroke();
  else pen.fill();
  return pen.createPattern(tile, "repeat");
}

function series(one, place, across) {
  const own = colour(COLOURS[place % COLOURS.length]);
  const line = one.as === "line";
  return {
    type: one.as,
    label: one.name,
    data: one.values,
    said: one.said,
    order: line ? 0 : 1,
    borderColor: own,
    borderWidth: line ? 2 : 1,
    backgroundColor: line ? own : fill(place),
    borderDash: line ? DASHES[place % DASHES.length] : undefined,
    pointStyle: line ? POINTS[place % POINTS.length] : "rect",
    pointRadius: 4,
    spanGaps: true,
    maxBarThickness: across ? 22 : 40,
  };
}

function shortened(name, width) {
  const longest = Math.max(SHORTEST_NAME, Math.min(LONGEST_NAME, Math.floor(width / PX_FOR_A_LETTER)));
  return name.length > longest ? `${name.slice(0, longest - 1)}…` : name;
}

function axis(told, counts) {
  const whole = told.unit === "";
  const title = { display: !["", "%"].includes(told.unit), text: told.unit, color: colour("--ink-quiet") };
  const ticks = { color: colour("--ink-quiet"), precision: whole ? 0 : undefined };
  if (told.unit === "%") ticks.callback = (value) => `${value} %`;
  const grid = { color: colour("--line") };
  return counts ? { beginAtZero: true, max: told.unit === "%" ? 100 : undefined, grid, ticks, title } : { grid: { display: false }, ticks };
}

function options(told) {
  const across = told.shape === "across";
  const names = axis({ unit: "%" }, false);
  names.ticks = { color: colour("--ink-quiet"), autoSkip: !across };
  return {
    indexAxis: across ? "y" : "x",
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: "index", axis: across ? "y" : "x", intersect: false },
    scales: across ? { x: axis(told, true), y: names } : { x: names, y: axis(told, true) },
    plugins: {
      legend: { display: told.series.length > 1, labels: { color: colour("--ink"), usePointStyle: true } },
      tooltip: {
        callbacks: { label: (at) => `${at.dataset.label}: ${at.dataset.said[at.dataIndex]}` },
      },
    },
  };
}

function draw(canvas) {
  const told = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
  const frame = canvas.closest("[data-chart-frame]");
  const across = told.shape === "across";
  frame.hidden = false;
  if (across) frame.style.height = `${HEAD_PX + told.names.length * ROW_PX * Math.max(1, told.series.length * 0.8)}px`;
  const short = (name) => shortened(name, frame.clientWidth);
  Chart.getChart(canvas)?.destroy();
  new Chart(canvas, {
    data: {
      labels: told.names.map((lines) => (lines.length > 1 ? lines.map(short) : short(lines[0]))),
      datasets: told.series.map((one, place) => series(one, place, across)),
    },
    options: options(told),
  });
}

function drawAll() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  document.querySelectorAll("canvas[data-chart]").forEach(draw);
}

drawAll();
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
