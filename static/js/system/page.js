// The System page: everything drawn from one message, the first of which came with the page.

import { time } from "../format.js";
import { stream } from "../stream.js";
import { collectorRows } from "./collectors.js";
import { connectionRows, statementRows, workerRows } from "./machine.js";
import { tiles } from "./tiles.js";

const OLD_MS = 30000;

let shown = null;

function show(health) {
  shown = health;
  replace(document.getElementById("tiles"), tiles(health));
  replaceRows("collectors", collectorRows(health));
  replaceRows("workers", workerRows(health));
  replaceRows("database", connectionRows(health.database));
  replaceRows("statements", statementRows(health.database));
  showAge();
}

function showAge() {
  const isOld = Date.now() - shown.at_ms > OLD_MS;
  const at = `${time(shown.at_ms)}:${String(new Date(shown.at_ms).getUTCSeconds()).padStart(2, "0")} UTC`;
  document.getElementById("system-time").textContent = isOld
    ? `as of ${at}: nothing newer comes, see whether beat and a worker run`
    : `as of ${at}`;
}

function replaceRows(id, elements) {
  replace(document.querySelector(`#${id} [data-rows]`), elements);
}

/** Put `elements` in place of what is there, unless nothing changed: a text may be selected. */
function replace(place, elements) {
  const kept = document.createElement("template");
  kept.content.append(...elements);
  if (place.innerHTML !== kept.innerHTML) place.replaceChildren(kept.content);
}

show(JSON.parse(document.getElementById("health").textContent));
stream.subscribe("health", ({ health }) => health.at_ms >= shown.at_ms && show(health));
setInterval(showAge, 5000);
