// The page of one search: progress as it is told, trials, the table of two parameters, all axes.

import { whole } from "../format.js";
import { complaining, notice } from "../notice.js";
import { Part } from "../part.js";
import { fetchJson, order } from "../rest.js";
import { stream } from "../stream.js";
import { line, Lines } from "./lines.js";
import { Parallel } from "./parallel.js";

const REST_MS = 3000; // how often the tables follow while trials come in
const LOOK_MS = 8000; // a message may be lost: how often to ask whether it is over

const complain = notice("problem");
const section = document.getElementById("search");
const { api } = section.dataset;
const trials = new Part(document.getElementById("trials"));
const heatSection = document.getElementById("heat");
const heat = heatSection === null ? null : new Part(heatSection);
let state = section.dataset.state;
let followed = null;

function follow() {
  if (state === "done" || state === "cancelled") return;
  stream.subscribe(section.dataset.topic, ({ search }) => {
    // Other buttons, and what came out.
    if (search.state !== state) return window.location.reload();
    const bar = document.getElementById("search-bar");
    Object.assign(bar, { max: search.total, value: search.done });
    document.getElementById("search-done").textContent = `${whole(search.done)} of ${whole(search.total)} trials`;
    followed ??= setTimeout(refresh, REST_MS);
    return undefined;
  });
  setInterval(() => document.hidden || look(), LOOK_MS);
}

const look = complaining(async () => {
  if ((await fetchJson(api)).state !== state) window.location.reload();
});

async function refresh() {
  await Promise.all([trials.load(), heat?.load(), showParallel()]);
  followed = null;
}

const parallel = new Parallel(document.getElementById("parallel"), document.getElementById("parallel-all"));

let asked = 0; // the newest question: an answer may come after that of a later one

const showParallel = complaining(async () => {
  const number = ++asked;
  // Of the window whose trials the table shows.
  const chosen = new FormData(document.getElementById("trial-filters")).get("window") ?? 0;
  const found = await fetchJson(`${api}columns/?most=400&window=${chosen}`);
  if (number === asked) parallel.show(found, section.dataset.objective);
});

/** Selects of a part ask for it again; a page of trials does too. */
function listen(part, form) {
  const ask = (page) => {
    const query = new URLSearchParams(new FormData(document.getElementById(form)));
    if (page !== undefined) query.set("page", page);
    part.ask(query.toString());
  };
  return ask;
}

const askTrials = listen(trials, "trial-filters");
document.getElementById("trials").addEventListener("change", ({ target }) => {
  askTrials();
  if (target.name === "window") showParallel();
});
document.getElementById("trials").addEventListener("click", (event) => {
  const link = event.target.closest("[data-page]");
  if (link === null) return;
  event.preventDefault();
  askTrials(link.dataset.page);
});
if (heat !== null) heatSection.addEventListener("change", () => listen(heat, "heat-filters")());

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => window.confirm(form.dataset.confirm) || event.preventDefault());
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-order]");
  if (button === null) return;
  button.disabled = true;
  try {
    await order(`${api}${button.dataset.order}/`);
    window.location.reload();
  } catch (error) {
    button.disabled = false;
    complain(error.message);
  }
});

const figures = document.getElementById("forward-figures");
if (figures !== null) {
  const { time_ms: time, equity } = JSON.parse(figures.textContent);
  new Lines(document.getElementById("forward-curve"), (colour) => ({
    traces: [line(time, equity, "Tests", colour("line-1"), { hovertemplate: "%{y:,.2f}" })],
    axes: { yaxis: { separatethousands: true, tickformat: ",.6~g" } },
  })).draw();
}
follow();
showParallel();
