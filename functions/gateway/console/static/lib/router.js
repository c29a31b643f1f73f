import { withQuery } from "./api.js";
import { useEffect, useMemo, useState } from "./html.js";

/** Addresses of the console, in the fragment: a page's name, perhaps an id, and the filters as a query. */

/**
 * @typedef {object} Place
 * @property {string} page
 * @property {string | null} id
 * @property {URLSearchParams} query
 */

/** @returns {Place} */
function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", id = ""] = path.split("/");
  return { page, id: decoded(id) || null, query: new URLSearchParams(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @type {Set<() => void>} */
const listeners = new Set();
const tellAll = () => listeners.forEach((tell) => tell());
window.addEventListener("popstate", tellAll);

/**
 * The address of a page.
 *
 * @param {string} page
 * @param {import("./api.js").Query} [query]
 * @param {string | null} [id]
 */
export function addressOf(page, query = {}, id = null) {
  return withQuery(`#/${page}${id ? `/${encodeURIComponent(id)}` : ""}`, query);
}

/**
 * Go to an address of the console. `replace` leaves no step to come back to.
 *
 * @param {string} address
 * @param {{ replace?: boolean }} [options]
 */
export function go(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  tellAll();
}

/**
 * Where the viewer is; renders again when that changes.
 *
 * @returns {Place}
 */
export function usePlace() {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const tell = () => setPlace(read());
    listeners.add(tell);
    return () => {
      listeners.delete(tell);
    };
  }, []);
  return place;
}

/**
 * Filters that live in the address: their values, and how to change some of them.
 *
 * @param {Place} place
 * @param {Record<string, string>} defaults
 * @returns {[Record<string, string>, (changes: Record<string, string>) => void]}
 */
export function useFilters(place, defaults) {
  const text = place.query.toString();
  const values = useMemo(() => {
    const query = new URLSearchParams(text);
    return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, query.get(name) ?? value]));
  }, [text]);
  /** @param {Record<string, string>} changes */
  const change = (changes) => {
    const next = { ...values, ...changes };
    const set = Object.entries(next).filter(([name, value]) => value !== defaults[name]);
    go(addressOf(place.page, Object.fromEntries(set), place.id), { replace: true });
  };
  return [values, change];
}
