// The page of one backtest: progress while it runs, then its charts and trades.

import { send } from "../rest.js";
import { stream } from "../stream.js";
import { EquityChart } from "./equity.js";
import { PriceChart } from "./price.js";
import { Trades } from "./trades.js";

const OVER = new Set(["done", "failed", "cancelled"]);
const WORDS = { queued: "Waiting", running: "Running", paused: "Paused", cancelling: "Being cancelled" };
const LOOK_MS = 5000; // how often to look for the end where the topic tells nothing

function follow(section) {
  const word = document.getElementById("progress-word");
  if (word === null) return;
  const { topic } = section.dataset;
  if (topic === undefined) return;
  stream.subscribe(topic, ({ job }) => {
    if (OVER.has(job.state)) return window.location.reload();
    word.textContent = WORDS[job.state] ?? job.state;
    const bar = document.getElementById("progress-bar");
    if (job.total > 1) Object.assign(bar, { max: job.total, value: job.done });
    if (job.message) document.getElementById("progress-message").textContent = job.message;
    return undefined;
  });
  setTimeout(() => look(section), LOOK_MS);
}

/** A message may be lost: ask now and then whether it is over. */
async function look(section) {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  const html = answer?.ok ? await answer.text() : "";
  if (html !== "" && !html.includes('id="progress-word"')) window.location.reload();
  else setTimeout(() => look(section), LOOK_MS);
}

function startCharts() {
  const equity = document.getElementById("equity");
  if (equity === null) return;
  new EquityChart(equity);
  const price = document.getElementById("price");
  if (price === null) return;
  const chart = new PriceChart(price);
  const trades = new Trades(document.getElementById("trades"), chart);
  price.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-trip]");
    if (button !== null) trades.step(Number(button.dataset.trip));
  });
}

function startNotes(form) {
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const problem = document.getElementById("notes-problem");
    const saved = document.getElementById("notes-saved");
    try {
      await send(form.action, new FormData(form));
      problem.hidden = true;
      saved.textContent = "Saved.";
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error.message;
      saved.textContent = "";
    }
  });
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => window.confirm(form.dataset.confirm) || event.preventDefault());
}
const progress = document.getElementById("progress");
if (progress !== null) follow(progress);
startCharts();
startNotes(document.getElementById("notes-form"));
