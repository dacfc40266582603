// The Chart page: brings together what is looked at, the windows, the live candles and the chart.

import { onAppearance } from "../appearance.js";
import { watchAge } from "../connection.js";
import "./element.js";
import { IndicatorDialog } from "./indicators.js";
import { IntegrityBadge } from "./integrity.js";
import { listenToKeys } from "./keyboard.js";
import { Layers, startLayerMenu } from "./layers.js";
import { LiveCandles } from "./live.js";
import { Model } from "./model.js";
import { Quote } from "./quote.js";
import { WindowSource } from "./source.js";
import { Toolbar } from "./toolbar.js";
import { isServed, panned, span, windowAround, zoomed } from "./view.js";
import { time as timeText } from "../format.js";

const PAUSE_MS = 120; // how long a movement must rest before its window is fetched
const CLOSED_MS = 250; // gathers candles that close together, and spreads readers out
const SHIFT_MS = 900; // how long a new candle stands right of the others before they make room

class ChartPage {
  constructor(settings) {
    this.settings = settings;
    this.chart = document.getElementById("chart");
    this.model = new Model(settings);
    this.source = new WindowSource(this.model.base);
    this.live = new LiveCandles({ update: () => this.onLive(), closed: () => this.onClosed() });
    this.dialog = new IndicatorDialog(settings.registry, settings.indicators, (text) => this.setIndicators(text));
    this.toolbar = new Toolbar(this);
    this.integrity = new IntegrityBadge(settings);
    this.quote = new Quote(settings, (ms) => this.integrity.reach(ms));
    this.layers = new Layers(settings.layer_sources, settings.layers, (layers) => this.chart.setLayers(layers));
    this.owesFigure = false; // indicators were chosen and their figure has not come yet
    this.timer = this.closedTimer = this.shiftTimer = null;
    this.missedAfter = null; // the end of a window after which candles are missing and were asked for
  }

  start() {
    this.model.start(this.chart.clientWidth);
    this.chart.start(this.settings.decimals);
    this.toolbar.startScale();
    startLayerMenu(this.layers, this.settings, () => this.setLayers());
    this.take({ figure: this.settings.figure, window: this.settings.window }, 0);
    this.show();
    this.listen();
    this.fetchIfNeeded();
  }

  listen() {
    this.chart.addEventListener("moved", ({ detail }) => this.look(detail.view));
    this.chart.addEventListener("pinched", ({ detail }) => this.zoom(detail.factor, detail.share));
    this.chart.addEventListener("slid", ({ detail }) => this.pan(detail.share));
    this.chart.addEventListener("reading", ({ detail }) => this.toolbar.read(detail.candle));
    this.chart.addEventListener("dblclick", () => this.toNow());
    this.chart.querySelector(".jump").addEventListener("click", () => this.toNow());
    this.chart.querySelector(".chart-problem button").addEventListener("click", () => this.fetch());
    listenToKeys(this.chart, this, this.settings.timeframes.map(({ name }) => name));
    window.addEventListener("resize", () => this.resize());
    onAppearance(() => this.chart.requestDraw());
    window.addEventListener("popstate", () => window.location.reload());
  }

  /** A turned phone shows more candles or fewer. */
  resize() {
    this.model.resize(this.chart.clientWidth);
    this.fetchSoon();
  }

  // ------------------------------------------------------------------ moving

  /** Show `view`, where a person has moved to. */
  look(view) {
    const staysAtEdge = this.model.isFollowing && view.end >= this.model.stretch.end;
    this.model.look(view, staysAtEdge);
    this.show();
    this.fetchSoon();
  }

  pan(share) {
    this.look(panned(this.model.view, share));
  }

  /** Zoom around `share` of the width; while following, around the newest candle. */
  zoom(factor, share = 0.5) {
    const { view, stretch, isFollowing } = this.model;
    this.look(zoomed(view, factor, isFollowing ? (stretch.end - view.start) / span(view) : share));
  }

  step(candles) {
    this.chart.step(candles);
  }

  toFirst() {
    const { stretch, view } = this.model;
    this.look({ start: stretch.start, end: stretch.start + span(view) });
  }

  toNow() {
    this.model.toNow();
    this.show();
    this.fetchIfNeeded();
  }

  toDate(ms) {
    const half = span(this.model.view) / 2;
    this.model.look({ start: ms - half, end: ms + half });
    this.show();
    this.fetchIfNeeded();
  }

  toggleFollow() {
    if (!this.model.isFollowing) return this.toNow();
    this.model.isFollowing = false;
    return this.show();
  }

  /** Show the last `hours`, or "all", with the candles that suit. */
  showLast(hours) {
    const { stretch } = this.model;
    const whole = stretch.end - stretch.start;
    const wide = hours === "all" ? whole * 1.08 : Number(hours) * 3600000;
    this.setTimeframe(this.model.timeframeFor(Math.min(wide, whole)), wide);
  }

  setTimeframe(name, spanMs) {
    this.model.setTimeframe(name);
    if (spanMs !== undefined) this.model.toNow(spanMs);
    this.show(true);
    this.fetch();
  }

  /** Bring the chart, the controls and the address up to the model. */
  show(isNew = false) {
    const { model } = this;
    clearTimeout(this.shiftTimer);
    this.chart.setView(model.view);
    this.toolbar.show();
    this.integrity.watch(model.view, this.chart.series, model.stretch.end);
    model.remember(isNew);
  }

