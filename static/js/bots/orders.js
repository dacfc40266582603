// Orders to bots: what must be asked first is asked, then the REST API is told.

import { order } from "../rest.js";

const API = "/api/v1/bots/";

// What a person is asked before an order that costs something; others are given at once.
const QUESTIONS = {
  stop: {
    title: (name) => `Stop ${name}?`,
    text: "Its position is closed at the last trade, then its run ends. You can start it again with the account as it is.",
    yes: "Stop",
    option: "Keep the position open",
  },
  flatten: {
    title: (name) => `Flatten ${name}?`,
    text: "Its position is closed at the last trade. The bot goes on and may enter again with its next decision.",
    yes: "Flatten",
  },
  reset: {
    title: (name) => `Reset ${name}?`,
    text: "A new bot of this name begins with the initial balance. What this one did is kept in the records.",
    yes: "Reset",
  },
  delete: {
    title: (name) => `Delete ${name}?`,
    text: "It leaves every list. What it did is kept in the records.",
    yes: "Delete",
  },
};

/** Give `name` of ORDERS to a bot; null when the person would rather not. Throws the refusal. */
export async function giveOrder(bot, botName, name) {
  const question = QUESTIONS[name];
  let body = {};
  if (question !== undefined) {
    const answer = await asked(question, botName);
    if (answer === null) return null;
    if (name === "stop") body = { keep_position: answer };
  }
  if (name === "delete") {
    await order(`${API}${bot}/`, undefined, "DELETE");
    return {};
  }
  return order(`${API}${bot}/${name}/`, body);
}

/** Give one order to several bots; returns { done, refused } or null. */
export async function giveBulk(bots, name) {
  const question = QUESTIONS[name];
  const whom = bots.length === 1 ? "this bot" : `these ${bots.length} bots`;
  if (question !== undefined && (await asked({ ...question, option: undefined }, whom)) === null) return null;
  return order(`${API}bulk/`, { order: name, bots });
}

/** Flatten and halt everything, once the person has said so; the number of bots, or null. */
export async function kill() {
  const dialog = document.getElementById("kill");
  if ((await shown(dialog)) !== "yes") return null;
  const everyone = dialog.querySelector("[name=whose]:checked")?.value === "everyone";
  const { bots } = await order(`${API}kill/`, { everyone, why: document.getElementById("kill-why").value });
  return bots;
}

/** Ask before an order; null for no, else whether the option was ticked. */
async function asked({ title, text, yes, option }, name) {
  const dialog = document.getElementById("confirm");
  const box = document.getElementById("confirm-box");
  document.getElementById("confirm-title").textContent = title(name);
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  document.getElementById("confirm-option").hidden = option === undefined;
  document.querySelector("#confirm-option span").textContent = option ?? "";
  box.checked = false;
  return (await shown(dialog)) === "yes" ? box.checked : null;
}

function shown(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}
