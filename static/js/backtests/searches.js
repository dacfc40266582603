// The list of searches follows those that run.

import { Part } from "../part.js";
import { stream } from "../stream.js";

const section = document.getElementById("searches");
const stops = new Map();
const list = new Part(section);

function follow() {
  const rows = [...section.querySelectorAll("[data-topic]")].filter(({ dataset }) => ["waiting", "running", "paused"].includes(dataset.state));
  const wanted = new Set(rows.map(({ dataset }) => dataset.topic));
  for (const [topic, stop] of stops) {
    if (wanted.has(topic)) continue;
    stop();
    stops.delete(topic);
  }
  for (const { dataset } of rows) {
    if (stops.has(dataset.topic)) continue;
    let isFirst = true;
    stops.set(dataset.topic, stream.subscribe(dataset.topic, ({ search }) => {
      if (!isFirst || search.state !== dataset.state) list.soon();
      isFirst = false;
    }));
  }
}

list.onLoaded = follow;
follow();
