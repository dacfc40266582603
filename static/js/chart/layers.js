// Layers over the prices: what bots and backtests did, fetched by their addresses. A layer is
// { key, title, marks: { time, price, side, text }, lines: [{ title, time, value }] } in columns;
// `side` is buy, sell or signal; a line may name its colour and its shape, steps without it. The server lists them for an instrument and answers a stretch.

import { fetchJson } from "../rest.js";

const MOST = 4;
const SYMBOLS = { buy: "triangle-up", sell: "triangle-down", signal: "circle-open" };
const COLOURS = { buy: "up", sell: "down", signal: "accent" };
const LINES = ["line-2", "line-3", "line-4", "line-5", "line-6"];

/** The chosen layers of a chart, and their data over what it holds. */
export class Layers {
  #sources;
  #chosen;
  #show;
  #range = null;
  #asked = 0;

  /** `sources` maps a kind to the address of its list; `text` is bot:3,backtest:7. */
  constructor(sources, text, show) {
    this.#sources = sources;
    this.#chosen = text.split(",").filter((key) => this.#addressOf(key) !== null).slice(0, MOST);
    this.#show = show;
  }

  get text() {
    return this.#chosen.join(",");
  }

  has(key) {
    return this.#chosen.includes(key);
  }

  /** Add or take away a layer; false when there are as many as a chart can hold. */
  toggle(key) {
    if (this.has(key)) this.#chosen = this.#chosen.filter((each) => each !== key);
    else if (this.#chosen.length >= MOST) return false;
    else this.#chosen = [...this.#chosen, key];
    this.load();
    return true;
  }

  /** Fetch the chosen layers over [start, end), as a chart holds it now. */
  cover(start, end) {
    this.#range = { start, end };
    return this.load();
  }

  /** Fetch them again; one that cannot be had is left out. */
  async load() {
    const number = ++this.#asked;
    if (this.#range === null) return;
    const query = new URLSearchParams(this.#range);
    const answers = await Promise.allSettled(
      this.#chosen.map((key) => fetchJson(`${this.#addressOf(key)}?${query}`)),
    );
    if (number !== this.#asked) return;
    this.#show(answers.filter(({ status }) => status === "fulfilled").map(({ value }) => value));
  }

  /** What may be chosen for an instrument. */
  async available(exchange, symbol) {
    const query = new URLSearchParams({ exchange, symbol });
    const lists = await Promise.all(Object.values(this.#sources).map((list) => fetchJson(`${list}?${query}`)));
    return lists.flatMap(({ layers }) => layers);
  }

  #addressOf(key) {
    const [kind, id] = key.split(":");
    const list = this.#sources[kind];
    return list !== undefined && /^\d{1,18}$/.test(id ?? "") ? `${list}${id}/` : null;
  }
}

/** The menu in which layers are chosen: filled each time that it opens. */
export function startLayerMenu(layers, { exchange, symbol }, changed) {
  const opener = document.getElementById("open-layers");
  if (opener === null) return;
  const menu = document.getElementById("layer-menu");
  const note = document.getElementById("layer-note");
  const say = (text) => {
    note.hidden = text === "";
    note.textContent = text;
  };
  const option = ({ key, title, detail }) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const words = document.createElement("span");
    const small = document.createElement("small");
    Object.assign(box, { type: "checkbox", checked: layers.has(key), className: "form-check-input" });
    label.className = "dropdown-item layer";
    words.textContent = title;
    small.textContent = detail;
    label.append(box, words, small);
    box.addEventListener("change", () => {
      const fits = layers.toggle(key);
      if (!fits) box.checked = false;
      say(fits ? "" : `At most ${MOST} at once: take one away first.`);
      changed();
    });
    return label;
  };
  opener.addEventListener("show.bs.dropdown", async () => {
    say("Looking…");
    try {
      const found = await layers.available(exchange, symbol);
      menu.replaceChildren(...found.map(option));
      say(found.length > 0 ? "" : "No bot and no backtest has traded this instrument.");
    } catch (error) {
      say(error.message);
    }
  });
}

/** The traces of layers over candles of `step` milliseconds. */
export function layerTraces(layers, step, colour) {
  return layers.flatMap((layer) => [
    ...layer.lines.map((line, number) => ({
      type: "scatter",
      mode: "lines",
      x: line.time,
      y: line.value,
      name: line.title,
      line: {
        width: 1,
        dash: "dot",
        shape: line.shape ?? "hv",
        color: colour(line.colour ?? LINES[number % LINES.length]),
      },
      connectgaps: false,
      hoverinfo: "skip",
    })),
    ...Object.keys(SYMBOLS).map((side) => marksTrace(layer, side, step, colour)),
  ]);
}

function marksTrace({ title, marks }, side, step, colour) {
  const rows = [...marks.time.keys()].filter((row) => marks.side[row] === side);
  return {
    type: "scatter",
    mode: "markers",
    // Candles stand at their open time, whatever happened within them.
    x: rows.map((row) => Math.floor(marks.time[row] / step) * step),
    y: rows.map((row) => marks.price[row]),
    name: title,
    marker: {
      symbol: SYMBOLS[side],
      size: side === "signal" ? 7 : 11,
      color: colour(COLOURS[side]),
      line: { width: 1, color: colour("surface") },
    },
    cliponaxis: false,
    hoverinfo: "skip",
  };
}

/** What layers say of the candle that opens at `time`, in words. */
export function layerNotes(layers, time, step) {
  return layers.flatMap(({ title, marks }) =>
    [...marks.time.keys()]
      .filter((row) => marks.time[row] >= time && marks.time[row] < time + step)
      .map((row) => `${title}: ${marks.text[row]}`),
  );
}
