// The page of a bot: what it is worth as it is told, its curve, its chart and its records.

import { watchAge } from "../connection.js";
import { complaining, notice } from "../notice.js";
import { Part } from "../part.js";
import { fetchJson, order } from "../rest.js";
import { stream } from "../stream.js";
import { fillCells } from "./cells.js";
import { Curve } from "./curve.js";
import { followJob } from "./jobs.js";
import { giveOrder } from "./orders.js";
import { PriceChart } from "./price.js";

const POINTS = 1200;
const DAY_MS = 86400000;
const LATER_MS = 1200; // gathers what a step changes before lists are fetched again
const LOOK_MS = 20000; // how often the bot is asked for again, should messages be lost

const complain = notice("problem");
const place = document.getElementById("state");
const state = new Part(place);
const records = new Part(document.getElementById("records"));
const equity = document.getElementById("equity");
const curve = new Curve(document.getElementById("curve"));
const settings = JSON.parse(document.getElementById("price-settings").textContent);
const price = settings === null ? null : new PriceChart(settings);
let days = "all";
let told = null; // the row that was told last
let isDeleted = false;
let timer = null;
let hasDone = false; // since what is drawn was fetched

// ------------------------------------------------------------------ live

function hear({ bot }, { kind }) {
  // What was told last may be long ago: nothing is told of a bot that nobody follows.
  if (bot === undefined || kind === "snapshot") return;
  if (bot.is_deleted) {
    isDeleted = true;
    complain("This bot was deleted: it is in no list any more.");
    return;
  }
  fillCells(place, bot);
  const head = place.querySelector(".bot-head").dataset;
  const isOther = head.state !== bot.state || head.trouble !== bot.trouble || head.version !== String(bot.version);
  const hasTraded = told === null || told.position !== bot.position || told.cash !== bot.cash;
  const hasClosed = told === null || told.last_candle_ms !== bot.last_candle_ms;
  told = bot;
  if (isOther || hasTraded || kind === "merged") state.soon();
  if (isOther || hasTraded || hasClosed) later(hasTraded || isOther);
}

/** Show what was not told: what happened before the bot was followed, or in a pause. */
async function catchUp() {
  if (isDeleted) return;
  const before = place.textContent;
  await state.load();
  if (place.textContent !== before) later(true);
}

/** Fetch curve and records soon; the bot's marks only when it has done something. */
function later(hasActed) {
  hasDone ||= hasActed;
  timer ??= setTimeout(() => {
    timer = null;
    showCurve();
    if (isAtStart()) records.load();
    if (hasDone) price?.refresh();
    hasDone = false;
  }, LATER_MS);
}

// ------------------------------------------------------------------ curve

const showCurve = complaining(async () => {
  const query = new URLSearchParams({ max_points: POINTS });
  const now = told?.last_candle_ms ?? Date.now();
  if (days !== "all") query.set("start", Math.max(0, now - Number(days) * DAY_MS));
  const columns = await fetchJson(`${equity.dataset.curve}?${query}`);
  const isEmpty = columns.time.length === 0;
  document.getElementById("no-curve").hidden = !isEmpty;
  document.getElementById("curve").hidden = isEmpty;
  if (!isEmpty) await curve.show(columns);
});

equity.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-days]");
  if (button === null) return;
  days = button.dataset.days;
  for (const each of equity.querySelectorAll("[data-days]")) {
    each.setAttribute("aria-pressed", String(each === button));
  }
  showCurve();
});

// ------------------------------------------------------------------ records

let shownRecords = new URLSearchParams(window.location.search);

const isAtStart = () => Number(shownRecords.get("first") ?? 0) === 0;

function showRecords(link) {
  const { records: kind, first } = link.dataset;
  shownRecords = new URLSearchParams(first === undefined ? { records: kind } : { records: kind, first });
  history.replaceState(null, "", `?${shownRecords}`);
  return records.ask(shownRecords.toString());
}

// ------------------------------------------------------------------ orders

async function carefully(button, act) {
  button.disabled = true;
  complain("");
  try {
    await act();
  } catch (error) {
    complain(error.message);
  }
  button.disabled = false;
}

async function give(name) {
  const made = await giveOrder(place.dataset.bot, place.dataset.name, name);
  if (made === null) return;
  if (name === "clone" || name === "reset") window.location.assign(`/bots/${made.id}/`);
  else if (name === "delete") window.location.assign("/bots/");
  else await Promise.all([state.load(), isAtStart() ? records.load() : null]);
}

/** Have the newest run replayed, and show the report when it is there. */
async function replay(bot) {
  const { topic } = await order(`/api/v1/bots/${bot}/parity/`);
  followJob(topic, (job) => {
    if (job.error) complain(job.error);
    records.load();
    state.load();
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-records]");
  if (link !== null && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    showRecords(link);
  }
  const button = event.target.closest("[data-order]");
  if (button !== null) carefully(button, () => give(button.dataset.order));
  const parity = event.target.closest("[data-parity]");
  if (parity !== null) carefully(parity, () => replay(parity.dataset.parity));
});

watchAge(place.dataset.topic);
stream.subscribe(place.dataset.topic, hear, catchUp);
setInterval(() => document.hidden || catchUp(), LOOK_MS);
records.ask(shownRecords.toString());
price?.start();
showCurve();
