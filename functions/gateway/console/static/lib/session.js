import { ApiError, call } from "./api.js";

/**
 * @typedef {object} Session Who is signed in, as the gateway tells it.
 * @property {"admin" | "viewer" | "client"} role
 * @property {string} name
 * @property {string | null} key_id
 * @property {boolean} can_change
 * @property {string | null} expires_at
 * @property {string | null} idle_expires_at
 * @property {string | null} version
 */

/**
 * @param {string} key
 * @returns {Promise<Session>}
 * @throws {ApiError}
 */
export function signIn(key) {
  return call("session", { method: "POST", body: { key } });
}

/** @type {(() => Promise<void>) | null} */
let askForKey = null;

/**
 * Call this to have the viewer sign in again. It resolves once that is done, and rejects when it is given up.
 *
 * @param {() => Promise<void>} callback
 */
export function onKeyNeeded(callback) {
  askForKey = callback;
}

/**
 * Do what shows a secret, which a session may only shortly after signing in: if need be, sign in and do it again.
 *
 * @template T
 * @param {() => Promise<T>} action
 * @returns {Promise<T>}
 */
export async function withFreshSession(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "sign_in_again" || !askForKey) throw error;
    await askForKey();
    return action();
  }
}
