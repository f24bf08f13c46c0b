// Extras for the console's pages; every page works without them. No library but htmx, loaded apart.

const root = document.documentElement;
root.classList.add("js");

// --- times: local time on hover, relative words kept true
const MINUTE = 60, HOUR = 3600, DAY = 86400;

function ago(moment, now) { // as `relative` in times.py
  const seconds = (now - moment) / 1000, size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size >= 7 * DAY) return null;
  const [amount, unit] = size >= DAY ? [DAY, "d"] : size >= HOUR ? [HOUR, "h"] : size >= MINUTE ? [MINUTE, "min"] : [1, "s"];
  const text = `${Math.floor(size / amount)} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function refreshTimes(within) {
  const now = Date.now();
  for (const element of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    if (!element.dataset.local) {
      element.dataset.local = "yes";
      const local = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
      element.title = `${element.title} · ${local} local`;
    }
    const words = "exact" in element.dataset ? null : ago(moment, now);
    if (words && element.textContent !== words) element.textContent = words;
  }
}

document.querySelector(".tabs [aria-current], .portal-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
refreshTimes(document);
setInterval(() => { if (!document.hidden) refreshTimes(document); }, 15000);

// --- small notices, read out by screen readers
let noticeTimer = 0;

function notify(text) {
  const place = document.getElementById("notice");
  place.textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => { place.textContent = ""; }, 6000);
}

// --- copy
async function copyOf(button) {
  const from = button.dataset.copyFrom;
  const text = from ? document.getElementById(from).textContent : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not https, or not allowed: select it, so that Ctrl+C does
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    button.focus();
    if (!done) return notify("This browser does not let pages copy; select the text instead.");
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
  notify("Copied");
}

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy], [data-copy-from]");
  if (copy) copyOf(copy);
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
});

// --- choose every row of a list
document.addEventListener("change", (event) => {
  if (!("chooseAll" in event.target.dataset)) return;
  for (const box of document.querySelectorAll("[data-choose]")) box.checked = event.target.checked;
});

// --- a file's text goes into its field; the file itself is not sent
async function takeFile(file, field) {
  if (!file) return;
  if (file.size > 65536) return notify("That file is too large to be the right one; choose another.");
  field.value = await file.text();
  notify(`${file.name} is taken in; it is kept when you send the form.`);
}

document.addEventListener("change", (event) => {
  const into = event.target.dataset?.fileInto;
  if (into) takeFile(event.target.files[0], document.getElementById(into));
});
document.addEventListener("dragover", (event) => { if (event.target.closest?.("[data-file-drop]")) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  const field = event.target.closest?.("[data-file-drop]");
  if (!field || !event.dataTransfer.files.length) return;
  event.preventDefault();
  takeFile(event.dataTransfer.files[0], field);
});

// --- a form is sent once, however often its button is clicked
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post" || event.defaultPrevented || event.submitter?.formTarget) return;
  if (event.target.dataset.sent) return event.preventDefault();
  event.target.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// --- a page that shows a secret once: loading it again goes on instead of making another
const once = document.querySelector("[data-once]");
if (once) history.replaceState(null, "", once.dataset.once);

// --- the editor of templates: numbers beside the lines, and a way to the line of an error
for (const editor of document.querySelectorAll("[data-editor]")) {
  const [gutter, area] = [editor.querySelector("pre"), editor.querySelector("textarea")];
  let lines = gutter.textContent.split("\n").length - 1;
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  area.addEventListener("input", () => {
    const now = area.value.split("\n").length;
    if (now === lines) return;
    lines = now;
    gutter.textContent = Array.from({ length: now }, (_, n) => `${n + 1}\n`).join("");
    gutter.scrollTop = area.scrollTop;
  });
}

document.addEventListener("click", (event) => {
  const place = event.target.closest("[data-line]");
  const area = place && document.querySelector("[data-editor] textarea");
  if (!area) return;
  event.preventDefault();
  const before = area.value.split("\n").slice(0, place.dataset.line - 1).join("\n");
  const at = Math.min(before.length + (before ? 1 : 0) + Number(place.dataset.column) - 1, area.value.length);
  area.focus();
  area.setSelectionRange(at, at);
  area.scrollTop = Math.max(0, (place.dataset.line - 8) * 18);
});

// --- keys
function move(step) {
  const links = [...document.querySelectorAll("[data-row] .row-link")];
  if (!links.length) return;
  const at = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
  next.focus({ preventScroll: true });
  next.closest("[data-row]").scrollIntoView({ block: "nearest" });
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  x: () => document.activeElement?.closest("[data-row]")?.querySelector("[data-choose]")?.click(),
  n: () => document.querySelector(".news")?.click(),
  "/": () => { const field = document.querySelector("[data-search]"); field?.focus(); field?.select(); },
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

// --- htmx: tidy addresses, fresh times, failures in words
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return; // a form's empty field says something
  const given = event.detail.parameters;
  for (const name of Object.keys(given)) if (given[name] === "") delete given[name];
});
document.addEventListener("htmx:afterSwap", (event) => refreshTimes(event.target.isConnected ? event.target : document));
for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.addEventListener(failure, () => notify("The hub did not answer. The list is as it was; try again."));
}
