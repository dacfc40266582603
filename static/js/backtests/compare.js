// Several runs over one another, each from 100%.

import { line, Lines } from "./lines.js";

const COLOURS = ["line-1", "line-2", "line-3", "line-4", "line-5", "line-6"];
const curves = JSON.parse(document.getElementById("compare-figures").textContent);

new Lines(document.getElementById("curves"), (colour) => ({
  traces: curves.map(({ title, place, time, value }) =>
    line(time, value, title, colour(COLOURS[place]), { hovertemplate: "%{y:.2%}" }),
  ),
  axes: { yaxis: { tickformat: ".0%" } },
})).draw();
