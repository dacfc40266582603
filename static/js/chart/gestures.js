// Pointers on the chart that Plotly does not serve: the crosshair, two fingers, sideways wheels.
// Dragging with one finger or button, and the wheel, are Plotly's.

const TAP_MS = 300;
const TAP_PX = 8;

export class Gestures {
  #host;
  #on;
  #pinch = null;
  #down = null;
  isHeld = false;

  constructor(host, on) {
    this.#host = host;
    this.#on = on;
    host.addEventListener("pointerdown", (event) => this.#press(event));
    host.addEventListener("pointermove", (event) => this.#move(event));
    host.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && on.leave());
    for (const name of ["pointerup", "pointercancel"]) {
      window.addEventListener(name, (event) => this.#lift(event));
    }
    // Before Plotly's own listeners, which would take the first of two fingers for a drag.
    host.addEventListener("touchstart", (event) => this.#fingers(event), { capture: true, passive: false });
    window.addEventListener("touchmove", (event) => this.#spread(event), { capture: true, passive: false });
    window.addEventListener("touchend", (event) => this.#endPinch(event), { capture: true });
    host.addEventListener("wheel", (event) => this.#wheel(event), { capture: true, passive: false });
  }

  #press(event) {
    if (event.target.closest("button") !== null) return;
    this.isHeld = true;
    this.#down = { x: event.clientX, y: event.clientY, at: performance.now() };
    if (event.pointerType !== "mouse") this.#on.leave();
    this.#host.focus({ preventScroll: true });
  }

  #move(event) {
    if (event.pointerType === "touch") return;
    const box = this.#host.getBoundingClientRect();
    this.#on.hover(event.clientX - box.left, event.clientY - box.top);
  }

  #lift(event) {
    if (!this.isHeld) return;
    this.isHeld = false;
    const { x, y, at } = this.#down;
    const isTap = Math.hypot(event.clientX - x, event.clientY - y) < TAP_PX && performance.now() - at < TAP_MS;
    if (isTap && event.pointerType === "touch" && this.#pinch === null) {
      const box = this.#host.getBoundingClientRect();
      this.#on.hover(event.clientX - box.left, event.clientY - box.top);
    }
    this.#on.release();
  }

  #fingers(event) {
    if (event.touches.length !== 2) return;
    event.stopPropagation();
    event.preventDefault();
    this.#pinch = this.#spreadOf(event);
  }

  #spread(event) {
    if (this.#pinch === null || event.touches.length < 2) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const next = this.#spreadOf(event);
    // Redrawing is dear on a phone: not for every pixel.
    if (Math.abs(next.width - this.#pinch.width) < 12) return;
    this.isHeld = false;
    this.#on.pinch(this.#pinch.width / next.width, next.share);
    this.#pinch = next;
  }

  #endPinch(event) {
    if (this.#pinch !== null && event.touches.length < 2) this.#pinch = null;
  }

  #spreadOf({ touches: [first, second] }) {
    const box = this.#host.getBoundingClientRect();
    const middle = (first.clientX + second.clientX) / 2 - box.left;
    return { width: Math.max(Math.abs(first.clientX - second.clientX), 24), share: middle / box.width };
  }

  #wheel(event) {
    event.preventDefault();
    if (Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.stopPropagation();
    this.#on.slide(event.deltaX / this.#host.clientWidth);
  }
}
