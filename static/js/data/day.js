// One day of one instrument, below the heat map.

import { notice } from "../notice.js";
import { fetchPart } from "../rest.js";

export class DayPanel {
  constructor(element, pattern) {
    this.element = element;
    this.pattern = pattern;
    this.complain = notice("problem");
    this.shown = null; // { symbol, day }
    this.returnTo = null;
    element.addEventListener("click", (event) => event.target.closest("[data-close-day]") && this.close());
    element.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** Show a day; with `hasKeys` the focus goes there, and back when it is closed. */
  async open(symbol, day, hasKeys) {
    this.shown = { symbol, day };
    this.returnTo = hasKeys ? document.activeElement : null;
    remember({ symbol, day });
    await this.load();
    this.element.scrollIntoView({ block: "nearest" });
    if (hasKeys) this.element.focus();
  }

  /** Fetch the day that is shown again. */
  async load() {
    const shown = this.shown;
    if (shown === null) return;
    const names = { SYMBOL: encodeURIComponent(shown.symbol), DAY: shown.day };
    try {
      const html = await fetchPart(this.pattern.replace(/SYMBOL|DAY/g, (name) => names[name]));
      if (shown !== this.shown) return;
      this.element.innerHTML = html;
      this.element.hidden = false;
      this.complain("");
    } catch (error) {
      this.complain(error.message);
    }
  }

  close() {
    this.shown = null;
    this.element.hidden = true;
    this.element.replaceChildren();
    remember({});
    this.returnTo?.focus();
  }
}

/** The day that the address names; null without one. */
export function dayOfAddress() {
  const query = new URLSearchParams(window.location.search);
  const [symbol, day] = [query.get("instrument"), query.get("day")];
  return symbol !== null && /^\d{4}-\d\d-\d\d$/.test(day ?? "") ? { symbol, day } : null;
}

function remember({ symbol, day }) {
  const address = new URL(window.location.href);
  address.searchParams.delete("instrument");
  address.searchParams.delete("day");
  if (day !== undefined) {
    address.searchParams.set("instrument", symbol);
    address.searchParams.set("day", day);
  }
  window.history.replaceState(null, "", address);
}
