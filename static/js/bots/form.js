// The form of a bot: what is known of the chosen strategy and data, and a backtest before it starts.

import { percent, whole } from "../format.js";
import { isAsServed } from "../forms.js";
import { complaining, notice } from "../notice.js";
import { fetchJson, fetchPart, order } from "../rest.js";
import { followJob } from "./jobs.js";

const complain = notice("problem");
const form = document.getElementById("bot-form");
const facts = document.getElementById("facts");
const outcome = document.getElementById("rehearsal");
const DECISIVE = ["config", "instrument"];

/** Show what is known of the chosen configuration and instrument. */
const showFacts = complaining(async () => {
  const query = new URLSearchParams();
  for (const name of DECISIVE) {
    const field = form.elements[name];
    if (field !== undefined) query.set(name, field.value);
  }
  facts.innerHTML = await fetchPart(`${form.dataset.facts}?${query}`);
});

/** Let a worker prove the configuration, and show the verdict when it is there. */
async function prove(button) {
  button.disabled = true;
  button.textContent = "Being proved…";
  complain("");
  try {
    const { topic } = await order(`/api/v1/strategy-configs/${button.dataset.prove}/check/`);
    followJob(topic, (job) => {
      if (job.error) complain(job.error);
      showFacts();
    });
  } catch (error) {
    complain(error.message);
    showFacts();
  }
}

// ------------------------------------------------------------------ the last 90 days

async function rehearse(button) {
  button.disabled = true;
  complain("");
  clearErrors();
  say("Asking for it…");
  const answer = await fetch(form.dataset.rehearse, {
    method: "POST",
    body: new FormData(form),
    headers: { Accept: "application/json" },
    credentials: "same-origin",
  }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  button.disabled = false;
  if (told?.url !== undefined) {
    say("Being computed…", told.url);
    followJob(told.topic, (job) => showResult(told, job));
  } else {
    outcome.hidden = true;
    showErrors(told?.errors);
  }
}

async function showResult({ id, url }, job) {
  if (job.state !== "done") return say(job.error || "It was cancelled.", url);
  try {
    const { metrics, badges } = await fetchJson(`/api/v1/backtests/${id}/`);
    const rows = [
      ["Return", percent(metrics.total_return)],
      ["Buy and hold", percent(metrics.buy_and_hold)],
      ["Maximum drawdown", percent(metrics.max_drawdown).replace("+", "")],
      ["Sharpe", metrics.sharpe === null ? "\u2013" : metrics.sharpe.toFixed(2)],
      ["Round trips", whole(metrics.round_trips)],
    ];
    say("", url);
    const list = document.createElement("dl");
    list.className = "facts one-column";
    for (const [name, value] of rows) list.append(fact(name, value));
    outcome.prepend(list);
    if (badges.length > 0) outcome.append(note("Read its badges before you trust the figures."));
  } catch (error) {
    say(error.message, url);
  }
  return undefined;
}

function fact(name, value) {
  const row = document.createElement("div");
  const term = document.createElement("dt");
  const told = document.createElement("dd");
  term.textContent = name;
  told.textContent = value;
  told.className = "num";
  row.append(term, told);
  return row;
}

function note(text) {
  const line = document.createElement("p");
  line.className = "help";
  line.textContent = text;
  return line;
}

function say(text, url) {
  outcome.hidden = false;
  outcome.replaceChildren();
  if (text !== "") outcome.append(note(text));
  if (url === undefined) return;
  const link = document.createElement("a");
  link.href = url;
  link.target = "_blank";
  link.textContent = "Open the backtest";
  outcome.append(link);
}

// ------------------------------------------------------------------ errors beside fields

function clearErrors() {
  for (const each of form.querySelectorAll(".form-error[data-told]")) each.remove();
  for (const each of form.querySelectorAll(".has-error")) each.classList.remove("has-error");
}

function showErrors(errors) {
  if (errors === undefined) return complain("The server did not answer. Try again in a moment.");
  const others = [];
  for (const [name, texts] of Object.entries(errors)) {
    const place = form.elements[name]?.closest?.(".field");
    if (place === null || place === undefined) {
      others.push(...texts);
      continue;
    }
    place.classList.add("has-error");
    const line = document.createElement("span");
    line.className = "form-error";
    line.dataset.told = "";
    line.setAttribute("role", "alert");
    line.textContent = texts.join(" ");
    place.append(line);
  }
  form.querySelector(".has-error")?.scrollIntoView({ block: "center" });
  return complain(others.join(" "));
}

form?.addEventListener("change", ({ target }) => {
  if (DECISIVE.includes(target.name)) showFacts();
});
// Something may have been chosen before this script was there.
const decisive = DECISIVE.map((name) => form?.elements[name]).filter(Boolean);
if (!decisive.every(isAsServed)) showFacts();
document.addEventListener("click", ({ target }) => {
  const proof = target.closest("[data-prove]");
  if (proof !== null) prove(proof);
  const button = target.closest("#rehearse");
  if (button !== null) rehearse(button);
});
