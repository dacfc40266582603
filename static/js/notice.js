// Sentences above a page: why something could not be done, and what was.

/**
 * Return what shows a sentence in the element `id`, and with "" takes back what it showed.
 *
 * Only that: what another one has shown there in the meantime stays.
 */
export function notice(id) {
  let shown = "";
  return (sentence) => {
    const element = document.getElementById(id);
    if (sentence === "" && element.textContent !== shown) return;
    shown = sentence;
    element.hidden = sentence === "";
    element.textContent = sentence;
  };
}

/** Return `act`, whose failures are shown until it is done without one. */
export function complaining(act) {
  const complain = notice("problem");
  return async (...given) => {
    try {
      await act(...given);
      complain("");
    } catch (error) {
      complain(error.message);
    }
  };
}
