// Runs before the first paint: the theme and the candle colours this person chose last.
(function () {
  "use strict";
  const root = document.documentElement;
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem("tcpd.appearance.1")) || {};
  } catch {
    kept = {};
  }
  const system = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  root.dataset.bsTheme = kept.theme === "light" || kept.theme === "dark" ? kept.theme : system;
  if (kept.candles === "blue") root.dataset.candles = "blue";
})();
