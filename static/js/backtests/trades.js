// The table of round trips: narrowed, sorted and turned without leaving the page; a row shows its
// trade on the chart.

import { Part } from "../part.js";

export class Trades {
  constructor(section, price) {
    this.section = section;
    this.price = price;
    this.part = new Part(section);
    this.shown = null; // the number of the trip that the chart shows
    this.part.onLoaded = () => this.mark();
    section.addEventListener("change", ({ target }) => target.form?.id === "trade-filters" && this.ask());
    section.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask();
    });
    section.addEventListener("click", (event) => this.onClick(event));
  }

  onClick(event) {
    const sort = event.target.closest("[data-sort]");
    const page = event.target.closest("[data-page]");
    const row = event.target.closest("tr[data-entry]");
    if (sort !== null || page !== null) {
      event.preventDefault();
      this.ask(sort?.dataset.sort, page?.dataset.page);
    } else if (row !== null) {
      this.show(row);
      this.price.chart.scrollIntoView({ block: "nearest", behavior: "smooth" });
    }
  }

  ask(sort, page) {
    const query = new URLSearchParams(new FormData(document.getElementById("trade-filters")));
    if (sort !== undefined) query.set("sort", sort);
    if (page !== undefined) query.set("page", page);
    return this.part.ask(query.toString());
  }

  show({ dataset }) {
    this.shown = dataset.trade;
    this.price.showTrip(Number(dataset.entry), Number(dataset.exit ?? dataset.entry));
    this.mark();
  }

  /** Go to the trip before or after the shown one, in the order of the table. */
  step(by) {
    const rows = [...this.section.querySelectorAll("tr[data-entry]")];
    if (rows.length === 0) return;
    const at = rows.findIndex(({ dataset }) => dataset.trade === this.shown);
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
    this.show(rows[next]);
  }

  mark() {
    for (const row of this.section.querySelectorAll("tr[data-entry]")) {
      row.toggleAttribute("aria-current", row.dataset.trade === this.shown);
    }
  }
}
