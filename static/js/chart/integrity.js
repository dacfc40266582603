// How whole the candles in view are: a word beside the symbol that leads to the Data page.

import { share, time, whole } from "../format.js";
import { fetchJson } from "../rest.js";
import { span } from "./view.js";

const MINUTE_MS = 60000;
const REST_MS = 700; // how long a movement must rest
const AGAIN_MS = 60000; // verified minutes come without anybody moving
const LATE_MS = 60000; // how long after its end a candle may come before it counts as missing

export class IntegrityBadge {
  #element = document.getElementById("integrity");
  #settings;
  #timer = null;
  #asked = 0;
  #shown = ""; // address of what is shown
  #shownAt = 0;
  #watched = null; // view, series and edge
  #dueMs = 0; // candles that ended by then should be there

  constructor(settings) {
    this.#settings = settings;
  }

  /** Tell of the view of `series` that the chart shows, once it rests; history ends at `edge`. */
  watch(view, series, edge) {
    this.#watched = { view, series, edge };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(view, series, edge), REST_MS);
  }

  /** Take note of the exchange's time: candles that do not come any more are missing by now. */
  reach(exchangeMs) {
    const dueMs = Math.floor((exchangeMs - LATE_MS) / MINUTE_MS) * MINUTE_MS;
    if (dueMs <= this.#dueMs) return;
    this.#dueMs = dueMs;
    if (this.#watched === null) return;
    const { view, series, edge } = this.#watched;
    if (dueMs >= series.lastTime + 2 * series.step) this.watch(view, series, edge);
  }

  async #ask(view, series, edge) {
    if (!series.window) return;
    const address = this.#address(view, series, edge);
    const isKnown = address === this.#shown && performance.now() - this.#shownAt < AGAIN_MS;
    if (address === null || isKnown) return;
    const number = ++this.#asked;
    try {
      const found = await fetchJson(address);
      if (number !== this.#asked) return;
      this.#shown = address;
      this.#shownAt = performance.now();
      this.#show(found);
    } catch {
      // The chart says itself when the server is away: this is a hint beside it.
      this.#element.hidden = true;
    }
  }

  /** The API's address for the candles in view that should be there; null when none should. */
  #address(view, series, edge) {
    const { exchange, symbol, stored } = this.#settings;
    const { step, window: held } = series;
    // What is forming or to come is not there yet, nor what was before the first: that is no fault.
    const isAtEdge = held.end_ms > edge - step;
    const last = Math.min(view.end, isAtEdge ? Math.max(series.lastTime + step, this.#dueMs) : held.end_ms);
    const start = Math.max(Math.floor(view.start / step), Math.ceil(stored[0] / step)) * step;
    const end = Math.floor(last / step) * step;
    if (end <= start || span(view) <= 0) return null;
    return `/api/v1/integrity/?${new URLSearchParams({ exchange, symbol, timeframe: held.stored, start, end })}`;
  }

  #show(found) {
    const missing = found.missing + found.incomplete;
    const gaps = found.gaps.length;
    const parts = [`${share(found.complete_share)} complete`];
    if (found.verified_share !== null) parts.push(`${share(found.verified_share)} verified`);
    if (gaps) parts.push(`${whole(gaps)} ${gaps === 1 ? "gap" : "gaps"}`);
    this.#element.hidden = found.expected === 0;
    this.#element.dataset.tone = missing || gaps || found.differing ? "warn" : "good";
    this.#element.querySelector(".word").textContent = parts.join(" · ");
    this.#element.dataset.short = share(found.complete_share);
    this.#element.title = this.#sentence(found, missing);
    const day = time(found.gaps.at(-1)?.start ?? found.end - 1, true);
    this.#element.href = `/data/?${new URLSearchParams({ exchange: found.exchange, instrument: found.symbol, day })}`;
  }

  #sentence(found, missing) {
    const said = [`${whole(found.complete)} of ${whole(found.expected)} ${found.timeframe} candles in view are complete`];
    if (missing) said.push(`${whole(missing)} missing or incomplete`);
    if (found.differing) said.push(`${whole(found.differing)} differ from the exchange's`);
    if (found.revised) said.push(`${whole(found.revised)} changed after they were closed`);
    return `${said.join(", ")}. To the day on the Data page.`;
  }
}
