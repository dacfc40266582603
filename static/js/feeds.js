// How instruments' feeds are: what their collectors say of themselves, for as long as this page
// hears them. The words are the server's.

import { stream } from "./stream.js";

const settings = JSON.parse(document.getElementById("feeds").textContent);
// This computer's clock may be wrong: ages are told by the server's.
const clockLag = settings.now_ms - Date.now();
const told = new Map(); // name of a collector -> { state, heartbeat_ms }
let isSettled = false; // whether the first attempt to connect has ended

export const FEEDS = settings.feeds;

/** Call `onChange` whenever collectors tell something, or the connection comes or goes. */
export function watchFeeds(onChange) {
  stream.subscribe("collectors", ({ collectors }) => {
    told.clear();
    for (const each of collectors) told.set(each.name, each);
    onChange();
  });
  stream.addEventListener("state", () => {
    isSettled ||= stream.state !== "connecting" && stream.state !== "idle";
    onChange();
  });
}

/** Whether what is told can reach this page; true while one that was just made connects. */
export const isConnected = () => stream.state === "live" || !isSettled;

/** The feed of the instruments of `collector`; `made` is the one the page was made with. */
export function feedOf(collector, made) {
  const row = told.get(collector);
  if (row === undefined || made.key === "off") return made;
  const isSilent = row.heartbeat_ms === null || Date.now() + clockLag - row.heartbeat_ms > settings.silent_ms;
  if (row.state === "live" && isSilent) return FEEDS.silent;
  return FEEDS[row.state] ?? FEEDS.silent;
}
