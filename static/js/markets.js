// The Markets page: live prices in the rows, and a filter that answers while one types.

import { watchAge } from "./connection.js";
import { compact, direction, fixed, percent } from "./format.js";
import { stream } from "./stream.js";

// Every listed instrument is told about with each message; one that stays the same for longer is
// quiet or no longer fed.
const STALE_MS = 120000;
// A price that moves all the time does not flash all the time.
const FLASH_MS = 2500;

const table = document.getElementById("markets");
const filter = document.getElementById("market-filter");
const rows = new Map();
let waiting = null;

class Row {
  constructor(element) {
    this.element = element;
    this.decimals = Number(element.dataset.decimals);
    this.isCollected = element.dataset.collected === "1";
    this.last = element.querySelector(".last");
    this.change = element.querySelector(".change");
    this.volume = element.querySelector(".volume");
    this.unit = element.querySelector(".unit");
    this.feed = element.querySelector(".feed");
    this.price = null;
    this.timeMs = 0;
    this.changedAt = null;
    this.flashedAt = 0;
  }

  show(ticker) {
    write(this.last, fixed(ticker.last, this.decimals));
    write(this.change, percent(ticker.change_24h));
    this.change.classList.remove("up", "down");
    this.change.classList.add(...[direction(ticker.change_24h)].filter(Boolean));
    write(this.volume, compact(ticker.volume_24h_quote));
    this.unit.hidden = false;
    this.#flash(ticker.last);
    if (ticker.time_ms > this.timeMs) this.changedAt = performance.now();
    this.timeMs = ticker.time_ms;
  }

  /** A price that is no longer fed must look so. */
  judge(now) {
    if (!this.isCollected || this.changedAt === null) return;
    const isLive = stream.state === "live" && now - this.changedAt < STALE_MS;
    this.feed.dataset.state = isLive ? "live" : "stale";
    write(this.feed.querySelector(".word"), isLive ? "Live" : "Stale");
    this.element.classList.toggle("is-stale", !isLive);
  }

  #flash(price) {
    const moved = this.price === null ? 0 : Math.sign(price - this.price);
    this.price = price;
    const now = performance.now();
    if (moved === 0 || now - this.flashedAt < FLASH_MS) return;
    this.flashedAt = now;
    this.last.classList.remove("rose", "fell");
    // Reading a measure restarts the animation.
    void this.last.offsetWidth;
    this.last.classList.add(moved > 0 ? "rose" : "fell");
  }
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showAll() {
  const tickers = waiting;
  waiting = null;
  for (const [symbol, ticker] of Object.entries(tickers)) rows.get(symbol)?.show(ticker);
  judgeAll();
}

function judgeAll() {
  const now = performance.now();
  for (const row of rows.values()) row.judge(now);
}

function applyFilter() {
  const wanted = filter.value.trim().toLowerCase();
  let shown = 0;
  for (const [symbol, row] of rows) {
    row.element.hidden = !symbol.toLowerCase().includes(wanted);
    shown += row.element.hidden ? 0 : 1;
  }
  document.getElementById("no-match").hidden = shown > 0 || rows.size === 0;
}

if (table !== null) {
  for (const element of table.querySelectorAll("[data-symbol]")) {
    rows.set(element.dataset.symbol, new Row(element));
  }
  const topic = `tickers:${table.dataset.exchange}`;
  watchAge(topic);
  stream.subscribe(topic, (message) => {
    if (waiting === null) requestAnimationFrame(showAll);
    waiting = message.tickers;
  });
  stream.addEventListener("state", judgeAll);
  setInterval(judgeAll, 5000);
  filter?.addEventListener("input", applyFilter);
  if (filter?.value) applyFilter();
}
