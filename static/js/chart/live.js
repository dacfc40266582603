// The candles that are newer than what the server has sent: closed ones until a window holds them,
// and the forming one.

import { stream } from "../stream.js";

// While a person looks at the past nothing takes the closed ones over.
const MOST = 100;

export class LiveCandles {
  #topic = "";
  #stop = null;
  #candles = new Map(); // open time -> candle
  #on;

  /** `on.update()` after each message, `on.closed()` when stored candles are to be fetched again. */
  constructor(on) {
    this.#on = on;
  }

  /** Drop the candles of a series that is not `topic`. */
  forgetOther(topic) {
    if (topic === this.#topic) return;
    this.#stop?.();
    this.#stop = null;
    this.#candles.clear();
    this.#topic = topic;
  }

  /** Listen to a series of candles instead of the one before. */
  follow(topic) {
    this.forgetOther(topic);
    if (this.#stop !== null) return;
    this.#stop = stream.subscribe(topic, (message, { isResync }) => this.#take(message, isResync));
  }

  /** Forget what a window holds that was asked for at `askedAt` and ends with the candle `lastMs`. */
  settle(lastMs, askedAt) {
    for (const [time, candle] of this.#candles) {
      const isHeld = time === lastMs && !candle.isForming && candle.cameAt < askedAt;
      if (time < lastMs || isHeld) this.#candles.delete(time);
    }
  }

  /** The candles, oldest first. */
  list() {
    return [...this.#candles.values()].sort((a, b) => a.time - b.time);
  }

  #take(message, isResync) {
    const [time, open, high, low, close, volume, closed] = message.candle;
    const cameAt = performance.now();
    this.#candles.set(time, { time, open, high, low, close, volume, cameAt, isForming: closed === 0 });
    if (this.#candles.size > MOST) this.#candles.delete(this.#candles.keys().next().value);
    this.#on.update();
    if (closed === 1 || isResync) this.#on.closed();
  }
}
