// The chart on the page of a bot: the candles of its instrument with what it did over them.

import { onAppearance } from "../appearance.js";
import "../chart/element.js";
import { Layers } from "../chart/layers.js";
import { LiveCandles } from "../chart/live.js";
import { Model } from "../chart/model.js";
import { WindowSource } from "../chart/source.js";
import { isServed, panned, span, windowAround, zoomed } from "../chart/view.js";
import { time as timeText } from "../format.js";

const PAUSE_MS = 150;
const KEYS = { ArrowLeft: [-0.2, 1], ArrowRight: [0.2, 1], "+": [0, 0.7], "-": [0, 1 / 0.7] };

export class PriceChart {
  #chart = document.getElementById("chart");
  #timer = null;
  #closedTimer = null;

  constructor(settings) {
    this.settings = settings;
    this.model = new Model(settings);
    this.source = new WindowSource(this.model.base);
    this.live = new LiveCandles({ update: () => this.#onLive(), closed: () => this.#onClosed() });
    this.layers = new Layers(settings.layer_sources, settings.layers, (layers) => this.#chart.setLayers(layers));
  }

  start() {
    const chart = this.#chart;
    this.model.start(chart.clientWidth);
    chart.start(this.settings.decimals);
    chart.setFigure(this.settings.figure);
    this.#take(this.settings.window, 0);
    this.#show();
    chart.addEventListener("moved", ({ detail }) => this.#look(detail.view));
    chart.addEventListener("pinched", ({ detail }) => this.#look(zoomed(this.model.view, detail.factor, detail.share)));
    chart.addEventListener("slid", ({ detail }) => this.#look(panned(this.model.view, detail.share)));
    chart.addEventListener("dblclick", () => this.#toNow());
    chart.addEventListener("keydown", (event) => this.#onKey(event));
    chart.addEventListener("reading", ({ detail }) => this.#read(detail.candle));
    chart.querySelector(".jump").addEventListener("click", () => this.#toNow());
    chart.querySelector(".chart-problem button").addEventListener("click", () => this.#fetch());
    window.addEventListener("resize", () => this.model.resize(chart.clientWidth));
    onAppearance(() => chart.requestDraw());
    this.#fetchIfNeeded();
  }

  /** Fetch the bot's own marks again: it has done something. */
  refresh() {
    this.layers.load();
  }

  #look(view) {
    const staysAtEdge = this.model.isFollowing && view.end >= this.model.stretch.end;
    this.model.look(view, staysAtEdge);
    this.#show();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetchIfNeeded(), PAUSE_MS);
  }

  #toNow() {
    this.model.toNow();
    this.#show();
    this.#fetchIfNeeded();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.shiftKey && event.key.startsWith("Arrow")) {
      this.#chart.step(event.key === "ArrowLeft" ? -1 : 1);
    } else if (KEYS[event.key] !== undefined) {
      const [share, factor] = KEYS[event.key];
      this.#look(factor === 1 ? panned(this.model.view, share) : zoomed(this.model.view, factor, 0.5));
    } else if (event.key === "End") this.#toNow();
    else return;
    event.preventDefault();
  }

  #read(candle) {
    const { decimals } = this.settings;
    const values = ["open", "high", "low", "close"].map((name) => `${name} ${candle[name].toFixed(decimals)}`);
    document.getElementById("chart-reading").textContent = `${timeText(candle.time)}, ${values.join(", ")}`;
  }

  #show() {
    this.#chart.setView(this.model.view);
    const { series } = this.#chart;
    this.#chart.querySelector(".jump").hidden =
      this.model.isFollowing || this.model.view.end >= this.model.stretch.end - series.step;
  }

  #fetchIfNeeded() {
    const held = this.#chart.series.window;
    if (!isServed(this.model.view, held, this.model.level, this.model.stretch)) this.#fetch();
  }

  async #fetch() {
    const { model } = this;
    const askedAt = performance.now();
    const asked = model.view;
    try {
      const range = windowAround(model.view, model.level);
      const answer = await this.source.fetch("window", model.timeframe, range, model.indicators);
      if (answer === null) return;
      this.#take(answer, askedAt);
      this.#complain("");
      if (model.view !== asked) this.#fetchIfNeeded();
    } catch (error) {
      this.#complain(error.message);
    }
  }

  #take(held, askedAt) {
    const { time } = held.columns;
    if (time.length > 0) {
      this.model.reach(time[time.length - 1] + held.step_ms);
      this.live.settle(time[time.length - 1], askedAt);
    }
    const topic = `candles:${this.settings.exchange}:${this.settings.symbol}:${held.stored}`;
    this.live.forgetOther(topic);
    this.#chart.setWindow(held, this.live.list());
    this.#chart.setView(this.model.view);
    this.live.follow(topic);
    this.layers.cover(held.start_ms, held.end_ms);
  }

  #onLive() {
    const candles = this.live.list();
    const { series } = this.#chart;
    if (series.step <= 86400000 && this.model.reach(candles.at(-1).time + series.step)) {
      this.#chart.setView(this.model.view);
    }
    this.#chart.setLive(candles);
  }

  #onClosed() {
    clearTimeout(this.#closedTimer);
    this.#closedTimer = setTimeout(() => {
      const { view, stretch } = this.model;
      if (view.end + span(view) / 2 >= stretch.end) this.#fetch();
    }, 400);
  }

  #complain(sentence) {
    const element = this.#chart.querySelector(".chart-problem");
    element.hidden = sentence === "";
    element.querySelector("span").textContent = sentence;
  }
}
