// The time left runs down on an open page: a <time data-left datetime="..."> says how long there is until then, or how
// late it is since, in the words of the server (apps/sla/words.py; a test compares both). A <progress> with data-since
// and data-until fills up beside it. Nothing is done in a hidden tab, and nothing until the words change.

const UNITS = [["day", 86_400], ["h", 3_600], ["min", 60]];
const MINUTE_MS = 60_000;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const TRUSTED_SKEW_MS = 10_000;

// The browser's clock may be set wrong: then the server's counts, as it was when its page arrived. How far apart they
// are is asked again when the browser's clock has jumped: it was set, or the machine was asleep.
const [arrival] = performance.getEntriesByType("navigation");
const arrived = arrival ? performance.timeOrigin + arrival.responseStart : Date.now();
const server = document.querySelector("[data-now]")?.dataset ?? {};
let skew = skewOf(server.now, arrived);
let seen = [Date.now(), performance.now()];
let isUnasked = false;
let timer = null;

function skewOf(told, heard) {
  const found = Date.parse(told) - heard;
  return Math.abs(found) > TRUSTED_SKEW_MS ? found : 0;
}

function hasJumped() {
  const [wall, steady] = seen;
  seen = [Date.now(), performance.now()];
  return Math.abs(seen[0] - wall - (seen[1] - steady)) > TRUSTED_SKEW_MS;
}

async function askTheServer() {
  isUnasked = false;
  if (!server.nowUrl) return;
  const sent = Date.now();
  const answer = await fetch(server.nowUrl, { cache: "no-store" }).catch(() => null);
  isUnasked = !answer; // no network yet, as after a sleep: with the next tick
  if (!answer?.ok || answer.redirected) return;
  skew = skewOf(await answer.text(), (sent + Date.now()) / 2);
  tick();
}

export function timeLeft(due, now) {
  return due > now ? `${span(due - now)} left` : `late by ${span(now - due)}`;
}

function span(milliseconds) {
  let rest = Math.floor(milliseconds / 1_000);
  const parts = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest %= seconds;
    if (count) parts.push(`${count} ${unit}${unit === "day" && count > 1 ? "s" : ""}`);
  }
  return parts.slice(0, 2).join(" ") || "less than a minute";
}

function untilItChanges(due, now) {
  return due > now ? ((due - now) % MINUTE_MS) + 1 : MINUTE_MS - ((now - due) % MINUTE_MS);
}

function tick() {
  window.clearTimeout(timer);
  if (document.hidden) return;
  if (hasJumped() || isUnasked) askTheServer();
  const now = Date.now() + skew;
  let pause = Infinity;
  for (const one of document.querySelectorAll("[data-left]")) {
    const due = Date.parse(one.dateTime);
    say(one, timeLeft(due, now), due <= now);
    pause = Math.min(pause, untilItChanges(due, now), LONGEST_PAUSE_MS);
  }
  for (const bar of document.querySelectorAll("progress[data-until]")) fill(bar, now);
  if (pause < Infinity) timer = window.setTimeout(tick, Math.max(pause, SHORTEST_PAUSE_MS));
}

function say(one, words, late) {
  if (one.firstChild?.data !== words) one.replaceChildren(words);
  one.classList.toggle("due-late", late);
  one.classList.toggle("due-running", !late);
}

function fill(bar, now) {
  const since = Date.parse(bar.dataset.since);
  bar.value = Math.max(0, Math.min(100, Math.round((100 * (now - since)) / (Date.parse(bar.dataset.until) - since))));
}

// What is fetched or found while the page is open ticks along.
new MutationObserver((changes) => {
  const brought = changes.flatMap((change) => [...change.addedNodes]);
  if (brought.some((node) => node.matches?.("[data-left]") || node.querySelector?.("[data-left]"))) tick();
}).observe(document.body, { childList: true, subtree: true });
document.addEventListener("visibilitychange", tick);
window.addEventListener("pageshow", tick);
window.addEventListener("focus", tick);
tick();
