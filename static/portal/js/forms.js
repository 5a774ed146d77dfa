// Two small courtesies of every form: a second click sends nothing, and a refusal gets the focus.

const UNLOCK_AFTER_MS = 8000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-send-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes"; // the buttons stay enabled: a disabled one would not be sent with its value
  form.setAttribute("aria-busy", "true");
  window.setTimeout(() => unlock(form), UNLOCK_AFTER_MS);
});

window.addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach(unlock));

function unlock(form) {
  delete form.dataset.sent;
  form.removeAttribute("aria-busy");
}

document.querySelector("[data-focus-first]")?.focus();