  // ------------------------------------------------------------------ windows

  fetchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetchIfNeeded(), PAUSE_MS);
  }

  fetchIfNeeded() {
    clearTimeout(this.timer);
    const { model } = this;
    const held = this.chart.series.window;
    const isOwed = this.owesFigure && !this.source.isAsking;
    if (isOwed || !isServed(model.view, held, model.level, model.stretch)) this.fetch();
  }

  /**
   * Fetch the candles around the view, with a figure while one is owed; what is drawn stays until
   * they are there. A request takes the place of the one before it.
   */
  async fetch() {
    clearTimeout(this.timer);
    const { model } = this;
    const what = this.owesFigure ? "figure" : "window";
    const asked = model.view;
    const askedAt = performance.now();
    const range = windowAround(model.view, model.level);
    this.toolbar.isBusy = true;
    try {
      const answer = await this.source.fetch(what, model.timeframe, range, model.indicators);
      if (answer === null) return;
      this.owesFigure = false;
      this.take(what === "figure" ? answer : { window: answer }, askedAt);
      this.complain("");
      // The person has moved on in the meantime.
      if (model.view !== asked) this.fetchIfNeeded();
    } catch (error) {
      this.complain(error.message);
    }
    this.toolbar.isBusy = false;
  }

  take({ figure, window: held }, askedAt) {
    const { settings } = this;
    const times = held.columns.time;
    if (times.length > 0) {
      this.model.reach(times[times.length - 1] + held.step_ms);
      this.live.settle(times[times.length - 1], askedAt);
    }
    const topic = `candles:${settings.exchange}:${settings.symbol}:${held.stored}`;
    if (figure !== undefined) this.chart.setFigure(figure);
    this.live.forgetOther(topic);
    clearTimeout(this.shiftTimer);
    this.chart.setWindow(held, this.live.list());
    this.chart.setView(this.model.view);
    this.live.follow(topic);
    this.layers.cover(held.start_ms, held.end_ms);
    watchAge(topic);
    this.integrity.watch(this.model.view, this.chart.series, this.model.stretch.end);
    this.toolbar.show();
  }

  complain(sentence) {
    const element = this.chart.querySelector(".chart-problem");
    element.hidden = sentence === "";
    element.querySelector("span").textContent = sentence;
  }

  setIndicators(text) {
    this.model.indicators = text;
    this.model.remember();
    this.owesFigure = true;
    this.fetch();
  }

  setLayers() {
    this.model.layers = this.layers.text;
    this.model.remember();
  }

  // ------------------------------------------------------------------ live

  onLive() {
    const candles = this.live.list();
    const newest = candles[candles.length - 1];
    const { series } = this.chart;
    if (series.step <= this.model.settings.timeframes.at(-1).ms) {
      if (this.model.reach(newest.time + series.step)) this.shiftSoon();
    }
    this.chart.setLive(candles);
    this.askForMissed(candles[0].time);
    this.quote.showLast(newest.close);
    this.toolbar.showLive();
  }

  /** Go one candle further: with the closed one's window, or without it if that does not come. */
  shiftSoon() {
    clearTimeout(this.shiftTimer);
    this.shiftTimer = setTimeout(() => this.chart.setView(this.model.view), SHIFT_MS);
  }

  /** Fetch candles that closed between the window and the first message; once, as gaps are real. */
  askForMissed(firstMs) {
    const { series } = this.chart;
    const isNear = series.window.end_ms >= this.model.stretch.end - series.step;
    if (!isNear || firstMs <= series.lastTime + series.step || this.missedAfter === series.lastTime) return;
    this.missedAfter = series.lastTime;
    this.onClosed();
  }

  /** Fetch the closed candles with their indicators, if they are in or near the view. */
  onClosed() {
    if (this.closedTimer !== null) return;
    this.closedTimer = setTimeout(() => {
      this.closedTimer = null;
      const { view, stretch } = this.model;
      if (view.end + span(view) / 2 >= stretch.end) this.fetch();
    }, CLOSED_MS * (1 + Math.random()));
  }

  // ------------------------------------------------------------------ controls

  openIndicators() {
    this.dialog.open();
  }

  openHelp() {
    document.getElementById("help").showModal();
  }

  openDate() {
    this.toolbar.openDate();
  }

  openSymbols() {
    this.toolbar.openSymbols();
  }

  toggleScale(name) {
    this.toolbar.toggleScale(name);
  }

  toggleTable() {
    this.toolbar.toggleTable();
  }

  /** What the chart shows, as the address of a file. */
  exportAddress(format) {
    const { model } = this;
    const { step } = this.chart.series;
    const start = Math.max(0, Math.floor(model.view.start / step) * step);
    const end = Math.ceil(model.view.end / step) * step;
    const range = { start, end, points: Math.max(10, (end - start) / step) };
    return this.source.address("export", model.timeframe, range, { indicators: model.indicators, format });
  }

  /** What was under the key cursor, for people who hear the page. */
  describe(candle) {
    const { decimals } = this.settings;
    const isDaily = this.chart.series.step >= 86400000;
    const values = ["open", "high", "low", "close"].map((name) => `${name} ${candle[name].toFixed(decimals)}`);
    return `${timeText(candle.time, isDaily)}, ${values.join(", ")}, volume ${candle.volume.toPrecision(4)}`;
  }
}

const settings = JSON.parse(document.getElementById("chart-settings").textContent);
new ChartPage(settings).start();
