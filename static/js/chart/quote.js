// The last price and the state of its feed in the head of the page, and the price in the tab's title.

import { FEEDS, feedOf, watchFeeds } from "../feeds.js";
import { direction, fixed, percent } from "../format.js";
import { stream } from "../stream.js";

export class Quote {
  #host = document.getElementById("quote");
  #last = document.getElementById("quote-last");
  #change = document.getElementById("quote-change");
  #feed = document.getElementById("feed");
  #title = document.title;
  #settings;
  #shown = null;

  /** `onTime` is called with the exchange's time, in ms, as any of its instruments tells it. */
  constructor(settings, onTime) {
    this.#settings = settings;
    const { exchange, symbol } = settings;
    stream.subscribe(`tickers:${exchange}`, ({ tickers }) => {
      if (tickers[symbol]) this.#take(tickers[symbol]);
      onTime(Math.max(...Object.values(tickers).map(({ time_ms: ms }) => ms)));
    });
    watchFeeds(() => this.#showFeed());
    stream.addEventListener("state", () => this.#host.classList.toggle("is-stale", stream.state !== "live"));
  }

  showLast(price) {
    if (price === this.#shown) return;
    this.#shown = price;
    const text = fixed(price, this.#settings.decimals);
    this.#last.textContent = text;
    document.title = `${text} ${this.#title}`;
  }

  /** A feed that is live needs no word: the price says it. */
  #showFeed() {
    const { feed: made, collector } = this.#feed.dataset;
    const { state, word, advice } = feedOf(collector, FEEDS[made]);
    this.#feed.hidden = state === "live";
    this.#feed.dataset.state = state;
    this.#feed.title = advice;
    const element = this.#feed.querySelector(".word");
    if (element.textContent !== word) element.textContent = word;
  }

  #take(ticker) {
    this.showLast(ticker.last);
    this.#change.textContent = percent(ticker.change_24h);
    this.#change.className = `num ${direction(ticker.change_24h)}`;
  }
}
