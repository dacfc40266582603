// The Markets page: live prices in the rows, and a filter that answers while one types.

import { watchAge } from "./connection.js";
import { FEEDS, feedOf, isConnected, watchFeeds } from "./feeds.js";
import { compact, direction, fixed, percent } from "./format.js";
import { stream } from "./stream.js";

// Every listed instrument is told about with each message; one that stays the same for longer is
// quiet.
const QUIET_MS = 120000;
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
    this.made = FEEDS[element.dataset.feed];
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

  /** Show how its feed is; a price that is no longer fed must look so. */
  judge(now) {
    if (!this.isCollected) return;
    const { state, word, advice } = this.#feed(now);
    this.feed.dataset.state = state;
    this.feed.title = advice;
    write(this.feed.querySelector(".word"), word);
    this.element.classList.toggle("is-stale", state !== "live");
  }

  #feed(now) {
    if (!isConnected()) return FEEDS.away;
    const feed = feedOf(this.element.dataset.collector, this.made);
    const isQuiet = this.changedAt !== null && now - this.changedAt > QUIET_MS;
    return feed.key === "live" && isQuiet ? FEEDS.quiet : feed;
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

/** Stopping leaves a hole in what is collected: a finger that slipped must not do it. */
function askBefore(form) {
  const dialog = document.getElementById("stop-collecting");
  const { symbol } = form.closest("[data-symbol]").dataset;
  form.addEventListener("submit", (event) => {
    if (dialog.returnValue === symbol) return;
    event.preventDefault();
    dialog.querySelector("h2").textContent = `Stop collecting ${symbol}?`;
    dialog.querySelector("[data-confirm]").value = symbol;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => dialog.returnValue === symbol && form.requestSubmit(event.submitter), {
      once: true,
    });
    dialog.showModal();
  });
}

if (table !== null) {
  for (const element of table.querySelectorAll("[data-symbol]")) {
    rows.set(element.dataset.symbol, new Row(element));
  }
  const topic = `tickers:${table.dataset.exchange}`;
  watchAge(topic);
  stream.subscribe(topic, (message) => {
    if (waiting === null) requestAnimationFrame(showAll);
    // Several collectors of one exchange send their own instruments each.
    waiting = { ...waiting, ...message.tickers };
  });
  watchFeeds(judgeAll);
  setInterval(judgeAll, 5000);
  filter?.addEventListener("input", applyFilter);
  if (filter?.value) applyFilter();
  for (const form of table.querySelectorAll("form[data-stops]")) askBefore(form);
}
