// The candles in view as a table, newest first. It follows them cell by cell, so that whoever reads
// it, or has scrolled in it, is not thrown out.

import { compact, fixed, time as timeText } from "../format.js";

const MOST_ROWS = 500;
const HEADS = ["Time (UTC)", "Open", "High", "Low", "Close", "Volume"];
const PRICES = ["open", "high", "low", "close"];

export class CandleTable {
  #decimals;
  #base;
  #caption;
  #body;
  #rows = new Map(); // open time -> { element, cells, state, candle }
  #isDaily;

  /** An empty table in `panel`, of prices with `decimals` and volumes in `base`. */
  constructor(panel, { decimals, base }) {
    this.#decimals = decimals;
    this.#base = base;
    const table = document.createElement("table");
    this.#caption = table.createCaption();
    const head = table.createTHead().insertRow();
    for (const text of HEADS) head.append(cell("th", "col", text));
    this.#body = table.createTBody();
    panel.replaceChildren(table);
  }

  /** Show `candles`, given oldest first. */
  show(candles, isDaily) {
    const shown = candles.slice(-MOST_ROWS).reverse();
    const more = candles.length > shown.length ? `, the last ${shown.length}` : "";
    write(this.#caption, `${candles.length} candles in view${more}; volume in ${this.#base}`);
    this.#dropOthers(new Set(isDaily === this.#isDaily ? shown.map(({ time }) => time) : []));
    this.#isDaily = isDaily;
    let place = this.#body.firstElementChild;
    for (const candle of shown) {
      const row = this.#rows.get(candle.time) ?? this.#add(candle.time, isDaily);
      if (row.element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row.element, place);
      this.#fill(row, candle);
    }
  }

  #dropOthers(times) {
    for (const [time, { element }] of this.#rows) {
      if (times.has(time)) continue;
      element.remove();
      this.#rows.delete(time);
    }
  }

  #add(time, isDaily) {
    const element = document.createElement("tr");
    const cells = Object.fromEntries([...PRICES, "volume"].map((name) => [name, cell("td")]));
    const state = document.createElement("span");
    const head = cell("th", "row", timeText(time, isDaily));
    head.append(state);
    element.append(head, ...Object.values(cells));
    const row = { element, cells, state, candle: {} };
    this.#rows.set(time, row);
    return row;
  }

  #fill(row, candle) {
    for (const name of PRICES) {
      if (row.candle[name] !== candle[name]) write(row.cells[name], fixed(candle[name], this.#decimals));
    }
    if (row.candle.volume !== candle.volume) write(row.cells.volume, compact(candle.volume));
    write(row.state, candle.isForming ? " forming" : "");
    row.candle = candle;
  }
}

function cell(name, scope, text = "") {
  const element = document.createElement(name);
  if (scope !== undefined) element.scope = scope;
  element.textContent = text;
  return element;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
