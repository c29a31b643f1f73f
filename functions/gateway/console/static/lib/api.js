/** The console's one way to the gateway: JSON, the session's cookie, and errors as a type. */

/** Where the gateway is, for clients; behind a stage of API Gateway with the stage in it. */
export const GATEWAY = location.origin + location.pathname.replace(/\/console\/?$/, "");

/** What the gateway answered instead of what was asked for. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string | null, param?: string | null, requestId?: string | null }} [facts]
   */
  constructor(message, { status = 0, code = null, param = null, requestId = null } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.param = param;
    this.requestId = requestId;
  }
}

const ATTEMPTS = 4;
const PAUSE_MS = 300;
const SESSION_IS_OVER = new Set(["no_session", "session_expired", "session_ended"]);
/** @type {((error: ApiError) => void) | null} */
let whenSignedOut = null;

/**
 * Call this when an answer says that the session is over.
 *
 * @param {(error: ApiError) => void} callback
 */
export function onSignedOut(callback) {
  whenSignedOut = callback;
}

/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

/**
 * An address with the parts of the query that have a value.
 *
 * @param {string} path
 * @param {Query} [query]
 */
export function withQuery(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value != null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}${path.includes("?") ? "&" : "?"}${text}` : path;
}

/**
 * Ask `/console/api`. Returns the answer's JSON.
 *
 * @param {string} path
 * @param {{ method?: string, body?: unknown, signal?: AbortSignal, isPoll?: boolean }} [options] `isPoll` is for
 *   what no viewer asked for, which does not keep a session alive.
 * @returns {Promise<any>}
 * @throws {ApiError}
 */
export async function call(path, { method = "GET", body, signal, isPoll = false } = {}) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (method !== "GET") {
    headers["content-type"] = "application/json";
    headers["x-console"] = "1";
  }
  if (isPoll) headers["x-console-poll"] = "1";
  const reply = await send(`api/${path}`, {
    method,
    headers,
    body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    credentials: "same-origin",
    signal,
  });
  if (reply.ok) return reply.status === 204 ? null : readJson(reply);
  const error = await errorOf(reply);
  if (SESSION_IS_OVER.has(error.code ?? "") && path !== "session") whenSignedOut?.(error);
  throw error;
}

/**
 * One exchange. A question that the function was too busy for, which reached no gateway, is asked again; a change is not.
 *
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<Response>}
 * @throws {ApiError}
 */
export async function send(address, options) {
  for (let attempt = 1; ; attempt++) {
    try {
      const reply = await fetch(address, { ...options, redirect: "error", cache: "no-store" });
      const isThrottled = reply.status === 429 && !reply.headers.has("x-request-id");
      if (!isThrottled || options.method !== "GET" || attempt === ATTEMPTS) return reply;
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError("The gateway could not be reached. Check your connection, then try again.", { code: "unreachable" });
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
  }
}

/**
 * @param {Response} reply
 * @throws {ApiError}
 */
async function readJson(reply) {
  try {
    return await reply.json();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The gateway's answer was cut short.", { status: reply.status, code: "unreadable" });
  }
}

/**
 * The error that an answer holds, in OpenAI's envelope or without one.
 *
 * @param {Response} reply
 * @returns {Promise<ApiError>}
 */
export async function errorOf(reply) {
  const facts = { status: reply.status, requestId: reply.headers.get("x-request-id") };
  try {
    const { error } = await reply.json();
    const { message, code, param } = error;
    return new ApiError(String(message), { ...facts, code, param });
  } catch {
    const words = reply.status === 429 ? "The gateway is too busy: all it may run at once is running." : `The gateway answered with status ${reply.status}.`;
    return new ApiError(words, facts);
  }
}
