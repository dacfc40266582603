// The columns of one window, and how to find things in them. Rows of gaps hold null.

export class Series {
  constructor(window) {
    this.window = window;
    this.columns = window.columns;
    this.time = window.columns.time;
    this.step = window.step_ms;
    this.incomplete = new Set(window.incomplete);
  }

  get length() {
    return this.time.length;
  }

  /** The number of rows that open before `ms`. */
  before(ms) {
    let low = 0;
    let high = this.time.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time[middle] < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The row nearest to `ms`, or -1 when there is none. */
  nearest(ms) {
    const after = this.before(ms);
    if (after === 0) return this.length > 0 ? 0 : -1;
    if (after === this.length) return this.length - 1;
    return ms - this.time[after - 1] <= this.time[after] - ms ? after - 1 : after;
  }

  /** The rows [first, last) whose candles touch the view. */
  visible(view) {
    return [this.before(view.start - this.step / 2), this.before(view.end + this.step / 2)];
  }

  /** The last row with a candle that opens before `ms`, or -1. */
  lastCandle(ms) {
    let row = this.before(ms) - 1;
    while (row >= 0 && !this.isCandle(row)) row -= 1;
    return row;
  }

  /** The open time of the last candle; -Infinity for none. */
  get lastTime() {
    const row = this.lastCandle(Infinity);
    return row < 0 ? -Infinity : this.time[row];
  }

  isCandle(row) {
    return this.columns.close[row] !== null && this.columns.close[row] !== undefined;
  }

  /** Leave out the rows from `ms` on: the forming candle is drawn apart. */
  cutFrom(ms) {
    const rows = this.before(ms);
    if (rows === this.length) return;
    for (const name of Object.keys(this.columns)) this.columns[name].length = rows;
  }

  /** The least and the greatest value of some columns in [first, last); null for none. */
  extent(names, first, last) {
    let low = Infinity;
    let high = -Infinity;
    for (const name of names) {
      const values = this.columns[name];
      if (values === undefined) continue;
      for (let row = first; row < last; row += 1) {
        const value = values[row];
        if (value === null || value === undefined) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return low <= high ? [low, high] : null;
  }
}
