"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = 200;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }
  function layout(more) {
    const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), automargin: true };
    return {
      margin: { l: 60, r: 12, t: 8, b: 32 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("muted"), family: "system-ui, sans-serif", size: 12 },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("panel"), font: { color: colour("text") } },
      legend: { orientation: "h", x: 0, y: 1.12 },
      ...more,
      xaxis: { ...axis, ...more.xaxis },
      yaxis: { ...axis, ...more.yaxis },
    };
  }
  function draw() {
    const { time, equity, hold, drawdown } = data.curves;
    const dates = time.map((ms) => new Date(ms).toISOString());
    const line = (name, y, tint) => ({ type: "scatter", mode: "lines", name, x: dates, y, line: { color: tint, width: 1.4 } });
    const options = { responsive: true, displaylogo: false, displayModeBar: false };
    Plotly.react("equity", [line("Equity", equity, colour("accent")), line("Buy and hold", hold, colour("hold"))], layout({ xaxis: { type: "date" } }), options);
    Plotly.react("drawdown", [{ ...line("Drawdown", drawdown, colour("down")), fill: "tozeroy" }], layout({ xaxis: { type: "date" }, yaxis: { tickformat: ".1%" }, showlegend: false }), options);
    const middle = data.bins.map(([low, high]) => (low + high) / 2);
    const tint = middle.map((x) => colour(x < 0 ? "down" : "up"));
    const width = data.bins.map(([low, high]) => high - low);
    Plotly.react("bins", [{ type: "bar", name: "Round trips", x: middle, y: data.bins.map((bin) => bin[2]), width, marker: { color: tint } }], layout({ xaxis: { tickformat: ".2%" }, bargap: 0.05, hovermode: "closest" }), options);
  }

  const titles = { number: "#", side: "Side", entry_ms: "Entry", exit_ms: "Exit", quantity: "Quantity", entry_price: "In at", exit_price: "Out at", profit: "Profit", share: "Return", fees: "Fees", reason: "Ended by" };
  const place = Object.fromEntries(data.columns.map((name, index) => [name, index]));
  const time = (ms) => (ms === null ? "–" : new Date(ms).toISOString().slice(0, 16).replace("T", " "));
  const number = (digits) => (value) => (value === null ? "–" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: 8 - digits }));
  const shown = {
    entry_ms: time, exit_ms: time, entry_price: number(2), exit_price: number(2),
    profit: (value) => (value === null ? "open" : value.toFixed(2)),
    share: (value) => (value === null ? "–" : `${(value * 100).toFixed(2)}%`),
    fees: (value) => Number(value).toFixed(4),
    reason: (value) => value.replaceAll("_", " "),
  };
  const wanted = {
    won: (trip) => trip[place.profit] > 0, lost: (trip) => trip[place.profit] < 0,
    long: (trip) => trip[place.side] === "long", short: (trip) => trip[place.side] === "short",
  };
  const table = document.getElementById("trips");
  const which = document.getElementById("which");
  const more = document.getElementById("more");
  let sorted = { name: "number", down: false };
  let most = rows;

  function header() {
    const row = table.tHead.insertRow();
    for (const name of data.columns) {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      cell.scope = "col";
      button.type = "button";
      button.textContent = titles[name];
      button.addEventListener("click", () => {
        sorted = { name, down: sorted.name === name && !sorted.down };
        fill();
      });
      cell.append(button);
      row.append(cell);
    }
  }
  function fill() {
    const at = place[sorted.name];
    const value = (trip) => (at === place.quantity ? Number(trip[at]) : trip[at]);
    const trips = data.trips.filter(wanted[which.value] ?? (() => true));
    const sign = sorted.down ? -1 : 1;
    trips.sort((left, right) => (value(left) < value(right) ? -sign : value(left) > value(right) ? sign : 0));
    const body = document.createElement("tbody");
    for (const trip of trips.slice(0, most)) {
      const row = body.insertRow();
      data.columns.forEach((name, index) => {
        const cell = row.insertCell();
        cell.textContent = (shown[name] ?? String)(trip[index]);
        if (name === "profit" || name === "share") cell.className = trip[index] < 0 ? "down" : trip[index] > 0 ? "up" : "";
      });
    }
    table.tBodies[0].replaceWith(body);
    table.querySelectorAll("thead th").forEach((cell, index) => {
      cell.setAttribute("aria-sort", index === at ? (sorted.down ? "descending" : "ascending") : "none");
    });
    document.getElementById("count").textContent = trips.length.toLocaleString("en");
    more.hidden = trips.length <= most;
  }

  header();
  fill();
  draw();
  which.addEventListener("change", fill);
  more.addEventListener("click", () => { most += rows; fill(); });
  dark.addEventListener("change", draw);
})();
