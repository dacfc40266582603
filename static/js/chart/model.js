// What the person looks at: symbol, timeframe, view, indicators, whether the chart follows.
// It is kept in the address, so that a reload or a sent link shows the same.

import { atEdge, capacity, confined, levelFor, span } from "./view.js";

const INDICATORS_COOKIE = "tcpd_indicators";
const YEAR_S = 31536000;

export class Model {
  constructor(settings) {
    this.settings = settings;
    this.timeframe = settings.timeframe;
    this.indicators = settings.indicators;
    this.layers = settings.layers;
    this.levels = settings.levels;
    this.stretch = { start: settings.stored[0], end: settings.stored[1] };
    this.isFollowing = settings.view === null;
    this.view = null;
    this.most = capacity(Infinity);
  }

  /** The length of the candles that the view is shown with. */
  get level() {
    return levelFor(this.levels, this.finest, span(this.view), this.most);
  }

  get finest() {
    return this.lengthOf(this.timeframe);
  }

  lengthOf(name) {
    return this.settings.timeframes.find((timeframe) => timeframe.name === name).ms;
  }

  /** The view of the address, or the newest candles that look well at this width. */
  start(width) {
    this.resize(width);
    const [start, end] = this.settings.view ?? [];
    const candles = Math.min(Math.max(Math.round(width / 8), 45), 240);
    if (start === undefined) this.view = atEdge(this.stretch.end, candles * this.finest);
    else this.view = confined({ start, end }, this.finest, this.stretch);
  }

  /** Take note of the chart's width in pixels. */
  resize(width) {
    this.most = capacity(width);
  }

  /** Look elsewhere; following ends unless `isFollowing` says otherwise. */
  look(view, isFollowing = false) {
    this.view = confined(view, this.finest, this.stretch);
    this.isFollowing = isFollowing;
  }

  /** Go to the live edge and stay there. */
  toNow(spanMs = span(this.view)) {
    this.look(atEdge(this.stretch.end, spanMs), true);
  }

  /** Take note of the end of the newest candle; return whether the view moved with it. */
  reach(edge) {
    const moved = edge - this.stretch.end;
    if (moved <= 0) return false;
    this.stretch.end = edge;
    if (!this.isFollowing) return false;
    this.view = { start: this.view.start + moved, end: this.view.end + moved };
    return true;
  }

  /** Change the timeframe: the time window stays as far as it can be shown with such candles. */
  setTimeframe(name) {
    const length = this.lengthOf(name);
    const wide = Math.min(Math.max(span(this.view), 40 * length), 0.95 * this.most * length);
    this.timeframe = name;
    if (this.isFollowing) this.toNow(wide);
    else this.look({ start: this.view.end - wide, end: this.view.end });
  }

  /** The shortest timeframe that shows `spanMs` well. */
  timeframeFor(spanMs) {
    const fitting = this.settings.timeframes.find(({ ms }) => spanMs / ms <= 0.75 * this.most);
    return (fitting ?? this.settings.timeframes.at(-1)).name;
  }

  /** Write all of it into the address; `isNew` makes a step that the back button undoes. */
  remember(isNew = false) {
    const query = new URLSearchParams({ indicators: this.indicators });
    if (this.layers !== "") query.set("layers", this.layers);
    if (!this.isFollowing) {
      query.set("start", Math.round(this.view.start));
      query.set("end", Math.round(this.view.end));
    }
    // Colons and commas may stand in a query as they are.
    const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
    const address = `${this.base}${this.timeframe}/?${text}`;
    if (isNew) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    const kept = encodeURIComponent(this.indicators);
    document.cookie = `${INDICATORS_COOKIE}=${kept}; path=/chart/; max-age=${YEAR_S}; samesite=lax`;
  }

  get base() {
    const { exchange, symbol } = this.settings;
    return `/chart/${encodeURIComponent(exchange)}/${encodeURIComponent(symbol)}/`;
  }
}
