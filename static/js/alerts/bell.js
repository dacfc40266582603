// The bell of every page: how many alerts nobody has acknowledged.

import { fetchJson } from "../rest.js";
import { stream } from "../stream.js";

export function startBell() {
  const bell = document.getElementById("bell");
  if (bell === null) return;
  const count = document.getElementById("bell-count");
  const show = ({ unseen }) => {
    count.textContent = String(unseen);
    count.hidden = unseen === 0;
    bell.ariaLabel = `Alerts: ${unseen} not acknowledged`;
  };
  stream.subscribe("alerts", async ({ alerts, has_owned: hasOwned }) => {
    // The message is everybody's: one's own alerts are counted for oneself only.
    try {
      show(hasOwned ? await fetchJson("/api/v1/alerts/counts/") : alerts);
    } catch {
      show(alerts);
    }
  });
}
