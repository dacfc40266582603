// Line charts of results: the theme's colours, the look of all charts, drawn again when it changes.

import { onAppearance } from "../appearance.js";
import { palette } from "../chart/figure.js";

const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: false, responsive: false, showTips: false };
const STOPS = [
  { dtickrange: [null, 86399999], value: "%H:%M\n%-d %b" },
  { dtickrange: [86400000, "M1"], value: "%-d %b\n%Y" },
  { dtickrange: ["M1", "M12"], value: "%b\n%Y" },
  { dtickrange: ["M12", null], value: "%Y" },
];

/** A chart in `element`; `spec(colour)` returns its traces and vertical axes. */
export class Lines {
  #element;
  #spec;
  #range = null;
  #isPlanned = false;

  constructor(element, spec) {
    this.#element = element;
    this.#spec = spec;
    this.onZoom = null; // called with (start, end) in ms
    onAppearance(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(element);
  }

  /** Show [start, end] of time, or all for null. */
  show(range) {
    this.#range = range;
    this.draw();
  }

  draw() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    requestAnimationFrame(() => this.#draw());
  }

  async #draw() {
    this.#isPlanned = false;
    const isFirst = this.#element.dataset.drawn === undefined;
    const { traces, axes } = this.#spec(palette());
    await window.Plotly.react(this.#element, traces, this.#layout(axes), CONFIG);
    this.#element.dataset.drawn = String(Number(this.#element.dataset.drawn ?? 0) + 1);
    if (isFirst && this.onZoom !== null) this.#listen();
  }

  #listen() {
    this.#element.on("plotly_relayout", (event) => {
      const [from, to] = event["xaxis.range"] ?? [event["xaxis.range[0]"], event["xaxis.range[1]"]];
      if (from !== undefined) this.onZoom(toMs(from), toMs(to));
    });
  }

  #layout(axes) {
    const colour = palette();
    const isNarrow = this.#element.clientWidth < 640;
    const font = { family: "Inter, system-ui, sans-serif", size: isNarrow ? 10 : 11, color: colour("muted") };
    const grid = { gridcolor: colour("grid"), gridwidth: 1, zeroline: false, tickfont: font, ticks: "" };
    const made = Object.fromEntries(
      Object.entries(axes).map(([name, axis]) => [name, { side: "right", fixedrange: true, nticks: 6, ...grid, ...axis }]),
    );
    return {
      ...made,
      width: this.#element.clientWidth,
      height: this.#element.clientHeight,
      font,
      showlegend: false,
      margin: { l: 12, r: isNarrow ? 62 : 72, t: 6, b: 36, pad: 0 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      dragmode: this.onZoom === null ? false : "zoom",
      hovermode: "x unified",
      hoversubplots: "axis",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line-strong"), font: { ...font, color: colour("text") } },
      xaxis: { type: "date", anchor: Object.keys(axes).at(-1).replace("yaxis", "y"), ...grid, ...(this.#range === null ? { autorange: true } : { range: this.#range }), tickformatstops: STOPS, hoverformat: "%Y-%m-%d %H:%M", fixedrange: this.onZoom === null, nticks: isNarrow ? 4 : 9 },
    };
  }
}

/** A line of a chart. */
export function line(time, value, name, color, more = {}) {
  return { type: "scatter", mode: "lines", x: time, y: value, name, line: { width: 1.5, color }, connectgaps: false, ...more };
}

function toMs(value) {
  return typeof value === "number" ? value : Date.parse(`${value.replace(" ", "T")}${value.includes(":") ? "" : "T00:00"}Z`);
}
