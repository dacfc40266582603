// <tcp-chart>: draws one window of candles. It knows no addresses and no sockets.
//
// The page sets `figure`, `window`, `view` and live candles; the chart tells `moving` and `moved`
// with { view } when a person drags or zooms, and `reading` with the candle under the key cursor.
// Plotly redraws once for each change of these, never while a finger or button is down.

import { layout, margins, palette, traces } from "./figure.js";
import { Gestures } from "./gestures.js";
import { layerNotes, layerTraces } from "./layers.js";
import { PriceScale } from "./price_scale.js";
import { Legend } from "./legend.js";
import { Geometry, Overlay } from "./overlay.js";
import { isOutside, paneRanges } from "./scales.js";
import { Series } from "./series.js";
import { toMs } from "./view.js";

const NARROW = 640;
const DAY_MS = 86400000;
const CONFIG = { displayModeBar: false, scrollZoom: true, doubleClick: false, responsive: false, showTips: false };

class TcpChart extends HTMLElement {
  #plot = this.querySelector(".plot");
  #figure = null;
  #series = null;
  #view = null;
  #shownView = null; // the view while a drag is under way
  #live = [];
  #layers = [];
  #last = null;
  #scaleName = "price";
  #drawn = null; // what Plotly shows: { ranges, scale }
  #isPlanned = false;
  #isDrawing = false;
  #cursor = null; // { ms, y } of the crosshair
  #overlay;
  #legend;
  #gestures;

