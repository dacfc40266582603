// Keys on the focused chart.

/** Call an action of `actions` for each key people know from charts. */
export function listenToKeys(chart, actions, timeframes) {
  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? actions.step(-1) : actions.pan(-0.15)),
    ArrowRight: (event) => (event.shiftKey ? actions.step(1) : actions.pan(0.15)),
    "+": () => actions.zoom(0.7),
    "=": () => actions.zoom(0.7),
    "-": () => actions.zoom(1 / 0.7),
    Home: () => actions.toFirst(),
    End: () => actions.toNow(),
    f: () => actions.toggleFollow(),
    g: () => actions.openDate(),
    i: () => actions.openIndicators(),
    l: () => actions.toggleScale("log"),
    p: () => actions.toggleScale("percent"),
    s: () => actions.openSymbols(),
    t: () => actions.toggleTable(),
    "?": () => actions.openHelp(),
  };
  timeframes.forEach((name, index) => {
    keys[String(index + 1)] = () => actions.setTimeframe(name);
  });
  chart.addEventListener("keydown", (event) => {
    const isForButton = event.target !== chart || event.ctrlKey || event.metaKey || event.altKey;
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (isForButton || action === undefined) return;
    event.preventDefault();
    action(event);
  });
}
