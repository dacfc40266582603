// The price chart of a result: every fill, the strategy's indicators, a line for each round trip.
// It pans through the range by asking the server for windows, as the Chart page does.

import "../chart/element.js";
import { onAppearance } from "../appearance.js";
import { WindowSource } from "../chart/source.js";
import { capacity, confined, isServed, levelFor, panned, span, windowAround, zoomed } from "../chart/view.js";
import { notice } from "../notice.js";
import { fetchJson } from "../rest.js";

const PAUSE_MS = 120;
const FIRST_CANDLES = 200;

export class PriceChart {
  constructor(section) {
    this.settings = JSON.parse(document.getElementById("chart-settings").textContent);
    this.section = section;
    this.complain = notice("problem");
    this.chart = section.querySelector("tcp-chart");
    this.source = new WindowSource(section.dataset.base);
    this.figure = "";
    this.timer = null;
    this.chart.start(this.settings.decimals);
    this.look({ start: this.settings.stretch.start, end: this.settings.stretch.start + FIRST_CANDLES * this.settings.finest });
    this.listen();
  }

  listen() {
    const { chart } = this;
    chart.addEventListener("moved", ({ detail }) => this.look(detail.view));
    chart.addEventListener("pinched", ({ detail }) => this.look(zoomed(this.view, detail.factor, detail.share)));
    chart.addEventListener("slid", ({ detail }) => this.look(panned(this.view, detail.share)));
    chart.addEventListener("keydown", (event) => this.press(event));
    chart.addEventListener("dblclick", () => this.showAll());
    this.section.addEventListener("click", ({ target }) => {
      const { zoom, whole } = target.closest("button")?.dataset ?? {};
      if (zoom !== undefined) this.look(zoomed(this.view, Number(zoom), 0.5));
      if (whole !== undefined) this.showAll();
    });
    onAppearance(() => chart.requestDraw());
    new ResizeObserver(() => this.fetchSoon()).observe(chart);
  }

  press(event) {
    const moves = { ArrowLeft: -0.25, ArrowRight: 0.25 };
    const zooms = { "+": 0.7, "-": 1.4 };
    if (event.key in moves) this.look(panned(this.view, moves[event.key]));
    else if (event.key in zooms) this.look(zoomed(this.view, zooms[event.key], 0.5));
    else if (event.key === "Home") this.showAll();
    else return;
    event.preventDefault();
  }

  /** The whole range of the backtest. */
  showAll() {
    const { start, end } = this.settings.stretch;
    this.look({ start, end });
  }

  /** One round trip, with room on both sides. */
  showTrip(entry, exit) {
    const wide = Math.max((exit - entry) * 2.5, 60 * this.settings.finest);
    const middle = (entry + exit) / 2;
    this.look({ start: middle - wide / 2, end: middle + wide / 2 });
  }

  look(view) {
    this.view = confined(view, this.settings.finest, this.settings.stretch);
    if (this.chart.series !== null) this.chart.setView(this.view);
    this.fetchSoon();
  }

  get level() {
    const { levels, finest } = this.settings;
    return levelFor(levels, finest, span(this.view), capacity(this.chart.clientWidth));
  }

  fetchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetchIfNeeded(), this.chart.series === null ? 0 : PAUSE_MS);
  }

  fetchIfNeeded() {
    const held = this.chart.series?.window;
    if (held === undefined || !isServed(this.view, held, this.level, this.settings.stretch)) this.fetch();
  }

  async fetch() {
    const asked = this.view;
    const range = windowAround(this.view, this.level);
    this.isBusy = true;
    try {
      const answer = await this.source.fetch("window", "chart", range, "");
      if (answer === null) return;
      const { start_ms: start, end_ms: end } = answer.window;
      const layer = await fetchJson(`${this.section.dataset.layer}?${new URLSearchParams({ start, end })}`);
      this.take(answer, layer);
      this.complain("");
      if (this.view !== asked) this.fetchIfNeeded();
    } catch (error) {
      this.complain(error.message);
    }
    this.isBusy = false;
  }

  take({ figure, window: held, note }, layer) {
    // Panes are laid out anew only where they differ.
    const text = JSON.stringify(figure.layout.meta);
    if (text !== this.figure) this.chart.setFigure(figure);
    this.figure = text;
    this.chart.setWindow(held, []);
    this.chart.setLayers([layer]);
    this.chart.setView(this.view);
    document.getElementById("price-note").textContent = note;
    document.getElementById("price-level").textContent = held.is_auto ? `${held.timeframe} candles` : "";
  }

  set isBusy(isBusy) {
    this.chart.querySelector(".busy").hidden = !isBusy;
    this.chart.setAttribute("aria-busy", String(isBusy));
  }
}
