// How prices stand on the vertical axis: as they are, by their logarithm, or as a change in percent
// since the first candle in view. Kept in this browser.

import { fixed, percent } from "../format.js";

const KEY = "tcpd.scale.1";
const NAMES = ["price", "log", "percent"];
const TICKS = 7;

/** The scale this person chose last. */
export function keptScale() {
  try {
    const kept = localStorage.getItem(KEY);
    return NAMES.includes(kept) ? kept : "price";
  } catch {
    return "price";
  }
}

export function keepScale(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Storage is full or switched off: the choice lasts for this page.
  }
}

/** A scale by its name; `base` is the price that changes are measured from. */
export class PriceScale {
  constructor(name = "price", base = null) {
    this.isLog = name === "log";
    this.base = name === "percent" && base > 0 ? base : null;
  }

  /** Where `value` stands in [low, high], from 0 to 1. */
  share([low, high], value) {
    const [from, to, at] = this.isLog ? [low, high, value].map(Math.log) : [low, high, value];
    return (at - from) / (to - from);
  }

  /** The value that stands at `share`. */
  valueAt([low, high], share) {
    return this.isLog ? low * (high / low) ** share : low + share * (high - low);
  }

  /** [low, high] with free room below and above, as shares of the height. */
  widened([low, high], below, above) {
    if (this.isLog && low > 0 && high > low) return [low * (low / high) ** below, high * (high / low) ** above];
    const height = high - low || Math.abs(high) * 0.002 || 1;
    const widened = [low - height * below, high + height * above];
    return this.isLog ? [Math.max(widened[0], high * 1e-6), widened[1]] : widened;
  }

  /** A price as it is written beside the axis. */
  text(value, decimals) {
    return this.base === null ? fixed(value, decimals) : percent(value / this.base - 1);
  }

  /** What Plotly's axis of prices is to be over [low, high]. */
  axis([low, high]) {
    if (this.isLog) return { type: "log", range: [Math.log10(low), Math.log10(high)] };
    if (this.base === null) return { type: "linear", range: [low, high] };
    const changes = niceSteps(low / this.base - 1, high / this.base - 1);
    return {
      type: "linear",
      range: [low, high],
      tickmode: "array",
      tickvals: changes.map((change) => this.base * (1 + change)),
      ticktext: changes.map(percent),
    };
  }
}

/** Round numbers in [low, high], about TICKS of them. */
function niceSteps(low, high) {
  const rough = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
}
