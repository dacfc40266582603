// The lines of values above each pane: of the candle under the cursor, else of the newest.

import { compact, direction, fixed, percent, plain, time as timeText } from "../format.js";

const MOST_NOTES = 6;

export class Legend {
  constructor(host, decimals) {
    this.host = host;
    this.decimals = decimals;
    this.lines = new Map();
  }

  /** Make one line for each pane of `figure`. */
  setFigure(figure) {
    this.host.replaceChildren();
    this.lines.clear();
    this.series = seriesOf(figure);
    for (const pane of figure.layout.meta.panes) {
      const line = document.createElement("div");
      line.className = "legend";
      this.host.append(line);
      this.lines.set(pane.key, line);
    }
  }

  place(geometry) {
    for (const pane of geometry.panes) {
      this.lines.get(pane.key).style.top = `${geometry.top(pane)}px`;
    }
  }

  /** Show `candle`: its figures, and `values` by column where they are known. */
  show(candle, values, { isDaily, isReading, isForming, isIncomplete, notes }) {
    for (const [key, line] of this.lines) line.replaceChildren(...this.#parts(key, candle, values));
    const price = this.lines.get("price");
    if (candle === null) return;
    price.classList.toggle("is-reading", isReading);
    price.prepend(part(timeText(candle.time, isDaily), [], "when"));
    if (isIncomplete) price.append(part("Minutes missing", [], "note"));
    if (isForming) price.append(part("forming", [], "forming"));
    price.append(...notes.slice(0, MOST_NOTES).map((text) => part(text, [], "did")));
  }

  #parts(key, candle, values) {
    const own = this.series.get(key) ?? [];
    const drawn = own.map((series) => this.#indicator(series, key, values));
    if (candle === null) return drawn;
    if (key === "price") return [...this.#prices(candle), ...drawn];
    if (key === "volume") return [part("Volume", [[compact(candle.volume), ""]])];
    return drawn;
  }

  #prices({ open, high, low, close }) {
    const change = open ? close / open - 1 : null;
    const name = direction(change);
    const shown = (label, value) => part(label, [[fixed(value, this.decimals), name]]);
    return [
      shown("O", open),
      shown("H", high),
      shown("L", low),
      shown("C", close),
      part("", [[percent(change), name]], "change"),
    ];
  }

  #indicator({ title, outputs }, key, values) {
    const shown = outputs.map(({ column, colour }) => {
      const value = values?.[column];
      return [key === "price" ? fixed(value, this.decimals) : plain(value), "", colour];
    });
    return part(title, shown);
  }
}

/** Group the figure's lines and histograms by pane, then by indicator. */
function seriesOf(figure) {
  const groups = new Map();
  const keys = new Map(figure.layout.meta.panes.map((pane) => [pane.axis, pane.key]));
  for (const trace of figure.data) {
    const { kind, column, colour } = trace.meta;
    if ((kind !== "line" && kind !== "bars") || column === "volume") continue;
    const key = keys.get(trace.yaxis ?? "y");
    const titled = groups.get(key) ?? [];
    groups.set(key, titled);
    let entry = titled.find((each) => each.title === trace.name);
    if (entry === undefined) titled.push((entry = { title: trace.name, outputs: [] }));
    if (entry.outputs.some((output) => output.column === column)) continue;
    entry.outputs.push({ column, colour: kind === "line" ? colour : null });
  }
  return groups;
}

function part(label, values, kind = "") {
  const element = document.createElement("span");
  element.className = `series ${kind}`;
  element.append(label);
  for (const [text, name, colour] of values) {
    const value = document.createElement("b");
    value.className = name;
    value.textContent = text;
    if (colour) value.style.color = `var(--${colour})`;
    element.append(" ", value);
  }
  return element;
}
