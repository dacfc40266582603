// The figures of a bot in the cells that show them, as its topic tells them.

import { direction, fixed, percent, time as timeText } from "../format.js";

const TONES = {
  created: "",
  starting: "busy",
  running: "good",
  paused: "warn",
  halted: "bad",
  stopping: "busy",
  stopped: "",
  error: "bad",
};
const LATE_MS = 90000;

/** An amount of quote currency; finer where it is small. */
export function money(value, isSigned = false) {
  if (value === undefined || value === null) return "";
  const decimals = Math.abs(value) >= 1 || value === 0 ? 2 : 4;
  return `${isSigned && value >= 0 ? "+" : ""}${fixed(value, decimals)}`;
}

/** Write a told row into the [data-cell] elements of `place`. */
export function fillCells(place, row) {
  const write = (name, text, tone) => {
    const cell = place.querySelector(`[data-cell="${name}"]`);
    if (cell === null) return;
    if (cell.textContent !== text) cell.textContent = text;
    if (tone === undefined) return;
    const coloured = cell.closest("td, dd") ?? cell;
    coloured.classList.remove("up", "down");
    if (tone !== "") coloured.classList.add(tone);
  };
  const state = place.querySelector('[data-cell="state"]');
  if (state !== null) {
    state.textContent = row.state[0].toUpperCase() + row.state.slice(1);
    state.dataset.tone = TONES[row.state];
  }
  if (row.equity !== undefined) {
    write("equity", money(row.equity));
    write("cash", money(row.cash));
    write("today", money(row.today, true), sign(row.today));
    write("total", money(row.total, true), sign(row.total));
    write("total_share", percent(row.total_share));
    write("unrealised", money(row.unrealised, true), sign(row.unrealised));
    write("drawdown", percent(row.drawdown).replace("+", ""));
    write("fees", money(row.fees));
    write("position", row.position === 0 ? nothing(place) : String(row.position).replace("-", "\u2212"));
  }
  if (row.last_candle_ms !== null) write("last_candle", timeText(row.last_candle_ms));
  const lag = place.querySelector('[data-cell="lag"]');
  if (lag === null) return;
  lag.textContent = row.lag_ms ? `+${span(row.lag_ms)}` : "";
  lag.classList.toggle("is-late", row.lag_ms > LATE_MS);
}

/** What stands in place of a position where there is none: its own word, or nothing. */
const nothing = (place) => place.querySelector('[data-cell="position"]')?.dataset.nothing ?? "";

const sign = (value) => direction(Math.abs(value) < 0.00005 ? 0 : value);

function span(ms) {
  if (ms >= 3600000) return `${(ms / 3600000).toPrecision(2)}\u202fh`;
  return ms >= 60000 ? `${Math.round(ms / 60000)}\u202fmin` : `${Math.round(ms / 1000)}\u202fs`;
}
