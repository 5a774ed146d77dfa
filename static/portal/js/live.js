// An open page follows along: one socket says that something was touched, the page fetches what changed.
//
// The root carries data-live-topic, data-fragment-url (without it the page's own address, as filters leave it) and
// data-live-after (the feed position the page includes). Every element with data-live-part is replaced by the fetched one
// of the same name, if it differs, unless somebody is writing in it: then it waits, and says so.

const MIN_PAUSE_MS = 1000;
const JITTER_MS = 300;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30000;
const LOGGED_OUT = [4401, 4403];

const root = document.querySelector("[data-live-topic]");
const indicator = document.querySelector("[data-live-indicator]");
const topic = root?.dataset.liveTopic;
let position = Number(root?.dataset.liveAfter || 0);
let failures = 0;
let ended = false;
let wanted = false;
let fetching = false;
let fetchFailures = 0;
let lastFetch = 0;
let timer = null;
const held = new Map();

function show(state, text) {
  if (!indicator || (indicator.dataset.state === state && state !== "off")) return;
  indicator.dataset.state = state;
  indicator.querySelector("[data-live-text]").textContent = text;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/`);
  socket.addEventListener("open", () => socket.send(JSON.stringify({ subscribe: [topic], after: position })));
  socket.addEventListener("open", () => show("on", "Live"));
  socket.addEventListener("message", (event) => receive(socket, JSON.parse(event.data)));
  socket.addEventListener("close", (event) => closed(event.code));
}

function receive(socket, message) {
  failures = 0;
  if (message.ended === topic) {
    ended = true;
    socket.close();
    refresh(); // the page says itself what is left to see
  } else if (message.topic === topic) {
    position = Math.max(position, message.position || 0);
    refresh();
  }
}

function closed(code) {
  if (ended || LOGGED_OUT.includes(code)) {
    show("off", "Offline: load the page again");
    return;
  }
  show("off", "Offline, connecting again");
  const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
  failures += 1;
  window.setTimeout(connect, wait * (0.5 + Math.random() / 2));
}

// At most one fetch at a time and about one a second, however many messages come; the last one is never lost.
function refresh() {
  wanted = true;
  if (timer !== null || fetching) return;
  const pause = Math.max(0, lastFetch + MIN_PAUSE_MS - Date.now());
  const retry = fetchFailures ? Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** fetchFailures) : 0;
  timer = window.setTimeout(fetchParts, Math.max(pause, retry) + Math.random() * JITTER_MS);
}

async function fetchParts() {
  timer = null;
  wanted = false;
  fetching = true;
  lastFetch = Date.now();
  try {
    const answer = await fetch(root.dataset.fragmentUrl ?? location.href, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected || [401, 403, 404].includes(answer.status)) {
      ended = true;
      show("off", "Offline: load the page again");
    } else if (!answer.ok) {
      throw new Error(`status ${answer.status}`);
    } else {
      replaceParts(new DOMParser().parseFromString(await answer.text(), "text/html"));
      fetchFailures = 0;
    }
  } catch {
    fetchFailures += 1;
    wanted = true;
  }
  fetching = false;
  if (wanted && !ended) refresh();
}

function replaceParts(fetched) {
  for (const part of fetched.querySelectorAll("[data-live-part]")) {
    const name = part.dataset.livePart;
    const present = document.querySelector(`[data-live-part="${CSS.escape(name)}"]`);
    if (!present) continue;
    if (fingerprint(present) === fingerprint(part)) {
      letGo(name, present);
    } else if (isInUse(present)) {
      hold(name, present, part);
    } else {
      replace(name, present, part);
    }
  }
}

function replace(name, present, part) {
  for (const box of present.querySelectorAll("details[id][open]")) {
    part.querySelector(`#${CSS.escape(box.id)}`)?.setAttribute("open", "");
  }
  const focused = present.contains(document.activeElement) ? document.activeElement.id : "";
  held.delete(name);
  present.replaceWith(document.adoptNode(part));
  window.htmx?.process(part); // what it fetches while somebody chooses or types goes on
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

// What a part says. Of forms only what they ask: tokens differ with each fetch, and what was typed is not the server's.
function fingerprint(part) {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("[data-left], progress[data-until]").forEach(standStill);
  if (copy.querySelector("form")) {
    const asked = [...copy.querySelectorAll("h2, form, label, summary, button, dl, li, .due")];
    return asked
      .filter((one) => !one.closest("[data-live-held]"))
      .map((one) => one.getAttribute("action") ?? one.textContent.replace(/\s+/g, " ").trim())
      .join("\n");
  }
  copy.querySelectorAll("details").forEach((one) => one.removeAttribute("open"));
  return copy.innerHTML.replace(/\s+/g, " ");
}

// What ticks by itself (time_left.js) says when it is due, not how long that is from now.
function standStill(one) {
  one.classList.remove("due-late", "due-running");
  one.removeAttribute("value");
  if (one.dateTime) one.textContent = one.dateTime;
}

// What the page filled in by itself is no writing; what it gave back after a refusal (data-kept) is.
function isInUse(part) {
  const writing = [...part.querySelectorAll("textarea, input:not([type=hidden]), select")].some((one) => {
    if (one.matches("select") && one.closest("[data-kept]")) return true;
    if (one.matches("select")) return [...one.options].some((option) => option.selected !== isPreset(one, option));
    if (one.type === "checkbox") return one.checked !== one.defaultChecked;
    return one.value !== one.defaultValue || (one.closest("[data-kept]") && one.value.trim() !== "");
  });
  const active = document.activeElement;
  return writing || (part.contains(active) && active.matches("textarea, input, select, button"));
}

function isPreset(select, option) {
  const preset = [...select.options].find((one) => one.defaultSelected) ?? select.options[0];
  return option === preset;
}

function hold(name, present, part) {
  held.set(name, part);
  if (present.querySelector("[data-live-held]")) return;
  const note = document.createElement("p");
  note.className = "notice notice-info held";
  note.dataset.liveHeld = "";
  note.setAttribute("role", "status");
  note.append("This changed while you were writing. What you wrote is kept. ");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-secondary btn-sm";
  button.textContent = "Discard it and show the present state";
  button.addEventListener("click", () => replace(name, present, held.get(name)));
  note.append(button);
  present.prepend(note);
}

function letGo(name, present) {
  held.delete(name);
  present.querySelector("[data-live-held]")?.remove();
}

// What waited is shown as soon as nobody writes there any more.
document.addEventListener("focusout", () =>
  window.setTimeout(() => {
    for (const [name, part] of held) {
      const present = document.querySelector(`[data-live-part="${CSS.escape(name)}"]`);
      if (present && !isInUse(present)) replace(name, present, part);
    }
  }),
);

if (root) connect();
