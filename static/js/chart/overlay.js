// What moves without Plotly: the candles not yet in a window, the last price, the crosshair.

import { compact, plain, time as timeText } from "../format.js";
import { PriceScale } from "./price_scale.js";

const SVG = "http://www.w3.org/2000/svg";
const LINEAR = new PriceScale();

/** Where times and values stand, in pixels of the chart. */
export class Geometry {
  constructor({ width, height, margins, view, panes, ranges, scale }) {
    this.width = width;
    this.height = height;
    this.right = width - margins.r;
    this.bottom = height - margins.b;
    this.view = view;
    this.panes = panes;
    this.ranges = ranges;
    this.scale = scale;
  }

  x(ms) {
    return ((ms - this.view.start) / (this.view.end - this.view.start)) * this.right;
  }

  timeAt(x) {
    return this.view.start + (x / this.right) * (this.view.end - this.view.start);
  }

  top(pane) {
    return this.bottom * (1 - pane.domain[1]);
  }

  floor(pane) {
    return this.bottom * (1 - pane.domain[0]);
  }

  y(pane, value) {
    const share = this.#scaleOf(pane).share(this.ranges.get(pane.key), value);
    return this.floor(pane) - share * (this.floor(pane) - this.top(pane));
  }

  valueAt(pane, y) {
    const share = (this.floor(pane) - y) / (this.floor(pane) - this.top(pane));
    return this.#scaleOf(pane).valueAt(this.ranges.get(pane.key), share);
  }

  #scaleOf(pane) {
    return pane.key === "price" ? this.scale : LINEAR;
  }

  paneAt(y) {
    return this.panes.find((pane) => y >= this.top(pane) && y <= this.floor(pane));
  }
}

export class Overlay {
  constructor(svg, marks, decimals) {
    this.decimals = decimals;
    this.candles = append(svg, "g", {});
    this.lastLine = append(svg, "line", { class: "last-line" });
    this.crossX = append(svg, "line", { class: "cross" });
    this.crossY = append(svg, "line", { class: "cross" });
    this.lastTag = tag(marks, "last");
    this.valueTag = tag(marks, "value");
    this.timeTag = tag(marks, "time");
    this.hideCross();
  }

  /** Draw `live` candles (time, open, high, low, close, volume) and the line of the last price. */
  drawLive(geometry, live, step, last) {
    this.candles.replaceChildren();
    for (const candle of live) this.#drawCandle(geometry, candle, step);
    this.#drawLast(geometry, last);
  }

  drawCross(geometry, ms, y, isDaily) {
    const pane = geometry.paneAt(y);
    const x = geometry.x(ms);
    set(this.crossX, { x1: x, x2: x, y1: 0, y2: geometry.bottom, visibility: "visible" });
    this.timeTag.hidden = false;
    this.timeTag.textContent = timeText(ms, isDaily);
    const half = this.timeTag.offsetWidth / 2;
    place(this.timeTag, Math.min(Math.max(x, half), geometry.right - half), geometry.bottom + 3);
    this.valueTag.hidden = pane === undefined;
    set(this.crossY, { visibility: pane === undefined ? "hidden" : "visible" });
    if (pane === undefined) return;
    set(this.crossY, { x1: 0, x2: geometry.right, y1: y, y2: y });
    this.valueTag.textContent = this.#valueText(geometry, pane, geometry.valueAt(pane, y));
    place(this.valueTag, null, y);
  }

  hideCross() {
    set(this.crossX, { visibility: "hidden" });
    set(this.crossY, { visibility: "hidden" });
    this.timeTag.hidden = true;
    this.valueTag.hidden = true;
  }

  #valueText(geometry, pane, value) {
    if (pane.key === "price") return geometry.scale.text(value, this.decimals);
    return pane.key === "volume" ? compact(value) : plain(value);
  }

  #drawCandle(geometry, candle, step) {
    const [price, volume] = geometry.panes;
    const name = candle.close >= candle.open ? "candle-up" : "candle-down";
    const x = geometry.x(candle.time);
    const half = Math.max(((geometry.x(candle.time + step) - x) * 0.72) / 2, 0.5);
    if (x - half > geometry.right || x + half < 0) return;
    const top = geometry.y(price, Math.max(candle.open, candle.close));
    const bottom = geometry.y(price, Math.min(candle.open, candle.close));
    const group = append(this.candles, "g", { class: name });
    append(group, "line", { x1: x, x2: x, y1: geometry.y(price, candle.high), y2: geometry.y(price, candle.low) });
    append(group, "rect", { x: x - half, y: top, width: half * 2, height: Math.max(bottom - top, 1), "stroke-width": 0 });
    const bar = geometry.y(volume, candle.volume);
    const height = Math.max(geometry.floor(volume) - bar, 0);
    append(group, "rect", { class: "volume", x: x - half, y: bar, width: half * 2, height });
  }

  #drawLast(geometry, last) {
    const [price] = geometry.panes;
    const y = last === null ? NaN : geometry.y(price, last.close);
    const isShown = y >= geometry.top(price) && y <= geometry.floor(price);
    this.lastTag.hidden = !isShown;
    set(this.lastLine, { visibility: isShown ? "visible" : "hidden" });
    if (!isShown) return;
    const name = last.close >= last.open ? "up" : "down";
    set(this.lastLine, { x1: 0, x2: geometry.right, y1: y, y2: y, class: `last-line ${name}` });
    this.lastTag.className = `tag last ${name}`;
    this.lastTag.textContent = geometry.scale.text(last.close, this.decimals);
    place(this.lastTag, null, y);
  }
}

function append(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  set(element, attributes);
  parent.append(element);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}

function tag(parent, name) {
  const element = document.createElement("div");
  element.className = `tag ${name}`;
  element.hidden = true;
  parent.append(element);
  return element;
}

function place(element, x, y) {
  if (x !== null) element.style.left = `${x}px`;
  element.style.top = `${y}px`;
}
