// The arithmetic of what is visible: a view is { start, end } in UTC milliseconds.

// The most candles in view; beyond that the next longer ones are shown.
const MAX_VIEW = 400;
// Narrower ones run into each other.
const LEAST_PX = 2.5;
/** The most candles a chart holds: the view and what surrounds it. */
export const MAX_HELD = 800;
const FEWEST = 8;
// Windows begin and end on multiples of this many candles, so that the same ones are asked again.
const TILE = 16;
// Free room right of the newest candle, as a share of the width.
export const ROOM = 0.06;

export const span = (view) => view.end - view.start;

/** The most candles that a chart of `width` pixels shows. */
export const capacity = (width) => Math.min(MAX_VIEW, Math.max(60, Math.round(width / LEAST_PX)));

/** The length of the candles a view is shown with: the shortest that fits, not below `finest`. */
export function levelFor(levels, finest, spanMs, most) {
  const fitting = levels.find((level) => level >= finest && spanMs / level <= most);
  return fitting ?? levels[levels.length - 1];
}

/** The view with a width on both sides, or as much of it as a chart may hold. */
export function windowAround(view, level) {
  const candles = span(view) / level;
  const spare = MAX_HELD - 2 * TILE - 4;
  const margin = span(view) * Math.min(1, Math.max(0, (spare / candles - 1) / 2));
  const tile = level * TILE;
  const start = Math.max(0, Math.floor((view.start - margin) / tile) * tile);
  const end = Math.ceil((view.end + margin) / tile) * tile;
  return { start, end, points: Math.min(MAX_HELD, Math.max(10, (end - start) / level)) };
}

/** Whether `held` still serves: it has candles of `level`, and half a width surrounds the view. */
export function isServed(view, held, level, stretch) {
  if (level !== held.step_ms) return false;
  const candles = span(view) / held.step_ms;
  const margin = candles > MAX_HELD / 3 ? span(view) / 5 : span(view) / 2;
  const first = Math.max(view.start - margin, stretch.start);
  const last = Math.min(view.end + margin, stretch.end);
  return held.start_ms <= first && held.end_ms >= last;
}

/** The view of `spanMs` at the live edge. */
export function atEdge(edge, spanMs) {
  const end = edge + spanMs * ROOM;
  return { start: end - spanMs, end };
}

/** Move by a share of the width; positive is later. */
export function panned(view, share) {
  const shift = span(view) * share;
  return { start: view.start + shift, end: view.end + shift };
}

/** Make the view `factor` times as wide, the point at `share` of the width staying where it is. */
export function zoomed(view, factor, share) {
  const fixed = view.start + span(view) * share;
  const wide = span(view) * factor;
  return { start: fixed - wide * share, end: fixed + wide * (1 - share) };
}

/** The nearest view that shows something: neither too narrow nor off the stored stretch. */
export function confined(view, finest, stretch) {
  const widest = Math.max((stretch.end - stretch.start) * 1.3, FEWEST * 5 * finest);
  const wide = Math.min(Math.max(span(view), FEWEST * finest), widest);
  const middle = (view.start + view.end) / 2;
  let start = Math.round(span(view) === wide ? view.start : middle - wide / 2);
  start = Math.min(start, stretch.end - wide * 0.15);
  start = Math.max(start, stretch.start - wide * 0.85);
  return { start, end: start + wide };
}

/** The time as Plotly's events and our own code write it: milliseconds, or a date without zone. */
export function toMs(value) {
  if (typeof value === "number") return value;
  return Date.parse(`${value.replace(" ", "T")}${value.includes(":") ? "" : "T00:00"}Z`);
}
