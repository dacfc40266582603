// The controls around the chart: they show what is looked at, and change it.

import { keepScale, keptScale } from "./price_scale.js";
import { CandleTable } from "./table.js";
import { span } from "./view.js";

export class Toolbar {
  #page;
  #follow = document.getElementById("follow");
  #jump = document.querySelector("tcp-chart .jump");
  #level = document.getElementById("level");
  #panel = document.getElementById("table-panel");
  #table;
  #scale;
  #scales = document.querySelectorAll("#scales [data-scale]");
  #tableButton = document.getElementById("toggle-table");

  constructor(page) {
    this.#page = page;
    this.#table = new CandleTable(this.#panel, page.settings);
    this.#follow.addEventListener("click", () => page.toggleFollow());
    this.#tableButton.addEventListener("click", () => this.toggleTable());
    document.getElementById("open-indicators").addEventListener("click", () => page.openIndicators());
    document.getElementById("open-help").addEventListener("click", () => page.openHelp());
    this.#listenToTimeframes();
    this.#listenToRanges();
    this.#listenToSteps();
    for (const button of this.#scales) button.addEventListener("click", () => this.toggleScale(button.dataset.scale));
    this.#listenToDate();
    this.#listenToSymbols();
    this.#listenToExports();
    for (const button of document.querySelectorAll("dialog [data-close]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
  }

  set isBusy(isBusy) {
    this.#page.chart.querySelector(".busy").hidden = !isBusy;
    this.#page.chart.setAttribute("aria-busy", String(isBusy));
  }

  /** Bring all controls up to what is looked at. */
  show() {
    const { model, chart } = this.#page;
    for (const link of document.querySelectorAll("#timeframes [data-timeframe]")) {
      if (link.dataset.timeframe === model.timeframe) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const held = chart.series?.window;
    if (held !== undefined) {
      const isAuto = held.timeframe !== model.timeframe;
      this.#level.textContent = isAuto ? `${held.timeframe} (auto)` : "";
      this.#level.dataset.auto = isAuto ? "1" : "0";
      this.#level.title = isAuto ? `Too much time for ${model.timeframe} candles: each is ${held.timeframe}` : "";
    }
    this.#keepSymbolLinks();
    this.showLive();
  }

  /** Bring up to the newest candle what shows it. */
  showLive() {
    this.#showFollowing();
    if (!this.#panel.hidden) this.#fillTable();
  }

  /** Whether the chart follows, and the way back to now once the newest candle is out of view. */
  #showFollowing() {
    const { model, chart } = this.#page;
    const pressed = String(model.isFollowing);
    if (this.#follow.getAttribute("aria-pressed") !== pressed) this.#follow.setAttribute("aria-pressed", pressed);
    this.#jump.hidden = model.isFollowing || model.view.end >= model.stretch.end - chart.series.step;
  }

  startScale() {
    this.#setScale(keptScale());
  }

  /** Show prices by a scale; by the usual one when that is shown already. */
  toggleScale(name) {
    this.#setScale(this.#scale === name ? "price" : name);
    keepScale(this.#scale);
  }

  #setScale(name) {
    this.#scale = name;
    this.#page.chart.setScale(name);
    for (const button of this.#scales) button.setAttribute("aria-pressed", String(button.dataset.scale === name));
  }

  read(candle) {
    document.getElementById("chart-reading").textContent = this.#page.describe(candle);
  }

  toggleTable() {
    this.#panel.hidden = !this.#panel.hidden;
    this.#tableButton.setAttribute("aria-pressed", String(!this.#panel.hidden));
    if (this.#panel.hidden) return;
    this.#fillTable();
  }

  openDate() {
    window.bootstrap.Dropdown.getOrCreateInstance(document.getElementById("open-date")).show();
  }

  openSymbols() {
    window.bootstrap.Dropdown.getOrCreateInstance(document.getElementById("symbol-button")).show();
  }

  #fillTable() {
    const { chart } = this.#page;
    this.#table.show(chart.visibleCandles(), chart.series.step >= 86400000);
  }

  #listenToTimeframes() {
    document.getElementById("timeframes").addEventListener("click", (event) => {
      const link = event.target.closest("[data-timeframe]");
      if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#page.setTimeframe(link.dataset.timeframe);
    });
  }

  #listenToRanges() {
    document.getElementById("ranges").addEventListener("click", (event) => {
      const button = event.target.closest("[data-hours]");
      if (button !== null) this.#page.showLast(button.dataset.hours);
    });
  }

  /** What dragging, pinching and the wheel do, for who uses one key or one finger. */
  #listenToSteps() {
    document.getElementById("steps").addEventListener("click", (event) => {
      const { pan, zoom } = event.target.closest("button")?.dataset ?? {};
      if (pan !== undefined) this.#page.pan(Number(pan));
      if (zoom !== undefined) this.#page.zoom(Number(zoom));
    });
  }

  #listenToDate() {
    const button = document.getElementById("open-date");
    const field = document.getElementById("go-to-date");
    button.addEventListener("shown.bs.dropdown", () => {
      const { view, stretch } = this.#page.model;
      field.value = new Date(view.start + span(view) / 2).toISOString().slice(0, 16);
      field.min = new Date(stretch.start).toISOString().slice(0, 16);
      field.max = new Date(stretch.end).toISOString().slice(0, 16);
      field.focus();
    });
    document.getElementById("go-to").addEventListener("submit", (event) => {
      event.preventDefault();
      // The field holds a time without a zone; charts are in UTC.
      this.#page.toDate(Date.parse(`${field.value}Z`));
      window.bootstrap.Dropdown.getInstance(button).hide();
      this.#page.chart.focus({ preventScroll: true });
    });
  }

  #listenToSymbols() {
    const filter = document.getElementById("symbol-filter");
    const links = [...document.querySelectorAll("#symbol-list [data-symbol]")];
    const shown = () => links.filter((link) => !link.parentElement.hidden);
    document.getElementById("symbol-button").addEventListener("shown.bs.dropdown", () => filter.focus());
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const link of links) {
        link.parentElement.hidden = !link.dataset.symbol.toLowerCase().includes(wanted);
      }
    });
    filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && shown().length > 0) window.location.assign(shown()[0].href);
    });
  }

  /** Another symbol is shown over the same time, with the same candles. */
  #keepSymbolLinks() {
    const { model } = this.#page;
    for (const link of document.querySelectorAll("#symbol-list [data-symbol]")) {
      const address = new URL(link.href);
      address.pathname = address.pathname.replace(/[^/]+\/$/, `${model.timeframe}/`);
      address.search = model.isFollowing ? "" : window.location.search;
      link.href = address.href;
    }
  }

  #listenToExports() {
    for (const link of document.querySelectorAll("[data-export]")) {
      link.addEventListener("click", () => {
        link.href = this.#page.exportAddress(link.dataset.export);
      });
    }
  }
}
