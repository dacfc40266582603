// The Bots page: live figures in the rows, filters, and orders to one bot, several or all.

import { notice } from "../notice.js";
import { Part } from "../part.js";
import { fetchJson } from "../rest.js";
import { stream } from "../stream.js";
import { fillCells } from "./cells.js";
import { giveBulk, giveOrder, kill } from "./orders.js";

const LOOK_MS = 20000; // how often the table is asked for again, should messages be lost

const complain = notice("problem");
const tell = notice("outcome");
const section = document.getElementById("bots");
const chosen = new Set();
const stops = new Map(); // topic -> how to stop following it
let table = null;

async function carefully(act) {
  complain("");
  tell("");
  try {
    await act();
  } catch (error) {
    complain(error.message);
  }
}

// ------------------------------------------------------------------ live

/** Fetch the table soon, but not from under an open menu. */
function refresh() {
  if (section.querySelector(".dropdown-menu.show") === null) table.soon();
}

/** Follow the topics of the owners whose bots are shown. */
function follow() {
  const names = section.querySelector("[data-topics]")?.dataset.topics.split(" ") ?? [];
  for (const name of names.slice(0, 50)) {
    if (!stops.has(name)) stops.set(name, stream.subscribe(name, hear, refresh));
  }
}

/** Other states take other orders, and may not be wanted here; an edit may change every word. */
function isAsShown(shown, row) {
  const isEdited = shown.version !== String(row.version) || shown.name !== row.name;
  return shown.state === row.state && shown.trouble === row.trouble && !isEdited;
}

function hear({ bots }, { kind }) {
  // What was told last may be long ago: nothing is told of bots that nobody follows.
  if (kind === "snapshot") return;
  // Whatever was told before this message may be missing.
  if (kind === "merged") refresh();
  for (const row of bots ?? []) {
    const element = section.querySelector(`tr[data-bot="${row.id}"]`);
    if (element !== null) fillCells(element, row);
    if (element === null || row.is_deleted || !isAsShown(element.dataset, row)) refresh();
  }
}

/** Show the table once there is something for it. */
function lookForFirst() {
  carefully(async () => {
    const { results } = await fetchJson("/api/v1/bots/?page_size=1");
    if (results.length > 0) window.location.reload();
  });
}

// ------------------------------------------------------------------ choosing

function showChosen() {
  const boxes = [...section.querySelectorAll("[data-choose]")];
  const known = new Set(boxes.map((box) => box.dataset.choose));
  for (const bot of chosen) if (!known.has(bot)) chosen.delete(bot);
  for (const box of boxes) box.checked = chosen.has(box.dataset.choose);
  const all = document.getElementById("choose-all");
  if (all !== null) {
    all.checked = boxes.length > 0 && chosen.size === boxes.length;
    all.indeterminate = chosen.size > 0 && chosen.size < boxes.length;
  }
  document.getElementById("bulk").hidden = chosen.size === 0;
  document.getElementById("bulk-count").textContent = `${chosen.size} chosen`;
}

section?.addEventListener("change", ({ target }) => {
  if (target.id === "choose-all") {
    for (const { dataset } of section.querySelectorAll("[data-choose]")) {
      if (target.checked) chosen.add(dataset.choose);
      else chosen.delete(dataset.choose);
    }
  } else if (target.dataset.choose !== undefined) {
    if (target.checked) chosen.add(target.dataset.choose);
    else chosen.delete(target.dataset.choose);
  } else {
    return;
  }
  showChosen();
});

// ------------------------------------------------------------------ orders

async function orderOne(button) {
  const { bot, name } = button.closest("[data-bot]").dataset;
  if ((await giveOrder(bot, name, button.dataset.order)) !== null) await table.load();
}

async function orderChosen(name) {
  const names = new Map([...section.querySelectorAll("[data-bot]")].map(({ dataset }) => [dataset.bot, dataset.name]));
  const told = await giveBulk([...chosen].map(Number), name);
  if (told === null) return;
  await table.load();
  const refused = Object.entries(told.refused).map(([bot, why]) => `${names.get(bot) ?? bot}: ${why}`);
  if (refused.length > 0) complain(`${told.done.length} done, ${refused.length} refused. ${refused.slice(0, 3).join("; ")}`);
}

document.addEventListener("click", ({ target }) => {
  const one = target.closest("[data-order]");
  if (one !== null) carefully(() => orderOne(one));
  const bulk = target.closest("[data-bulk]");
  if (bulk !== null) carefully(() => orderChosen(bulk.dataset.bulk));
});

document.getElementById("open-kill")?.addEventListener("click", () =>
  carefully(async () => {
    const number = await kill();
    if (number === null) return;
    await table.load();
    const bots = number === 1 ? "1 bot is" : `${number} bots are`;
    tell(number > 0 ? `${bots} being closed and halted.` : "No bot was at work.");
  }),
);

const nothing = document.getElementById("no-bots");
if (nothing !== null) {
  stream.subscribe(nothing.dataset.topic, lookForFirst, lookForFirst);
}
if (section !== null) {
  table = new Part(section);
  table.onLoaded = () => {
    document.getElementById("bot-counts").textContent = section.querySelector("[data-counts]").dataset.counts;
    follow();
    showChosen();
  };
  const filters = document.getElementById("bot-filters");
  const query = () => new URLSearchParams([...new FormData(filters)].filter(([, value]) => value !== "")).toString();
  filters.addEventListener("change", () => {
    history.replaceState(null, "", `?${query()}`);
    table.ask(query());
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  follow();
  // The address says what the table is narrowed to.
  table.ask(query());
  setInterval(() => document.hidden || refresh(), LOOK_MS);
}
