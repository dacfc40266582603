// What one looks at first: the figures that say whether anything is wrong.

import { age, size, whole } from "../format.js";
import { make } from "./elements.js";

const SLOW_MS = 1000; // a lag that people notice
const BEAT_OLD_S = 30;

export function tiles(health) {
  return [lagTile(health), rateTile(health), queueTile(health), beatTile(health), ...storeTiles(health)].map(
    ([title, value, note, tone]) =>
      make("div", { "data-tone": tone }, make("dt", {}, title), make("dd", { class: "num" }, value), make("dd", { class: "muted" }, note)),
  );
}

/** The lag of the slowest collector whose exchange has our time. */
function lagTile({ collectors }) {
  const title = "Lag, exchange to commit";
  if (!Array.isArray(collectors)) return [title, "–", "not known", "bad"];
  const real = collectors.filter((one) => isComparable(one) && typeof one.lag.p99_ms === "number");
  if (real.length === 0) return [title, "–", "no trade in the last minute, or simulated time"];
  const [p50, p99] = ["p50_ms", "p99_ms"].map((name) => Math.max(...real.map(({ lag }) => lag[name])));
  return [title, milliseconds(p50), `p99 ${milliseconds(p99)}, over the last minute`, p99 > SLOW_MS * 5 ? "bad" : p99 > SLOW_MS ? "warn" : undefined];
}

function rateTile({ collectors }) {
  if (!Array.isArray(collectors)) return ["Messages", "–", "not known", "bad"];
  const isKnown = collectors.some((one) => one.messages_s !== null);
  const messages = sum(collectors, (one) => one.messages_s ?? 0);
  const trades = sum(collectors, ({ lag }) => lag.trades_s ?? 0);
  return ["Messages", isKnown ? `${messages.toFixed(1)}/s` : "–", `${trades.toFixed(1)} trades a second stored`];
}

function queueTile({ queues, collectors }) {
  if (queues.error) return ["Queues", "–", queues.error, "bad"];
  const waiting = sum(Object.values(queues.depths), (depth) => depth);
  const trades = Array.isArray(collectors) ? sum(collectors, (one) => one.waiting_trades) : 0;
  return ["Queues", whole(waiting), `tasks waiting, and ${whole(trades)} trades`, waiting > 1000 ? "bad" : waiting > 100 ? "warn" : undefined];
}

function beatTile({ queues }) {
  if (queues.error) return ["Beat", "–", "not known", "bad"];
  const seconds = queues.beat_age_s;
  if (seconds === null) return ["Beat", "Never ran", "start it: nothing is swept or repaired", "bad"];
  return ["Beat", `${age(seconds * 1000)} ago`, "its last task was run", seconds > BEAT_OLD_S ? "bad" : undefined];
}

function storeTiles({ database, redis, disk }) {
  const free = disk.error ? 0 : disk.free_bytes / disk.bytes;
  return [
    database.error ? ["Database", "–", database.error, "bad"] : ["Database", size(database.bytes), `PostgreSQL ${database.version}`],
    redis.error
      ? ["Redis", "–", redis.error, "bad"]
      : ["Redis", size(redis.bytes), `${redis.max_bytes ? `of ${size(redis.max_bytes)}` : `peak ${size(redis.peak_bytes)}`}, ${whole(redis.clients)} clients, ${whole(redis.operations_s)}/s`],
    disk.error ? ["Disk", "–", disk.error, "bad"] : ["Disk free", size(disk.free_bytes), `of ${size(disk.bytes)}`, free < 0.05 ? "bad" : free < 0.15 ? "warn" : undefined],
  ];
}

/** A simulated exchange may keep a time of its own: its lag says nothing then. */
export function isComparable({ is_simulated: isSimulated, exchange_ms: exchange, heartbeat_ms: heartbeat }) {
  return !isSimulated || Math.abs((exchange ?? 0) - (heartbeat ?? 0)) < 60000;
}

export function milliseconds(value) {
  return value < 10000 ? `${whole(value)}\u202fms` : age(value);
}

function sum(list, figure) {
  return list.reduce((total, each) => total + figure(each), 0);
}
