// The bell of every page: how many alerts nobody has acknowledged.

import { stream } from "../stream.js";

export function startBell() {
  const bell = document.getElementById("bell");
  if (bell === null) return;
  const count = document.getElementById("bell-count");
  stream.subscribe("alerts", ({ alerts }) => {
    count.textContent = String(alerts.unseen);
    count.hidden = alerts.unseen === 0;
    bell.ariaLabel = `Alerts: ${alerts.unseen} not acknowledged`;
  });
}
