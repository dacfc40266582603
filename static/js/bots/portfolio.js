// The Portfolio page: the curve of all bots, and figures that follow what is told of them.

import { complaining } from "../notice.js";
import { Part } from "../part.js";
import { fetchJson } from "../rest.js";
import { stream } from "../stream.js";
import { Curve } from "./curve.js";

const REST_MS = 5000; // everything is summed anew, so not with every candle of every bot

const figures = document.getElementById("figures");
const part = new Part(figures);
const curve = new Curve(document.getElementById("curve"));
let timer = null;

const load = complaining(async () => {
  timer = null;
  const portfolio = await fetchJson(figures.dataset.curve);
  await Promise.all([curve.show(portfolio.curve), part.load()]);
});

function later() {
  if (!document.hidden) timer ??= setTimeout(load, REST_MS);
}

stream.subscribe(figures.dataset.topic, later, later);
curve.show(JSON.parse(document.getElementById("portfolio-curve").textContent));
