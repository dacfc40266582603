// Requests to this site: parts of pages, and orders to the REST API.

/** Fetch a part of a page as text; throws an Error with a sentence for people. */
export async function fetchPart(address) {
  return (await answered(address)).text();
}

/** Fetch JSON; throws likewise. */
export async function fetchJson(address) {
  return (await answered(address, { headers: { Accept: "application/json" } })).json();
}

/** Order something of the REST API, with `body` as JSON; throws with what it says against it. */
export async function order(address, body, method = "POST") {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  const options = { method, headers };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  const answer = await answered(address, options);
  return answer.status === 204 ? null : answer.json();
}

/** Post the fields of a form; throws likewise. */
export async function send(address, fields) {
  const headers = { Accept: "application/json", "X-CSRFToken": csrfToken() };
  return (await answered(address, { method: "POST", headers, body: fields })).json();
}

async function answered(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", ...options });
  } catch {
    throw new Error("The server cannot be reached. Try again in a moment.");
  }
  // Whoever is logged out is led to the login page.
  if (answer.redirected && new URL(answer.url).pathname.startsWith("/login")) {
    throw new Error("You are logged out. Load the page again to log in.");
  }
  if (!answer.ok) throw new Error(await refusal(answer));
  return answer;
}

async function refusal(answer) {
  try {
    const { detail, error } = await answer.json();
    return sentence(detail ?? error);
  } catch {
    return `The server answered ${answer.status}. Try again in a moment; the log says more.`;
  }
}

function sentence(text) {
  const said = String(text);
  return `${said[0].toUpperCase()}${said.slice(1)}${/[.!?]$/.test(said) ? "" : "."}`;
}

function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}
