// Equity against buy and hold, and the drawdown below: the stored curve, and finer ones when a
// person zooms in.

import { notice } from "../notice.js";
import { fetchJson } from "../rest.js";
import { line, Lines } from "./lines.js";

const POINTS = 800;

export class EquityChart {
  constructor(section) {
    this.address = section.dataset.address;
    this.complain = notice("problem");
    this.whole = JSON.parse(document.getElementById("curve-figures").textContent);
    this.columns = this.whole;
    this.asked = 0;
    this.button = document.getElementById("equity-whole");
    this.button.addEventListener("click", () => this.showWhole());
    this.lines = new Lines(document.getElementById("curve"), (colour) => this.spec(colour));
    if (this.address !== undefined) this.lines.onZoom = (start, end) => this.zoom(start, end);
    this.lines.draw();
  }

  spec(colour) {
    const { time, equity, hold, drawdown } = this.columns;
    const money = { hovertemplate: "%{y:,.2f}" };
    const below = { yaxis: "y2", fill: "tozeroy", fillcolor: colour("down-soft"), hovertemplate: "%{y:.2%}" };
    return {
      traces: [
        line(time, hold, "Buy and hold", colour("line-2"), money),
        line(time, equity, "This strategy", colour("line-1"), money),
        line(time, drawdown, "Drawdown", colour("down"), below),
      ],
      axes: {
        yaxis: { domain: [0.3, 1], separatethousands: true, tickformat: ",.6~g" },
        yaxis2: { domain: [0, 0.24], tickformat: ".0%", nticks: 3 },
      },
    };
  }

  async zoom(start, end) {
    const number = ++this.asked;
    this.button.hidden = false;
    this.lines.show([start, end]);
    const query = new URLSearchParams({ start: Math.max(0, Math.floor(start)), end: Math.ceil(end), points: POINTS });
    try {
      const columns = await fetchJson(`${this.address}?${query}`);
      if (number !== this.asked) return;
      this.columns = columns;
      this.lines.draw();
      this.complain("");
    } catch (error) {
      this.complain(error.message);
    }
  }

  showWhole() {
    this.asked += 1;
    this.button.hidden = true;
    this.columns = this.whole;
    this.lines.show(null);
  }
}
