// Following a job to its end.

import { fetchJson } from "../rest.js";
import { stream } from "../stream.js";

const OVER = new Set(["done", "failed", "cancelled"]);
const LOOK_MS = 5000; // how often it is asked for, as a message may be lost

/** Call `ended` with the job of `topic`, once, when it is over. */
export function followJob(topic, ended) {
  const [number] = topic.split(":").slice(-1);
  let isOver = false;
  let timer = null;
  let stop = () => {};
  const take = (job) => {
    if (isOver || !OVER.has(job?.state)) return;
    isOver = true;
    clearInterval(timer);
    stop();
    ended(job);
  };
  stop = stream.subscribe(topic, ({ job }) => take(job));
  timer = setInterval(async () => take(await fetchJson(`/api/v1/jobs/${number}/`).catch(() => null)), LOOK_MS);
}
