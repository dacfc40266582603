// The heat map: a row for each instrument, a cell for each UTC day, on one canvas.

import { onAppearance } from "../appearance.js";
import { share, time, whole } from "../format.js";

const DAY_MS = 86400000;
const ROW_PX = 22;
const GAP_PX = 4;
const HEAD_PX = 18;
const MOST_PX = 36;
const WORDS = new Map(); // letter of a kind -> its word in the legend

export class HeatMap {
  /** `open(symbol, day, hasKeys)` is called for a cell that is chosen. */
  constructor(element, open) {
    this.open = open;
    this.cursor = null; // { row, day } under the pointer or the keys
    this.data = null;
    for (const item of document.querySelectorAll(".legend [data-kind]")) {
      WORDS.set(item.dataset.kind, item.textContent.trim());
    }
    this.build(element);
    this.listen();
  }

  build(element) {
    this.names = make("ul", "heat-names");
    this.scroll = make("div", "heat-scroll");
    this.shares = make("ul", "heat-shares");
    this.canvas = make("canvas", "heat-canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.tip = make("div", "heat-tip");
    this.tip.hidden = true;
    this.reading = make("p", "visually-hidden");
    this.reading.setAttribute("aria-live", "polite");
    this.scroll.append(this.canvas);
    element.replaceChildren(this.names, this.scroll, this.shares, this.tip, this.reading);
    this.element = element;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("click", (event) => {
      this.point(event);
      this.choose(false);
    });
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("blur", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
    onAppearance(() => this.draw());
  }

  show(data) {
    const isFirst = this.data === null;
    this.data = data;
    this.names.replaceChildren(...data.rows.map((row) => nameOf(row)));
    const head = make("li", "heat-head");
    head.append(textOf("there", ""), textOf("verified", ""));
    this.shares.replaceChildren(head, ...data.rows.map((row) => sharesOf(row)));
    const rows = `${data.rows.length} instruments and ${data.days} days`;
    this.canvas.setAttribute(
      "aria-label",
      `Coverage of ${rows}. Arrow keys move through days and instruments, Enter opens a day. The same is below as a table.`,
    );
    this.draw();
    // The newest days are what one looks for first.
    if (isFirst) this.scroll.scrollLeft = this.scroll.scrollWidth;
  }

  draw() {
    if (this.data === null) return;
    const { days, rows } = this.data;
    const least = matchMedia("(pointer: coarse)").matches ? 7 : 2.5;
    this.width = Math.min(MOST_PX, Math.max(least, this.scroll.clientWidth / days));
    const [wide, high] = [Math.ceil(this.width * days), HEAD_PX + rows.length * ROW_PX];
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(wide * scale);
    this.canvas.height = Math.round(high * scale);
    this.canvas.style.setProperty("width", `${wide}px`);
    this.canvas.style.setProperty("height", `${high}px`);
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    this.colours = coloursOf(this.element);
    this.drawMonths(pen);
    rows.forEach((row, number) => this.drawRow(pen, row, number));
    if (this.cursor !== null) this.drawCursor(pen);
  }

  drawMonths(pen) {
    const { days, first_ms: first } = this.data;
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = this.colours.text;
    let free = 0;
    for (let day = 0; day < days; day += 1) {
      const date = new Date(first + day * DAY_MS);
      const x = day * this.width;
      if ((date.getUTCDate() !== 1 && day > 0) || x < free) continue;
      const isYear = date.getUTCMonth() === 0 || day === 0;
      const text = date.toLocaleDateString("en-GB", { month: "short", year: isYear ? "numeric" : undefined, timeZone: "UTC" });
      const wide = pen.measureText(text).width;
      if (x + wide > this.width * days) break;
      pen.fillText(text, x, 11);
      free = x + wide + 12;
    }
  }

  drawRow(pen, row, number) {
    const [y, high] = [HEAD_PX + number * ROW_PX + GAP_PX / 2, ROW_PX - GAP_PX];
    const gap = this.width >= 6 ? 1 : 0;
    // Neighbours of one kind are one rectangle where cells touch: a year is some strokes.
    for (let day = 0; day < row.states.length; ) {
      const kind = row.states[day];
      let end = day + 1;
      while (gap === 0 && end < row.states.length && row.states[end] === kind) end += 1;
      const [x, wide] = [day * this.width, (end - day) * this.width - gap];
      pen.fillStyle = this.colours[kind];
      pen.fillRect(x, y, wide, high);
      // Not by its colour alone.
      if (kind === "m") {
        pen.fillStyle = this.colours.mark;
        pen.fillRect(x, y + high / 2 - 1, wide, 2);
      }
      day = end;
    }
  }

  drawCursor(pen) {
    const { row, day } = this.cursor;
    pen.strokeStyle = this.colours.strong;
    pen.lineWidth = 2;
    const wide = Math.max(this.width, 4);
    pen.strokeRect(day * this.width - (wide - this.width) / 2, HEAD_PX + row * ROW_PX + 1, wide, ROW_PX - 2);
  }

  point(event) {
    this.move(event === null ? null : this.cellAt(event));
    if (event !== null && this.cursor !== null) this.showTip(event.clientX, event.clientY);
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const day = Math.floor((event.clientX - box.left) / this.width);
    const row = Math.floor((event.clientY - box.top - HEAD_PX) / ROW_PX);
    return row >= 0 && row < this.data.rows.length && day >= 0 && day < this.data.days ? { row, day } : null;
  }

  move(cursor) {
    const isSame = cursor?.row === this.cursor?.row && cursor?.day === this.cursor?.day;
    this.cursor = cursor;
    this.tip.hidden = cursor === null;
    if (!isSame) this.draw();
  }

  press(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const { rows, days } = this.data;
    if (event.key === "Enter" && this.cursor !== null) {
      event.preventDefault();
      this.choose(true);
    } else if (event.key in steps) {
      event.preventDefault();
      const [down, right] = steps[event.key];
      const { row, day } = this.cursor ?? { row: 0, day: days - 1 - right };
      this.move({ row: within(row + down, rows.length), day: within(day + right, days) });
      const box = this.canvas.getBoundingClientRect();
      this.showTip(box.left + (this.cursor.day + 0.5) * this.width, box.top + HEAD_PX + this.cursor.row * ROW_PX);
      this.scroll.scrollLeft = (this.cursor.day + 0.5) * this.width - this.scroll.clientWidth / 2;
      this.reading.textContent = this.describe();
    }
  }

  choose(hasKeys) {
    if (this.cursor === null) return;
    this.open(this.data.rows[this.cursor.row].symbol, dateOf(this.data, this.cursor.day), hasKeys);
  }

  showTip(x, y) {
    this.tip.textContent = this.describe();
    const box = this.element.getBoundingClientRect();
    const left = Math.min(Math.max(x - box.left - this.tip.offsetWidth / 2, 0), box.width - this.tip.offsetWidth);
    this.tip.style.setProperty("left", `${left}px`);
    this.tip.style.setProperty("top", `${y - box.top + ROW_PX}px`);
  }

  describe() {
    const { row: number, day } = this.cursor;
    const row = this.data.rows[number];
    const missing = row.missing[day];
    const more = missing === undefined ? "" : `, ${whole(missing)} minutes`;
    return `${row.symbol}, ${dateOf(this.data, day)}: ${WORDS.get(row.states[day])}${more}`;
  }
}

/** Fill the table that says the same as the map. */
export function fillTable(table, data) {
  const kinds = [...WORDS.keys()];
  table.tBodies[0].replaceChildren(
    ...data.rows.map((row) => {
      const line = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = row.symbol;
      const figures = [share(row.complete_share), share(row.verified_share), ...kinds.map((kind) => whole(row.days[kind] ?? 0))];
      line.append(name, ...figures.map((text) => textOf(text, "num", "td")));
      return line;
    }),
  );
}

function dateOf(data, day) {
  return time(data.first_ms + day * DAY_MS, true);
}

function within(number, count) {
  return Math.min(Math.max(number, 0), count - 1);
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const named = (name) => style.getPropertyValue(name).trim();
  const kinds = Object.fromEntries([...WORDS.keys()].map((kind) => [kind, named(`--cover-${kind}`)]));
  return { ...kinds, mark: named("--cover-mark"), text: named("--faint"), strong: named("--text-strong") };
}

function nameOf(row) {
  const item = make("li", row.is_enabled ? "" : "is-off");
  item.textContent = row.symbol;
  if (!row.is_enabled) item.title = "It is not being collected.";
  return item;
}

function sharesOf(row) {
  const item = document.createElement("li");
  item.append(textOf(share(row.complete_share), "num"), textOf(share(row.verified_share), "num muted"));
  return item;
}

function textOf(text, className, tag = "span") {
  const element = make(tag, className);
  element.textContent = text;
  return element;
}

function make(tag, className) {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  return element;
}
