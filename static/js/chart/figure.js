// The server's figure, filled with the columns of a window and the colours of the theme.

const HALF_BAR = 0.36; // as the server draws it: half a bar, as a share of the candle's length

/** The colours by their names in the style sheet. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

/** The traces of `figure` with the data of `series`. */
export function traces(figure, series, colour) {
  return figure.data.map((trace) => ({ ...trace, ...BINDERS[trace.meta.kind](trace, series, colour) }));
}

const BINDERS = {
  candles(trace, { time, columns }, colour) {
    const { open, high, low, close } = columns;
    const paint = (name) => ({ line: { width: 1, color: colour(name) }, fillcolor: colour(name) });
    return { x: time, open, high, low, close, increasing: paint("up"), decreasing: paint("down") };
  },
  bars(trace, series, colour) {
    const paint = colour(`${trace.meta.colour}-soft`);
    const line = { ...trace.line, color: paint };
    return { ...outline(series, trace.meta.column, trace.meta.colour), line, fillcolor: paint };
  },
  line(trace, { time, columns }, colour) {
    const line = { ...trace.line, color: colour(trace.meta.colour) };
    return { x: time, y: columns[trace.meta.column], line };
  },
  marks(trace, series, colour) {
    const rows = [...series.time.keys()].filter(
      (row) => series.incomplete.has(series.time[row]) && series.isCandle(row),
    );
    return {
      x: rows.map((row) => series.time[row]),
      y: rows.map((row) => series.columns.low[row]),
      marker: { ...trace.marker, color: colour(trace.meta.colour) },
    };
  },
};

/** Bars as one line along zero: a single node, where real bars would take two each. */
function outline({ time, columns, step }, column, colourName) {
  const values = columns[column];
  const isVolume = column === "volume";
  const half = Math.floor(step * HALF_BAR);
  const x = [];
  const y = [];
  for (let row = 0; row < time.length; row += 1) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const isUp = isVolume ? columns.close[row] >= columns.open[row] : value > 0;
    if (isUp !== (colourName === "up")) continue;
    const [left, right] = [time[row] - half, time[row] + half];
    x.push(left, left, right, right);
    y.push(0, value, value, 0);
  }
  return { x, y };
}

/** The layout of `figure` for a view: its ranges are always written, never left to Plotly. */
export function layout(figure, { view, ranges, gaps, colour, isNarrow, scale }) {
  const panes = figure.layout.meta.panes;
  const font = { family: "Inter, system-ui, sans-serif", size: isNarrow ? 10 : 11, color: colour("muted") };
  const grid = { gridcolor: colour("grid"), gridwidth: 1, tickfont: font };
  const made = {
    ...figure.layout,
    font,
    margin: margins(isNarrow),
    xaxis: { ...figure.layout.xaxis, ...grid, range: [view.start, view.end], tickformatstops: STOPS },
    shapes: [...shades(gaps, colour), ...guides(panes, colour), ...borders(panes, colour)],
  };
  for (const pane of panes) {
    const name = axisName(pane.axis);
    const range = ranges.get(pane.key);
    const axis = pane.key === "price" ? scale.axis(range) : { range };
    made[name] = { ...figure.layout[name], ...grid, ...ticks(pane, isNarrow), ...axis };
  }
  return made;
}

export const axisName = (axis) => `yaxis${axis.slice(1)}`;

/** The room around the panes in pixels; prices stand on the right. */
export function margins(isNarrow) {
  return { l: 0, r: isNarrow ? 62 : 72, t: 0, b: 36, pad: 0 };
}

const DAY = 86400000;
const STOPS = [
  { dtickrange: [null, DAY - 1], value: "%H:%M\n%-d %b" },
  { dtickrange: [DAY, "M1"], value: "%-d %b\n%Y" },
  { dtickrange: ["M1", "M12"], value: "%b\n%Y" },
  { dtickrange: ["M12", null], value: "%Y" },
];

function ticks(pane, isNarrow) {
  if (pane.guides.length > 1) return { tickmode: "array", tickvals: pane.guides };
  const nticks = pane.key === "price" ? (isNarrow ? 7 : 9) : 3;
  return { nticks, separatethousands: true, exponentformat: pane.key === "volume" ? "SI" : "none" };
}

const line = (color, dash) => ({ color, width: 1, dash });

function shades(gaps, colour) {
  return gaps.map(([x0, x1]) => ({
    type: "rect", layer: "below", xref: "x", yref: "paper", x0, x1, y0: 0, y1: 1,
    line: { width: 0 }, fillcolor: colour("gap-shade"),
  }));
}

function guides(panes, colour) {
  return panes.flatMap((pane) =>
    pane.guides.map((value) => ({
      type: "line", layer: "below", xref: "paper", yref: pane.axis, x0: 0, x1: 1, y0: value, y1: value,
      line: line(colour("line-strong"), "dot"),
    })),
  );
}

function borders(panes, colour) {
  return panes.slice(1).map((pane) => ({
    type: "line", layer: "below", xref: "paper", yref: "paper", x0: 0, x1: 1,
    y0: pane.domain[1] + 0.011, y1: pane.domain[1] + 0.011, line: line(colour("line"), "solid"),
  }));
}
