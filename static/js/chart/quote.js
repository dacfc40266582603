// The last price in the head of the page and in the tab's title.

import { direction, fixed, percent } from "../format.js";
import { stream } from "../stream.js";

export class Quote {
  #host = document.getElementById("quote");
  #last = document.getElementById("quote-last");
  #change = document.getElementById("quote-change");
  #title = document.title;
  #settings;
  #shown = null;

  constructor(settings) {
    this.#settings = settings;
    const { exchange, symbol } = settings;
    stream.subscribe(`tickers:${exchange}`, ({ tickers }) => tickers[symbol] && this.#take(tickers[symbol]));
    stream.addEventListener("state", () => this.#host.classList.toggle("is-stale", stream.state !== "live"));
  }

  showLast(price) {
    if (price === this.#shown) return;
    this.#shown = price;
    // A price has come: whatever the feed was when the page was made, it is there now.
    document.getElementById("feed")?.remove();
    const text = fixed(price, this.#settings.decimals);
    this.#last.textContent = text;
    document.title = `${text} ${this.#title}`;
  }

  #take(ticker) {
    this.showLast(ticker.last);
    this.#change.textContent = percent(ticker.change_24h);
    this.#change.className = `num ${direction(ticker.change_24h)}`;
  }
}
