// The Data page: the heat map, and lists that follow what is told of gaps and jobs.

import { complaining, notice } from "../notice.js";
import { Part } from "../part.js";
import { fetchJson, order } from "../rest.js";
import { stream } from "../stream.js";
import { Backfills } from "./backfills.js";
import { DayPanel, dayOfAddress } from "./day.js";
import { fillTable, HeatMap } from "./heatmap.js";

const FIGURES_MS = 60000; // how often the map is asked for again; gaps come by themselves

const complain = notice("problem");
const coverage = document.getElementById("coverage");
const gaps = new Part(document.getElementById("gaps"));
const backfills = new Part(document.getElementById("backfills"));
let map = null;
let day = null;

function showFigures(figures) {
  map.show(figures);
  fillTable(document.getElementById("coverage-table"), figures);
}

function startMap() {
  const heat = document.getElementById("heat");
  if (heat === null) return;
  day = new DayPanel(document.getElementById("day"), coverage.dataset.day);
  map = new HeatMap(heat, (symbol, date, hasKeys) => day.open(symbol, date, hasKeys));
  showFigures(JSON.parse(document.getElementById("coverage-figures").textContent));
  const named = dayOfAddress();
  if (named !== null) day.open(named.symbol, named.day, false);
  setInterval(() => document.hidden || askForFigures(), FIGURES_MS);
}

const askForFigures = complaining(async () => {
  if (map !== null) showFigures(await fetchJson(coverage.dataset.figures));
});

function startGaps() {
  const filters = document.getElementById("gap-filters");
  filters.addEventListener("change", () => gaps.ask(new URLSearchParams(new FormData(filters)).toString()));
  let counts = null;
  stream.subscribe("gaps", (message) => {
    gaps.soon();
    day?.load();
    const told = JSON.stringify(message.gaps.counts);
    if (counts !== null && counts !== told) askForFigures();
    counts = told;
  });
}

/** Storage is measured when somebody comes near it, what would go when somebody asks. */
function startLate() {
  const storage = document.getElementById("storage");
  const part = new Part(storage);
  const watcher = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    watcher.disconnect();
    part.load();
  }, { rootMargin: "300px" });
  watcher.observe(storage);
  const retention = document.getElementById("retention");
  const plan = new Part(retention);
  retention.addEventListener("toggle", () => retention.open && plan.load());
}

/** A button orders something of the API; what it changed is fetched, its refusal shown. */
async function give(button, address, ...changed) {
  button.disabled = true;
  try {
    await order(address);
    complain("");
  } catch (error) {
    complain(error.message);
  }
  await Promise.all(changed.map((each) => each?.load()));
  button.disabled = false;
}

document.addEventListener("click", ({ target }) => {
  const repair = target.closest("[data-repair]");
  if (repair !== null) give(repair, `/api/v1/gaps/${repair.dataset.repair}/repair/`, gaps, day);
  const button = target.closest("[data-order]");
  if (button !== null) {
    const { job } = button.closest("[data-job]").dataset;
    give(button, `/api/v1/jobs/${job}/${button.dataset.order}/`, backfills);
  }
});

startMap();
startGaps();
startLate();
new Backfills(document.getElementById("backfills"), backfills);
