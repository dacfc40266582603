// The Alerts page: the list follows what is told, and people say what they have seen.

import { notice } from "../notice.js";
import { Part } from "../part.js";
import { order } from "../rest.js";
import { stream } from "../stream.js";

const complain = notice("problem");
const section = document.getElementById("alerts");
const list = new Part(section);

async function acknowledge(button) {
  const { acknowledge: which } = button.dataset;
  button.disabled = true;
  try {
    await order(which === "all" ? `/api/v1/alerts/acknowledge/${window.location.search}` : `/api/v1/alerts/${which}/acknowledge/`);
    complain("");
    await list.load();
  } catch (error) {
    button.disabled = false;
    complain(error.message);
  }
}

section.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-acknowledge]");
  if (button !== null) acknowledge(button);
});
let isFirst = true; // what is known already came with the page
stream.subscribe("alerts", () => {
  if (!isFirst) list.soon();
  isFirst = false;
});
