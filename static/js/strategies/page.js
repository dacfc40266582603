// The Strategies page: checks are asked for and followed, people's own strategies fetched.

import { notice } from "../notice.js";
import { Part } from "../part.js";
import { order } from "../rest.js";
import { stream } from "../stream.js";

const OVER = new Set(["done", "failed", "cancelled"]);
const complain = notice("problem");
const parts = new Map(); // the element of one strategy's configurations -> Part
const followed = new Set();

function partOf(element) {
  let part = parts.get(element);
  if (part === undefined) {
    part = new Part(element);
    part.onLoaded = followAll;
    parts.set(element, part);
  }
  return part;
}

/** Follow the check of a configuration until it is over; then show what it found. */
function follow(item, topic) {
  if (followed.has(topic)) return;
  followed.add(topic);
  const part = partOf(item.closest("[data-part]"));
  const id = item.dataset.config;
  const stop = stream.subscribe(topic, ({ job }) => {
    const shown = document.querySelector(`[data-config="${id}"]`);
    if (shown !== null) show(shown, job);
    if (!OVER.has(job.state)) return;
    stop();
    part.load();
    if (job.state === "failed") complain(`The check failed: ${job.error}`);
  });
}

function show(item, job) {
  const bar = item.querySelector("progress");
  bar.hidden = false;
  if (job.total) Object.assign(bar, { max: job.total, value: job.done });
  const word = item.querySelector(".proof-word");
  word.dataset.tone = "busy";
  word.textContent = job.message || (job.state === "queued" ? "Waits for a worker" : "Being checked");
}

function followAll() {
  for (const item of document.querySelectorAll("[data-config][data-topic]")) follow(item, item.dataset.topic);
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-check]");
  if (button === null) return;
  button.disabled = true;
  try {
    const job = await order(button.dataset.check);
    complain("");
    const item = button.closest("[data-config]");
    show(item, job);
    follow(item, job.topic);
  } catch (error) {
    button.disabled = false;
    complain(error.message);
  }
});

const own = document.getElementById("own");
if (own !== null) {
  const part = new Part(own);
  part.onLoaded = followAll;
  part.load();
}
followAll();
