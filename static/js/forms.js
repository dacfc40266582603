// Fields of forms, and what became of them before a page's script was there.

/** Whether a field shows what the server sent: not what somebody chose, or the browser put back. */
export function isAsServed(field) {
  if (field.options === undefined) return field.value === field.defaultValue;
  const served = [...field.options].find((option) => option.defaultSelected) ?? field.options[0];
  return served === undefined || served.value === field.value;
}
