// The dialog in which indicators are chosen. A choice is written `key:value:value`.

import { notice } from "../notice.js";

const MAX_CHOICES = 8;

export class IndicatorDialog {
  #dialog = document.getElementById("indicators");
  #list = document.getElementById("chosen");
  #registry;
  #choices;
  #onChange;
  /** Tell in the dialog what is wrong with the choice, or that nothing is. */
  complain = notice("indicators-problem");

  constructor(registry, text, onChange) {
    this.#registry = new Map(registry.map((indicator) => [indicator.key, indicator]));
    this.#choices = text.split(",").filter(Boolean);
    this.#onChange = onChange;
    this.#offer(registry);
    this.#render();
  }

  open() {
    this.#dialog.showModal();
  }

  #offer(registry) {
    const buttons = registry.map((indicator) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn-quiet btn-sm";
      button.setAttribute("aria-label", `Add ${indicator.title}`);
      button.append(document.getElementById("add-icon").content.cloneNode(true), indicator.title);
      button.addEventListener("click", () => this.#add(indicator));
      return button;
    });
    document.getElementById("addable").append(...buttons);
  }

  #add(indicator) {
    if (this.#choices.length >= MAX_CHOICES) {
      return this.complain(`At most ${MAX_CHOICES} indicators fit on a chart. Remove one first.`);
    }
    const values = indicator.parameters.map((parameter) => parameter.default);
    const text = [indicator.key, ...values].join(":");
    if (this.#choices.includes(text)) return this.complain(`${indicator.title} is on the chart already: change its numbers first.`);
    return this.#change([...this.#choices, text]);
  }

  #change(choices) {
    this.#choices = choices;
    this.complain("");
    this.#render();
    this.#onChange(choices.join(","));
  }

  #render() {
    this.#list.replaceChildren(...this.#choices.map((text, index) => this.#row(text, index)));
    document.getElementById("none-chosen").hidden = this.#choices.length > 0;
  }

  #row(text, index) {
    const [key, ...values] = text.split(":");
    const indicator = this.#registry.get(key);
    const row = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = indicator.title;
    const inputs = indicator.parameters.map((parameter, place) => input(parameter, values[place]));
    for (const [, field] of inputs) {
      field.addEventListener("change", () => {
        if (!field.reportValidity()) return;
        const changed = [key, ...inputs.map(([, each]) => Number(each.value))].join(":");
        this.#change(this.#choices.map((each, place) => (place === index ? changed : each)));
      });
    }
    row.append(name, ...inputs.map(([label]) => label), this.#remover(indicator, index));
    return row;
  }

  #remover(indicator, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tool remove";
    button.append(document.getElementById("remove-icon").content.cloneNode(true));
    button.title = "Remove";
    button.setAttribute("aria-label", `Remove ${indicator.title}`);
    button.addEventListener("click", () => this.#change(this.#choices.filter((_, place) => place !== index)));
    return button;
  }
}

function input(parameter, value) {
  const label = document.createElement("label");
  const field = document.createElement("input");
  field.className = "form-control form-control-sm";
  field.type = "number";
  field.min = parameter.min;
  field.max = parameter.max;
  field.step = parameter.is_whole ? 1 : "any";
  field.required = true;
  field.value = value ?? parameter.default;
  label.title = parameter.help;
  label.append(parameter.title, field);
  return [label, field];
}
