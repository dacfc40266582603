// The collectors: what each says of itself.

import { age, whole } from "../format.js";
import { make, nothing, state, table, unread } from "./elements.js";
import { isComparable, milliseconds } from "./tiles.js";

const TONES = { live: "good", starting: "busy", connecting: "busy", repairing: "busy", degraded: "warn", silent: "warn", stale: "warn", failed: "bad" };
const SILENT_MS = 20000;

export function collectorRows({ collectors, at_ms: now }) {
  if (!Array.isArray(collectors)) return [unread(collectors.error)];
  if (collectors.length === 0) {
    return [nothing("No collector yet: it is made when an instrument is switched on, on the Markets page.")];
  }
  const columns = [["Collector"], ["State"], ["Sockets"], ["Channels"], ["Messages", true], ["Lag p50 / p99", true], ["Waiting", true], ["Heartbeat", true], ["Restarts, 1 h", true]];
  return [table("Collectors", columns, collectors.map((one) => cells(one, now))), ...collectors.flatMap(trouble)];
}

function cells(one, now) {
  return [
    one.name,
    stateOf(one, now),
    make("span", { class: "sockets" }, ...one.sockets.map(({ name, is_live: isLive, channels }) => state(`${name} (${channels})`, isLive ? "good" : "warn"))),
    make("span", { class: "sockets" }, ...Object.entries(one.channels).map(([name, number]) => state(`${number} ${name}`, channelTone(name, one.channels)))),
    one.messages_s === null ? "–" : `${one.messages_s.toFixed(1)}/s`,
    lagOf(one),
    whole(one.waiting_trades),
    one.heartbeat_ms === null ? "–" : `${age(Math.max(0, now - one.heartbeat_ms))} ago`,
    whole(one.restarts_last_hour),
  ];
}

/** A quiet market is no trouble: silent channels beside others that speak. */
function channelTone(name, channels) {
  return name === "silent" && channels.live ? "" : TONES[name];
}

function stateOf(one, now) {
  const isWanted = one.desired === "running";
  if (one.state === "live" && now - (one.heartbeat_ms ?? 0) > SILENT_MS) return state("no sign of life", "bad");
  const isWorse = one.state === "live" && one.health !== "" && one.health !== "live";
  if (isWorse) return state(one.health, TONES[one.health]);
  return state(one.state, isWanted && one.state === "stopped" ? "warn" : TONES[one.state]);
}

function lagOf(one) {
  if (!isComparable(one)) return "own time";
  const { p50_ms: p50, p99_ms: p99 } = one.lag;
  return typeof p50 === "number" ? `${milliseconds(p50)} / ${milliseconds(p99)}` : "–";
}

/** What is wrong with it, in sentences. */
function trouble(one) {
  const told = [];
  if (one.last_error) told.push(["Last error", one.last_error]);
  if (one.holes) told.push(["Open holes", whole(one.holes)]);
  if (one.bad) told.push(["Inputs skipped", whole(one.bad)]);
  if (one.raw.dropped) told.push(["Raw messages dropped", whole(one.raw.dropped)]);
  const channels = one.troubled.map(({ symbol, channel, state: word }) => `${symbol} ${channel} ${word}`);
  if (channels.length) told.push(["Channels", channels.join(", ")]);
  if (told.length === 0) return [];
  return told.map(([what, text]) => make("p", { class: "trouble" }, make("strong", {}, `${one.name}: ${what} `), text));
}
