// Backfills: progress as it is told, and orders to pause, resume and cancel.

import { whole } from "../format.js";
import { stream } from "../stream.js";

const ACTIVE = new Set(["queued", "running", "cancelling"]);
const LOOK_MS = 10000; // how often to ask for jobs whose topic this person may not follow

export class Backfills {
  #part;
  #section;
  #stops = new Map(); // topic -> how to stop following it

  constructor(section, part) {
    this.#section = section;
    this.#part = part;
    part.onLoaded = () => this.follow();
    setInterval(() => this.#hasUnfollowed() && part.load(), LOOK_MS);
    this.follow();
  }

  /** Follow exactly the jobs that are shown and not over. */
  follow() {
    const wanted = new Set();
    for (const { dataset } of this.#section.querySelectorAll("[data-topic]")) {
      if (ACTIVE.has(dataset.state) || dataset.state === "paused") wanted.add(dataset.topic);
    }
    for (const [topic, stop] of this.#stops) {
      if (wanted.has(topic)) continue;
      stop();
      this.#stops.delete(topic);
    }
    for (const topic of wanted) {
      if (!this.#stops.has(topic)) {
        this.#stops.set(topic, stream.subscribe(topic, ({ job }) => this.#show(job)));
      }
    }
  }

  #show(job) {
    const element = this.#section.querySelector(`[data-job="${job.id}"]`);
    if (element === null) return;
    // Which orders it takes has changed too.
    if (element.dataset.state !== job.state) this.#part.soon();
    const progress = element.querySelector("progress");
    progress.max = job.total ?? 1;
    progress.value = job.done;
    write(element, ".job-done", `${whole(job.done)} of ${whole(job.total)} ${job.unit}`);
    write(element, ".job-message", job.error || job.message);
  }

  #hasUnfollowed() {
    const jobs = [...this.#section.querySelectorAll("[data-job]:not([data-topic])")];
    return jobs.some(({ dataset }) => ACTIVE.has(dataset.state));
  }
}

function write(element, selector, text) {
  const place = element.querySelector(selector);
  if (place.textContent !== text) place.textContent = text;
}
