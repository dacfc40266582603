// Windows from the server: the newest request wins, the ones before it are given up.

export class WindowSource {
  #base;
  #request = null;

  /** `base` is the address of the symbol's charts, `/chart/okx/BTC-USDT/`. */
  constructor(base) {
    this.#base = base;
  }

  /** Whether an answer is on its way. */
  get isAsking() {
    return this.#request !== null;
  }

  /**
   * Fetch `what` ("window" or "figure") over `range`; null when a newer request took its place.
   * Throws an Error with a sentence for the person when there is no answer.
   */
  async fetch(what, timeframe, range, indicators) {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    try {
      const response = await fetch(this.address(what, timeframe, range, { indicators }), {
        signal: request.signal,
        headers: { Accept: "application/json" },
      });
      const answer = await this.#read(response);
      return request.signal.aborted ? null : answer;
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (error instanceof TypeError) throw new Error("The server cannot be reached.", { cause: error });
      throw error;
    } finally {
      if (this.#request === request) this.#request = null;
    }
  }

  /** The address of `what` over `range`, with further parameters. */
  address(what, timeframe, { start, end, points }, parameters) {
    const query = new URLSearchParams({ start, end, points, ...parameters });
    return `${this.#base}${timeframe}/${what}?${query}`;
  }

  async #read(response) {
    // A session that has ended answers with the log-in page.
    if (response.redirected) throw new Error("You have been logged out: load the page again.");
    if (response.ok) return response.json();
    const { error } = await response.json().catch(() => ({}));
    throw new Error(error ?? `The server answered with an error (${response.status}).`);
  }
}
