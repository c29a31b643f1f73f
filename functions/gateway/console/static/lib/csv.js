/** Tables as comma-separated values, for a file of the viewer's. */

// A spreadsheet takes text that begins like this for a formula.
const FORMULA = /^[=+\-@\t\r]/;

/** @typedef {string | number | boolean | null | undefined} Cell */

/**
 * @param {Cell} cell
 * @returns {string}
 */
function field(cell) {
  if (cell == null) return "";
  let text = String(cell);
  if (typeof cell === "string" && FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * The text of a table. Unknown is an empty field; what looks like a formula gets an apostrophe.
 *
 * @param {string[]} head
 * @param {Cell[][]} rows
 */
export function toCsv(head, rows) {
  return [head, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

/**
 * Have the browser save a text.
 *
 * @param {string} name
 * @param {string} text
 * @param {string} [type]
 */
export function save(name, text, type = "text/csv;charset=utf-8") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun by the next turn; the address would keep the text.
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
