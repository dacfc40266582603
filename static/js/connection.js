// The state of the live connection and the age of what the page shows, in words.

import { age } from "./format.js";
import { stream } from "./stream.js";

const WORDS = {
  connecting: ["connecting", "Connecting"],
  live: ["live", "Live"],
  stale: ["stale", "Feed interrupted"],
  offline: ["offline", "Offline, reconnecting"],
  paused: ["stale", "Paused"],
  login: ["offline", "Logged out"],
  full: ["offline", "Too many tabs open"],
};
// Younger data is called live without a number: a quiet market is not a fault.
const SILENT_MS = 5000;
const STALE_MS = 60000;

let topic;

/** Show the age of `name`'s last message beside the state. */
export function watchAge(name) {
  topic = name;
}

export function startConnection() {
  const element = document.getElementById("connection");
  if (element === null) return;
  stream.addEventListener("state", () => show(element));
  setInterval(() => show(element), 1000);
  show(element);
}

function show(element) {
  const [state, word] = WORDS[stream.state] ?? [];
  element.hidden = state === undefined;
  if (element.hidden) return;
  const ageMs = topic === undefined ? null : stream.ageMs(topic);
  const isOld = state === "live" && ageMs !== null && ageMs > STALE_MS;
  element.dataset.state = isOld ? "stale" : state;
  write("connection-word", isOld ? "No news" : word);
  write("connection-age", ageMs !== null && ageMs > SILENT_MS ? `${age(ageMs)} old` : "");
}

function write(id, text) {
  const element = document.getElementById(id);
  if (element.textContent !== text) element.textContent = text;
}
