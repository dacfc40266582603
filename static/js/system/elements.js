// Small makers of elements: everything that comes from outside goes in as text.

/** An element with attributes; children are elements or texts. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== "") element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A table: `columns` are [title, isNumber], `rows` are lists of texts or elements. */
export function table(caption, columns, rows) {
  const head = columns.map(([title, isNumber]) => make("th", { scope: "col", class: isNumber ? "num" : "" }, title));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, place) => cellOf(cell, columns[place], place))));
  const made = make(
    "table",
    { class: "figures stacks" },
    make("caption", { class: "visually-hidden" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
  return make("div", { class: "scroll" }, made);
}

/** A word with a dot; tones are good, busy, warn and bad. */
export function state(word, tone) {
  return make("span", { class: "state", "data-tone": tone }, word);
}

/** What stands where a part could not be read. */
export function unread(error) {
  return make("p", { class: "unread" }, `It cannot be read: ${error}`);
}

export function nothing(text) {
  return make("p", { class: "nothing" }, text);
}

function cellOf(cell, [title, isNumber, className = ""], place) {
  if (place === 0) return make("th", { scope: "row", class: className }, cell);
  return make("td", { class: `${isNumber ? "num" : ""} ${className}`.trim(), "data-label": title }, cell);
}
