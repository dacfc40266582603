// Dark or light, and the colours of candles: kept in this browser (theme.js applies them first).

const KEY = "tcpd.appearance.1";
const root = document.documentElement;

export function startAppearance() {
  document.getElementById("theme-toggle")?.addEventListener("click", () => {
    root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
    keep();
  });
  const candles = document.getElementById("candle-colours");
  candles?.setAttribute("aria-pressed", String(root.dataset.candles === "blue"));
  candles?.addEventListener("click", () => {
    if (root.dataset.candles === "blue") delete root.dataset.candles;
    else root.dataset.candles = "blue";
    candles.setAttribute("aria-pressed", String(root.dataset.candles === "blue"));
    keep();
  });
}

/** Call `repaint` whenever colours change. */
export function onAppearance(repaint) {
  document.addEventListener("appearance", repaint);
}

function keep() {
  const chosen = { theme: root.dataset.bsTheme, candles: root.dataset.candles ?? "usual" };
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen));
  } catch {
    // Storage is full or switched off: the choice lasts for this page.
  }
  document.dispatchEvent(new Event("appearance"));
}