  /** Prepare the chart; `decimals` are those of its prices. */
  start(decimals) {
    this.#overlay = new Overlay(this.querySelector(".overlay"), this.querySelector(".marks"), decimals);
    this.#legend = new Legend(this.querySelector(".legends"), decimals);
    this.#gestures = new Gestures(this, {
      hover: (x, y) => this.#hover(x, y),
      leave: () => this.#setCursor(null),
      pinch: (factor, share) => this.#tell("pinched", { factor, share }),
      slide: (share) => this.#tell("slid", { share }),
      release: () => this.#isPlanned && this.#plan(),
    });
    new ResizeObserver(() => this.#drawn && this.requestDraw()).observe(this);
  }

  /** Take a figure: other panes, other lines. A window for it must follow. */
  setFigure(figure) {
    this.#figure = figure;
    this.#legend.setFigure(figure);
  }

  /** Take the columns of another window, with the live candles that it does not hold. */
  setWindow(window, live) {
    this.#series = new Series(window);
    this.#takeLive(live);
    this.requestDraw();
  }

  /** Show another stretch of time. */
  setView(view) {
    this.#view = view;
    this.#shownView = null;
    this.requestDraw();
  }

  /** Show prices by another scale: price, log or percent. */
  setScale(name) {
    this.#scaleName = name;
    if (this.#drawn !== null) this.requestDraw();
  }

  /** Take the candles that are newer than the window, the last one forming; no Plotly involved. */
  setLive(live) {
    this.#takeLive(live);
    if (this.#drawn === null) return;
    if (this.#needsRoom()) this.requestDraw();
    this.#drawOverlay();
  }

  /** Draw `layers` over the prices, as layers.js describes them. */
  setLayers(layers) {
    if (this.#layers.length === 0 && layers.length === 0) return;
    this.#layers = layers;
    if (this.#drawn !== null) this.requestDraw();
  }

  get series() {
    return this.#series;
  }

  get live() {
    return this.#live;
  }

  /** Draw in the next frame, or when the person lets go. */
  requestDraw() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#plan();
  }

  /** Move the key cursor by `candles` and tell what it stands on. */
  step(candles) {
    const rows = this.#readable();
    if (rows.length === 0) return;
    const at = this.#cursor === null ? rows.length : rows.findIndex((each) => each.time >= this.#cursor.ms);
    const candle = rows[Math.min(Math.max((at < 0 ? rows.length : at) + candles, 0), rows.length - 1)];
    const [price] = this.#figure.layout.meta.panes;
    this.#setCursor({ ms: candle.time, y: this.#geometry().y(price, candle.close) });
    this.#tell("reading", { candle });
  }

  /** The candles in view, oldest first, the ones not yet in the window included. */
  visibleCandles() {
    const { start, end } = this.#view;
    return this.#readable().filter(({ time }) => time + this.#series.step > start && time < end);
  }

  // ------------------------------------------------------------------ drawing

  #plan() {
    requestAnimationFrame(() => {
      if (this.#gestures.isHeld || this.#isDrawing || this.#view === null || this.#series === null) return;
      this.#isPlanned = false;
      this.#draw();
    });
  }

  async #draw() {
    this.#isDrawing = true;
    try {
      const spec = this.#spec();
      const isFirst = this.#drawn === null;
      this.#drawn = { ranges: spec.ranges, scale: spec.scale };
      this.#drawOverlay();
      if (isFirst) await this.#first(spec);
      else await window.Plotly.react(this.#plot, spec.data, spec.layout, CONFIG);
    } finally {
      this.#isDrawing = false;
      this.dataset.drawn = String(Number(this.dataset.drawn ?? 0) + 1);
      if (this.#isPlanned) this.#plan();
    }
  }

  #spec() {
    const colour = palette();
    const panes = this.#figure.layout.meta.panes;
    const scale = new PriceScale(this.#scaleName, this.visibleCandles()[0]?.close);
    const ranges = paneRanges(panes, this.#series, this.#view, this.#live, scale);
    const made = layout(this.#figure, {
      view: this.#view,
      ranges,
      gaps: this.#series.window.gaps,
      colour,
      isNarrow: this.#isNarrow,
      scale,
    });
    const size = { width: this.clientWidth, height: this.clientHeight };
    const data = [...traces(this.#figure, this.#series, colour), ...layerTraces(this.#layers, this.#series.step, colour)];
    return { data, layout: { ...made, ...size }, ranges, scale };
  }

  async #first({ data, layout: made }) {
    await window.Plotly.newPlot(this.#plot, data, made, CONFIG);
    this.#plot.on("plotly_relayouting", (event) => this.#onMove(event, "moving"));
    this.#plot.on("plotly_relayout", (event) => this.#onMove(event, "moved"));
  }

  #onMove(event, name) {
    const view = rangeOf(event);
    if (view === null) return;
    this.#shownView = view;
    if (name === "moved") {
      this.#view = view;
      this.#shownView = null;
    }
    this.#drawOverlay();
    this.#tell(name, { view });
  }

  #drawOverlay() {
    const geometry = this.#geometry();
    this.#legend.place(geometry);
    const isBinned = this.#series.step > DAY_MS;
    this.#overlay.drawLive(geometry, isBinned ? [] : this.#live, this.#series.step, this.#newest());
    this.#drawCursor(geometry);
  }

  #drawCursor(geometry) {
    if (this.#cursor === null) this.#overlay.hideCross();
    else this.#overlay.drawCross(geometry, this.#cursor.ms, this.#cursor.y, this.#isDaily);
    const candle = this.#cursor === null ? this.#lastShown() : this.#candleAt(this.#cursor.ms);
    this.#legend.show(candle, this.#valuesAt(candle), {
      isDaily: this.#isDaily,
      isReading: this.#cursor !== null,
      isForming: candle !== null && candle === this.#last && candle.isForming,
      isIncomplete: candle !== null && this.#series.incomplete.has(candle.time),
      notes: this.#cursor === null || candle === null ? [] : layerNotes(this.#layers, candle.time, this.#series.step),
    });
  }

  #geometry() {
    return new Geometry({
      width: this.clientWidth,
      height: this.clientHeight,
      margins: margins(this.#isNarrow),
      view: this.#shownView ?? this.#view,
      panes: this.#figure.layout.meta.panes,
      ...this.#drawn,
    });
  }

  get #isNarrow() {
    return this.clientWidth < NARROW;
  }

  get #isDaily() {
    return this.#series.step >= DAY_MS;
  }

  #needsRoom() {
    const isInView = this.#last !== null && this.#last.time < this.#view.end && this.#last.time >= this.#view.start;
    return isInView && isOutside(this.#drawn.ranges.get("price"), this.#last);
  }

  #takeLive(live) {
    this.#live = live;
    this.#last = live.length > 0 ? live[live.length - 1] : null;
    if (live.length > 0) this.#series.cutFrom(live[0].time);
  }

  // ------------------------------------------------------------------ reading

  #hover(x, y) {
    if (this.#drawn === null) return;
    const geometry = this.#geometry();
    if (x > geometry.right || y > geometry.bottom) return this.#setCursor(null);
    const { step } = this.#series;
    return this.#setCursor({ ms: Math.round(geometry.timeAt(x) / step) * step, y });
  }

  #setCursor(cursor) {
    this.#cursor = cursor;
    if (this.#drawn !== null) this.#drawCursor(this.#geometry());
  }

  #candleAt(ms) {
    const live = this.#live.find((candle) => candle.time === ms);
    if (live !== undefined) return live;
    const row = this.#series.nearest(ms);
    const isThere = row >= 0 && this.#series.isCandle(row) && Math.abs(this.#series.time[row] - ms) < this.#series.step;
    return isThere ? this.#candle(row) : null;
  }

  #newest() {
    if (this.#last !== null) return this.#last;
    const rows = this.#readable();
    return rows.length > 0 ? rows[rows.length - 1] : null;
  }

  /** The last candle in view: what the values are of while no cursor asks for another. */
  #lastShown() {
    const view = this.#shownView ?? this.#view;
    const live = this.#live.findLast((candle) => candle.time < view.end && candle.time >= view.start);
    if (live !== undefined) return live;
    const row = this.#series.lastCandle(view.end);
    return row >= 0 ? this.#candle(row) : null;
  }

  #readable() {
    const rows = [...this.#series.time.keys()].filter((row) => this.#series.isCandle(row));
    return [...rows.map((row) => this.#candle(row)), ...this.#live];
  }

  #candle(row) {
    const { time, open, high, low, close, volume } = this.#series.columns;
    return {
      row, time: time[row], open: open[row], high: high[row], low: low[row], close: close[row], volume: volume[row],
    };
  }

  /** The indicators' values at a candle; of the last closed one while it is forming. */
  #valuesAt(candle) {
    if (candle === null) return null;
    const row = candle.row ?? this.#series.length - 1;
    const values = {};
    for (const [name, column] of Object.entries(this.#series.columns)) values[name] = column[row];
    return values;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** The stretch of time in one of Plotly's events, which write it in two ways; null for neither. */
function rangeOf(event) {
  const pair = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
  return pair[0] === undefined ? null : { start: toMs(pair[0]), end: toMs(pair[1]) };
}

customElements.define("tcp-chart", TcpChart);
