// The form of a new backtest: parameters follow the strategy, coverage the instrument and range.

import { isAsServed } from "../forms.js";
import { notice } from "../notice.js";
import { fetchPart } from "../rest.js";

const PAUSE_MS = 300;

class NewBacktest {
  constructor(form) {
    this.form = form;
    this.asked = { parameters: 0, coverage: 0 };
    this.complain = { parameters: notice("problem"), coverage: notice("problem") };
    this.timer = null;
    form.addEventListener("change", ({ target }) => this.onChange(target.name));
    form.addEventListener("input", ({ target }) => isRange(target.name) && this.coverSoon());
    form.addEventListener("click", ({ target }) => this.onClick(target.closest("[data-start]")));
    form.addEventListener("submit", () => form.querySelector("button[type=submit]").setAttribute("disabled", ""));
    window.addEventListener("pageshow", () => form.querySelector("button[type=submit]").removeAttribute("disabled"));
    form.querySelector("[aria-invalid=true]")?.focus();
    this.catchUp();
  }

  /** Follow what was chosen before this script was there. */
  catchUp() {
    for (const name of ["strategy", "config", "instrument", "start", "end"]) {
      const field = this.form.elements[name];
      if (field !== undefined && !isAsServed(field)) this.onChange(name);
    }
  }

  onChange(name) {
    if (name === "strategy") this.loadParameters({ strategy: this.valueOf("strategy") });
    if (name === "config" && this.valueOf("config") !== "") this.loadParameters({ config: this.valueOf("config") });
    if (isRange(name)) this.coverSoon();
  }

  /** A suggested range. */
  onClick(button) {
    if (button === null) return;
    this.form.elements.start.value = button.dataset.start;
    this.form.elements.end.value = button.dataset.end;
    this.cover();
  }

  async loadParameters(query) {
    const element = document.getElementById("parameters");
    await this.replace("parameters", element, query);
    // The configuration says which candles it was made for.
    const { timeframe } = element.querySelector("[data-timeframe]")?.dataset ?? {};
    if (query.config !== undefined && timeframe) this.form.elements.timeframe.value = timeframe;
    element.querySelector(`[name=${query.config === undefined ? "strategy" : "config"}]`).focus();
  }

  coverSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.cover(), PAUSE_MS);
  }

  cover() {
    clearTimeout(this.timer);
    const query = Object.fromEntries(["instrument", "start", "end"].map((name) => [name, this.valueOf(name)]));
    return this.replace("coverage", document.getElementById("coverage"), query);
  }

  /** Fetch a part of the form; of several answers the last one asked for stays. */
  async replace(name, element, query) {
    const number = ++this.asked[name];
    try {
      const html = await fetchPart(`${this.form.dataset[name]}?${new URLSearchParams(query)}`);
      if (number === this.asked[name]) element.innerHTML = html;
      this.complain[name]("");
    } catch (error) {
      this.complain[name](error.message);
    }
  }

  valueOf(name) {
    return this.form.elements[name].value;
  }
}

const isRange = (name) => ["instrument", "start", "end"].includes(name);

const form = document.getElementById("new-backtest");
if (form !== null) new NewBacktest(form);
