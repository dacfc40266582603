// Parallel axes: a line for each trial through all its parameters and figures, the best on top.

import { onAppearance } from "../appearance.js";
import { palette } from "../chart/figure.js";
import { plain, whole } from "../format.js";

const TOP = 34;
const BOTTOM = 16;
const SIDE = 46;
const AXIS_PX = 96; // the least room between two axes

export class Parallel {
  #host;
  #button;
  #canvas = document.createElement("canvas");
  #axes = [];
  #lines = 0;
  #brushes = new Map(); // number of an axis -> [low, high] as shares of its height
  #drag = null;

  constructor(host, button) {
    this.#host = host;
    this.#button = button;
    host.append(this.#canvas);
    new ResizeObserver(() => this.#draw()).observe(host);
    onAppearance(() => this.#draw());
    this.#canvas.addEventListener("pointerdown", (event) => this.#press(event));
    this.#canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.#canvas.addEventListener("pointerup", () => this.#lift());
    button.addEventListener("click", () => {
      this.#brushes.clear();
      this.#draw();
    });
  }

  /** Show columns as the server answers them, the best trial first; `sought` names the objective. */
  show({ parameters, objective, metrics, outside }, sought) {
    const others = Object.entries(metrics).filter(([name]) => name !== sought);
    const all = [...Object.entries(parameters), [sought, objective], ...others, ["out of sample", outside]];
    // One that no trial has would break every line.
    const named = all.filter(([, values]) => values.some((value) => value !== null));
    this.#axes = named.map(([name, values]) => axisOf(name.replaceAll("_", " "), values));
    this.#lines = objective.length;
    this.#draw();
  }

  #x(number) {
    const room = this.#canvas.clientWidth - 2 * SIDE;
    return SIDE + (this.#axes.length > 1 ? (number * room) / (this.#axes.length - 1) : room / 2);
  }

  #y(share) {
    return TOP + (1 - share) * (this.#canvas.clientHeight - TOP - BOTTOM);
  }

  #draw() {
    if (this.#axes.length === 0) return;
    const wide = Math.max(this.#host.clientWidth, this.#axes.length * AXIS_PX);
    const high = this.#host.clientHeight;
    const scale = window.devicePixelRatio || 1;
    this.#canvas.style.setProperty("width", `${wide}px`);
    this.#canvas.style.setProperty("height", `${high}px`);
    this.#canvas.width = Math.round(wide * scale);
    this.#canvas.height = Math.round(high * scale);
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    const colour = palette();
    const chosen = [...Array(this.#lines).keys()].filter((line) => this.#passes(line));
    this.#host.dataset.shown = String(chosen.length);
    this.#button.hidden = this.#brushes.size === 0;
    for (const line of chosen.reverse()) this.#drawLine(pen, line, colour);
    this.#axes.forEach((axis, number) => this.#drawAxis(pen, axis, number, colour));
  }

  #drawLine(pen, line, colour) {
    // The first are the best.
    const rank = this.#lines > 1 ? line / (this.#lines - 1) : 0;
    pen.strokeStyle = colour(rank < 0.1 ? "up" : rank < 0.5 ? "accent" : "faint");
    pen.globalAlpha = rank < 0.1 ? 0.75 : 0.25;
    pen.lineWidth = rank < 0.1 ? 1.5 : 1;
    pen.beginPath();
    let isOpen = false;
    this.#axes.forEach(({ shares }, number) => {
      const share = shares[line];
      if (share === null) {
        isOpen = false;
        return;
      }
      if (isOpen) pen.lineTo(this.#x(number), this.#y(share));
      else pen.moveTo(this.#x(number), this.#y(share));
      isOpen = true;
    });
    pen.stroke();
    pen.globalAlpha = 1;
  }

  #drawAxis(pen, { name, low, high }, number, colour) {
    const x = this.#x(number);
    pen.strokeStyle = colour("line-strong");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, this.#y(0));
    pen.lineTo(x, this.#y(1));
    pen.stroke();
    pen.textAlign = "center";
    pen.font = `500 11px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = colour("text");
    pen.fillText(name, x, 12);
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = colour("muted");
    pen.fillText(high, x, TOP - 6);
    pen.fillText(low, x, this.#y(0) + 13);
    const brush = this.#brushes.get(number);
    if (brush === undefined) return;
    pen.fillStyle = colour("accent");
    pen.globalAlpha = 0.3;
    pen.fillRect(x - 6, this.#y(brush[1]), 12, this.#y(brush[0]) - this.#y(brush[1]));
    pen.globalAlpha = 1;
  }

  #passes(line) {
    return [...this.#brushes].every(([number, [low, high]]) => {
      const share = this.#axes[number].shares[line];
      return share !== null && share >= low && share <= high;
    });
  }

  #shareAt(event) {
    const box = this.#canvas.getBoundingClientRect();
    const share = 1 - (event.clientY - box.top - TOP) / (box.height - TOP - BOTTOM);
    return Math.min(Math.max(share, 0), 1);
  }

  #press(event) {
    const x = event.clientX - this.#canvas.getBoundingClientRect().left;
    const number = this.#axes.findIndex((_, each) => Math.abs(this.#x(each) - x) < 18);
    if (number < 0) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.#drag = { number, from: this.#shareAt(event) };
    this.#brushes.delete(number);
    this.#draw();
  }

  #move(event) {
    if (this.#drag === null) return;
    const [from, to] = [this.#drag.from, this.#shareAt(event)];
    if (Math.abs(from - to) > 0.02) this.#brushes.set(this.#drag.number, [Math.min(from, to), Math.max(from, to)]);
    this.#draw();
  }

  #lift() {
    this.#drag = null;
  }
}

/** An axis: the place of each value on it as a share of its height; words stand in their order. */
function axisOf(name, values) {
  const known = values.filter((value) => value !== null);
  if (known.some((value) => typeof value !== "number")) {
    const words = [...new Set(known.map(String))].sort();
    const places = new Map(words.map((word, at) => [word, words.length > 1 ? at / (words.length - 1) : 0.5]));
    const shares = values.map((value) => (value === null ? null : places.get(String(value))));
    return { name, low: words[0] ?? "", high: words.length > 1 ? words.at(-1) : "", shares };
  }
  const low = Math.min(...known);
  const high = Math.max(...known);
  const shares = values.map((value) => (value === null ? null : high > low ? (value - low) / (high - low) : 0.5));
  const told = (value) => (known.every(Number.isInteger) ? whole(value) : plain(value));
  return { name, low: told(low), high: high > low ? told(high) : "", shares };
}
