// Numbers and times as people read them. Times are UTC milliseconds.

const MINUS = "\u2212";
const NOTHING = "\u2013";
const SCALES = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "K"],
];

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A number with exactly `decimals` decimals and grouped thousands. */
export function fixed(value, decimals) {
  if (!isNumber(value)) return NOTHING;
  const text = value.toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return text.replace("-", MINUS);
}

/** A fraction as a signed percentage: 0.0123 as +1.23%. */
export function percent(value) {
  if (!isNumber(value)) return NOTHING;
  const rounded = Math.round(value * 10000) / 100 + 0;
  return `${rounded < 0 ? MINUS : "+"}${Math.abs(rounded).toFixed(2)}%`;
}

/** A large number in three or four digits: 1234567 as 1.23 M. */
export function compact(value) {
  if (!isNumber(value)) return NOTHING;
  const found = SCALES.find(([scale]) => Math.abs(value) >= scale);
  return found ? `${threeDigits(value / found[0])}\u202f${found[1]}` : threeDigits(value);
}

/** A number whose size is not known beforehand, such as an indicator's value. */
export function plain(value) {
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  const decimals = size >= 1000 ? 1 : size >= 1 ? 2 : size === 0 ? 0 : 2 - Math.floor(Math.log10(size));
  return fixed(value, Math.min(decimals, 10));
}

/** A share as a percentage: 100% means all of it, anything less is rounded down. */
export function share(value) {
  if (!isNumber(value)) return NOTHING;
  const percents = Math.floor(value * 10000 + 1e-9) / 100;
  return `${Number.isInteger(percents) ? percents : percents.toFixed(2)}%`;
}

/** A whole number with grouped thousands. */
export function whole(value) {
  return isNumber(value) ? value.toLocaleString("en-US") : NOTHING;
}

/** A number of bytes in three digits: 1234567 as 1.23 MB. */
export function size(value) {
  if (!isNumber(value)) return NOTHING;
  const scales = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
  const [scale, unit] = scales.find(([each]) => value >= each) ?? [1, "B"];
  return `${threeDigits(value / scale)}\u202f${unit}`;
}

/** "up", "down" or "" for the colour of a change. */
export function direction(value) {
  if (!isNumber(value) || Math.abs(value) < 0.00005) return "";
  return value > 0 ? "up" : "down";
}

/** 2026-11-22 12:34, or the date alone for candles of whole days. */
export function time(ms, isDaily = false) {
  const text = new Date(ms).toISOString();
  return isDaily ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

/** How old something is, coarsely: 4 s, 3 min, 2 h. */
export function age(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function threeDigits(value) {
  const size = Math.abs(value);
  const decimals = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return fixed(value, decimals);
}
