// The candles in view as a table, newest first.

import { compact, fixed, time as timeText } from "../format.js";

const MOST_ROWS = 500;
const HEADS = ["Time (UTC)", "Open", "High", "Low", "Close", "Volume"];

/** Fill `panel` with a table of `candles`. */
export function showTable(panel, candles, { decimals, isDaily, base }) {
  const table = document.createElement("table");
  const caption = table.createCaption();
  const rows = candles.slice(-MOST_ROWS).reverse();
  const more = candles.length > rows.length ? `, the last ${rows.length}` : "";
  caption.textContent = `${candles.length} candles in view${more}; volume in ${base}`;
  const head = table.createTHead().insertRow();
  for (const text of HEADS) head.append(cell("th", text, "col"));
  const body = table.createTBody();
  for (const candle of rows) {
    const row = body.insertRow();
    row.append(cell("th", timeText(candle.time, isDaily), "row"));
    for (const name of ["open", "high", "low", "close"]) row.append(cell("td", fixed(candle[name], decimals)));
    row.append(cell("td", compact(candle.volume)));
  }
  panel.replaceChildren(table);
}

function cell(name, text, scope) {
  const element = document.createElement(name);
  if (scope !== undefined) element.scope = scope;
  element.textContent = text;
  return element;
}
