/** Reads poe.com's cookies out of what people can get from a browser: a Cookie header, cookies.txt, or a JSON export. */

/** @type {Record<string, string>} Cookies that are used, with the names of the gateway's credentials. */
const WANTED = { "p-b": "p_b", "p-lat": "p_lat", cf_clearance: "cf_clearance", __cf_bm: "cf_bm" };
const COLUMNS = 7;

/** @param {string} domain */
function isOfPoe(domain) {
  const host = domain.replace(/^\.+/, "").toLowerCase();
  return host === "poe.com" || host.endsWith(".poe.com");
}

/** @param {string} text */
function fromHeader(text) {
  return text
    .replace(/^\s*cookie\s*:/i, "")
    .replaceAll("\n", ";")
    .split(";")
    .filter((part) => part.includes("="))
    .map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, at).trim(), part.slice(at + 1).trim().replace(/^"|"$/g, "")];
    });
}

/** @param {string} text */
function fromNetscape(text) {
  return text
    .split("\n")
    .map((line) => line.replace(/^#HttpOnly_/, "").split("\t"))
    .filter((columns) => columns.length >= COLUMNS && !columns[0].startsWith("#") && isOfPoe(columns[0]))
    .map((columns) => [columns[5], columns[6].trim()]);
}

/** @param {string} text */
function fromJson(text) {
  const read = JSON.parse(text);
  const data = Array.isArray(read?.cookies) ? read.cookies : read;
  if (!Array.isArray(data)) return Object.entries(data);
  return data
    .filter((item) => item && isOfPoe(String(item.domain ?? "poe.com")))
    .map((item) => [String(item.name), item.value]);
}

/**
 * The credentials of a web account, or null where the text has no `p-b` cookie of poe.com.
 *
 * @param {string} text
 * @returns {Record<string, string> | null}
 */
export function readCookies(text) {
  const stripped = text.trim();
  /** @type {any[][]} */
  let cookies;
  try {
    cookies = /^[[{]/.test(stripped)
      ? fromJson(stripped)
      : stripped.includes("\t")
        ? fromNetscape(stripped)
        : fromHeader(stripped);
  } catch {
    return null;
  }
  const wanted = cookies.filter(([name, value]) => Object.hasOwn(WANTED, name) && typeof value === "string" && value);
  const found = Object.fromEntries(wanted.map(([name, value]) => [WANTED[name], value]));
  return found.p_b ? found : null;
}
