// A part of a page that the server makes: fetched again when something of it has changed.

import { complaining } from "./notice.js";
import { fetchPart } from "./rest.js";

const REST_MS = 800; // gathers changes that come together

export class Part {
  #element;
  #content;
  #query = "";
  #timer = null;
  #asked = 0;

  /** `element` has the address in data-part, and what is replaced in [data-content]. */
  constructor(element) {
    this.#element = element;
    this.#content = element.querySelector(":scope > [data-content]");
    this.load = complaining(() => this.#load());
    this.onLoaded = () => {};
  }

  /** Show what `query`, further parameters of the address, asks for. */
  ask(query) {
    this.#query = query;
    return this.load();
  }

  /** Fetch it soon, once for several calls. */
  soon() {
    this.#timer ??= setTimeout(() => this.load(), REST_MS);
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const number = ++this.#asked;
    try {
      const html = await fetchPart(this.#address());
      if (number === this.#asked) this.#show(html);
    } catch (error) {
      // Of one that was asked for again the later answer counts.
      if (number === this.#asked) throw error;
    }
  }

  #address() {
    const address = this.#element.dataset.part;
    if (this.#query === "") return address;
    return `${address}${address.includes("?") ? "&" : "?"}${this.#query}`;
  }

  /** Put the new content in; what had the focus gets it again. */
  #show(html) {
    const place = focusPlace(this.#content);
    this.#content.innerHTML = html;
    if (place !== null) this.#content.querySelectorAll("button, a")[place]?.focus();
    this.onLoaded();
  }
}

function focusPlace(content) {
  if (!content.contains(document.activeElement)) return null;
  return [...content.querySelectorAll("button, a")].indexOf(document.activeElement);
}
