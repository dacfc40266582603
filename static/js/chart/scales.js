// The vertical range of each pane, from what is visible: Plotly does not do this.

import { PriceScale } from "./price_scale.js";

// Shares of the height; above there is room for the line of values.
const ABOVE = 0.14;
const BELOW = 0.06;
const LINEAR = new PriceScale();

/** Map each pane's key to [low, high] for the rows in view and the candles not yet in them. */
export function paneRanges(panes, series, view, live, scale) {
  const [first, last] = series.visible(view);
  const ranges = new Map();
  for (const pane of panes) {
    ranges.set(pane.key, pane.scale ?? followed(pane, series, first, last, seen(live, view, series), scale));
  }
  return ranges;
}

/** Whether the newest price would be drawn outside of its pane. */
export function isOutside(range, candle) {
  return range !== undefined && (candle.high > range[1] || candle.low < range[0]);
}

function seen(live, view, series) {
  return live.filter((candle) => candle.time + series.step / 2 > view.start && candle.time < view.end);
}

function followed(pane, series, first, last, live, scale) {
  const found = series.extent(pane.columns, first, last);
  const values = found === null ? [] : [...found];
  if (pane.key === "price") for (const candle of live) values.push(candle.low, candle.high);
  if (pane.key === "volume") for (const candle of live) values.push(candle.volume);
  if (values.length === 0) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (pane.key === "volume") return [0, high > 0 ? high * 1.15 : 1];
  if (pane.guides.includes(0)) return around(Math.max(Math.abs(low), Math.abs(high)));
  return (pane.key === "price" ? scale : LINEAR).widened([low, high], BELOW, ABOVE);
}

function around(size) {
  const reach = size * 1.15 || 1;
  return [-reach, reach];
}
