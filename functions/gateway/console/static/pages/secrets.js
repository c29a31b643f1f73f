/** Secrets of client keys that were made on this visit, for the playground. In memory only: a reload forgets them. */

/** @type {Map<string, { id: string, name: string, secret: string }>} */
const kept = new Map();

/** @param {{ id: string, name: string, key: string }} key */
export function keepSecret({ id, name, key }) {
  kept.set(id, { id, name, secret: key });
}

export function keptSecrets() {
  return [...kept.values()];
}

/** Forget them all: whoever signs in next has not seen them. */
export function forgetSecrets() {
  kept.clear();
}
