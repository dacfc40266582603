// The list of backtests: it follows those that run, and lets people choose, tag and compare.

import { notice } from "../notice.js";
import { Part } from "../part.js";
import { send } from "../rest.js";
import { stream } from "../stream.js";

const MOST = 6;
const LOOK_MS = 10000; // how often to ask while something runs that this person may not follow

const section = document.getElementById("backtests");
const list = new Part(document.getElementById("selection"));
const dialog = document.getElementById("notes-dialog");
const refuse = notice("notes-problem");
const fields = document.getElementById("notes-form");
const stops = new Map(); // topic -> how to stop following it

/** Follow exactly the jobs that are shown and not over. */
function follow() {
  const rows = [...section.querySelectorAll("[data-topic]")];
  const wanted = new Map(rows.map(({ dataset }) => [dataset.topic, dataset.state]));
  for (const [topic, stop] of stops) {
    if (wanted.has(topic)) continue;
    stop();
    stops.delete(topic);
  }
  for (const [topic, state] of wanted) {
    if (!["waiting", "running"].includes(state) || stops.has(topic)) continue;
    let shown = state === "waiting" ? "queued" : "running";
    stops.set(topic, stream.subscribe(topic, ({ job }) => {
      if (job.state !== shown) list.soon();
      shown = job.state;
    }));
  }
}

/** What is ticked stays ticked when the list is fetched again. */
function keepTicks() {
  for (const box of boxes()) box.checked = ticked.has(box.value);
  showTicks();
}

const ticked = new Set();
const boxes = () => [...section.querySelectorAll("input[name=id]")];

function showTicks() {
  const text = ticked.size < 2 ? "Tick two or more to compare them." : `${ticked.size} chosen${ticked.size === MOST ? ", as many as fit" : ""}.`;
  document.getElementById("selection-count").textContent = text;
  document.getElementById("compare").disabled = ticked.size < 2;
  for (const box of boxes()) box.disabled = ticked.size >= MOST && !box.checked;
}

section.addEventListener("change", ({ target }) => {
  if (target.name !== "id") return;
  if (target.checked) ticked.add(target.value);
  else ticked.delete(target.value);
  showTicks();
});

document.getElementById("filters").addEventListener("change", ({ currentTarget }) => currentTarget.requestSubmit());

section.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-notes]");
  if (button === null) return;
  fields.action = button.dataset.notes;
  fields.elements.tags.value = button.dataset.tags;
  fields.elements.notes.value = button.dataset.text;
  refuse("");
  dialog.showModal();
});

dialog.addEventListener("click", ({ target }) => target.closest("[data-close]") !== null && dialog.close());
fields.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await send(fields.action, new FormData(fields));
    dialog.close();
    await list.load();
  } catch (error) {
    refuse(error.message);
  }
});

list.onLoaded = () => {
  follow();
  keepTicks();
};
setInterval(() => {
  const isUnfollowed = section.querySelector("tr[data-state=running]:not([data-topic]), tr[data-state=waiting]:not([data-topic])");
  if (isUnfollowed !== null && !document.hidden) list.load();
}, LOOK_MS);
// A page that comes back from the browser's memory has its boxes as they were left.
for (const box of boxes()) if (box.checked) ticked.add(box.value);
follow();
showTicks();
