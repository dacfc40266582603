// Equity over time with the drawdown below it, drawn by Plotly in the colours of the theme.

import { palette } from "../chart/figure.js";
import { onAppearance } from "../appearance.js";

const CONFIG = { displayModeBar: false, scrollZoom: false, doubleClick: "reset", responsive: true, showTips: false };
const NARROW = 640;

export class Curve {
  #element;
  #columns = null;

  constructor(element) {
    this.#element = element;
    onAppearance(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(element);
  }

  /** Show columns of `time` (ms), `equity` and `drawdown` (a share, 0 or more). */
  show(columns) {
    this.#columns = columns;
    return this.#draw();
  }

  async #draw() {
    if (this.#columns === null || this.#element.clientWidth === 0) return;
    const colour = palette();
    const { time, equity, drawdown } = this.#columns;
    const line = (color) => ({ color, width: 1.5 });
    const data = [
      {
        type: "scatter", mode: "lines", x: time, y: equity, name: "Equity", line: line(colour("accent")),
        hovertemplate: "%{y:,.2f}<extra></extra>",
      },
      {
        type: "scatter", mode: "lines", x: time, y: drawdown.map((share) => -share), name: "Drawdown", yaxis: "y2",
        line: { ...line(colour("down")), width: 1 }, fill: "tozeroy", fillcolor: colour("down-soft"),
        hovertemplate: "%{y:.2%}<extra></extra>",
      },
    ];
    await window.Plotly.react(this.#element, data, this.#layout(colour), CONFIG);
    this.#element.dataset.drawn = String(time.length);
  }

  #layout(colour) {
    const isNarrow = this.#element.clientWidth < NARROW;
    const font = { family: "Inter, system-ui, sans-serif", size: isNarrow ? 10 : 11, color: colour("muted") };
    const axis = {
      side: "right", gridcolor: colour("grid"), zeroline: false, tickfont: font, fixedrange: true, nticks: isNarrow ? 4 : 6,
    };
    return {
      font,
      showlegend: false,
      dragmode: "zoom",
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("line-strong"), font: { ...font, color: colour("text") } },
      margin: { l: 0, r: isNarrow ? 54 : 72, t: 4, b: 32 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      width: this.#element.clientWidth,
      height: this.#element.clientHeight,
      xaxis: {
        type: "date", anchor: "y2", gridcolor: colour("grid"), tickfont: font, zeroline: false, hoverformat: "%Y-%m-%d %H:%M",
        nticks: isNarrow ? 4 : 8,
      },
      yaxis: { ...axis, domain: [0.34, 1], separatethousands: true, exponentformat: "none" },
      yaxis2: { ...axis, domain: [0, 0.28], tickformat: ".1%", rangemode: "tozero", nticks: 3 },
    };
  }
}
