/**
 * Loads the console's modules, a few at a time.
 *
 * Each file is an invocation of a function that serves only so many at once; a browser left to itself asks for all files
 * together, and the ones that are refused leave an empty page. So files are fetched here first, following their imports,
 * and again where the function was busy. What is imported then comes from the browser's cache: addresses have a digest in
 * them, and what they name never changes.
 */

const AT_ONCE = 3;
const ATTEMPTS = 6;
const PAUSE_MS = 250;
const IMPORT = /\b(?:from|import)\s*"(\.[^"]+)"/g;
/** @type {Map<string, Promise<void>>} */
const fetched = new Map();
/** @type {(() => void)[]} */
const waiting = [];
let running = 0;

/** @param {string} address */
async function fetchText(address) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  running++;
  try {
    for (let attempt = 1; ; attempt++) {
      const reply = await fetch(address).catch(() => null);
      if (reply?.ok) return await reply.text();
      const isBusy = !reply || reply.status === 429 || reply.status >= 500;
      if (!isBusy || attempt === ATTEMPTS) throw new Error(`${address} could not be loaded`);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    }
  } finally {
    running--;
    waiting.shift()?.();
  }
}

/**
 * Have a module and all that it imports in the browser's cache.
 *
 * @param {string} address
 * @returns {Promise<void>}
 */
function prefetch(address) {
  const known = fetched.get(address);
  if (known) return known;
  const begun = (async () => {
    const text = await fetchText(address);
    const imports = [...text.matchAll(IMPORT)].map(([, path]) => new URL(path, address).href);
    await Promise.all(imports.filter((one) => !fetched.has(one)).map(prefetch));
  })();
  fetched.set(address, begun);
  // Another attempt asks again.
  begun.catch(() => fetched.delete(address));
  return begun;
}

/**
 * A module, by its path in this folder.
 *
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function load(path) {
  const address = new URL(path, import.meta.url).href;
  await prefetch(address);
  return import(address);
}

/** @param {string} path */
async function loadStyle(path) {
  const address = new URL(path, import.meta.url).href;
  await fetchText(address);
  const link = document.createElement("link");
  link.rel = "stylesheet";
  const isLoaded = new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", reject);
  });
  link.href = address;
  document.head.append(link);
  await isLoaded;
}

async function boot() {
  try {
    await Promise.all([loadStyle("./style.css"), loadStyle("./vendor/uplot.css"), prefetch(new URL("./app.js", import.meta.url).href)]);
    const { start } = await load("./app.js");
    start();
  } catch {
    const place = document.getElementById("app");
    if (place) place.textContent = "The console could not be loaded: the gateway is busy, or was updated just now. Load the page again.";
  }
}

boot();
