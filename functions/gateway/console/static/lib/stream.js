import { errorOf, GATEWAY, send } from "./api.js";

/** A streamed chat with a client key, as programs make it. */

/** What a call asks for besides model and messages, here and in the snippets. */
export const STREAMED = { stream: true, stream_options: { include_usage: true } };

const WAIT_FOR_LINE = 1_000_000;

/**
 * @typedef {object} Heard What came of an answer so far.
 * @property {string} text
 * @property {string} thinking
 * @property {number} pieces
 * @property {number | null} firstSeconds When the first piece of text came.
 * @property {number | null} totalSeconds
 * @property {string | null} requestId
 * @property {any} usage
 * @property {string | null} finish
 */

/** @returns {Heard} */
export function nothingYet() {
  return { text: "", thinking: "", pieces: 0, firstSeconds: null, totalSeconds: null, requestId: null, usage: null, finish: null };
}

/**
 * Ask, and tell `onHeard` what came with each piece. Resolves with the whole.
 *
 * @param {{ key: string, body: Record<string, any>, signal: AbortSignal, onHeard: (heard: Heard) => void }} options
 * @returns {Promise<Heard>}
 * @throws {import("./api.js").ApiError | Error}
 */
export async function streamChat({ key, body, signal, onHeard }) {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const reply = await send(`${GATEWAY}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ ...body, ...STREAMED }),
    credentials: "omit",
    signal,
  });
  if (!reply.ok || !reply.body) throw await errorOf(reply);
  let heard = { ...nothingYet(), requestId: reply.headers.get("x-request-id") };
  onHeard(heard);
  for await (const event of events(reply.body)) {
    if (event === "[DONE]") break;
    const chunk = JSON.parse(event);
    if (chunk.error) throw new Error(String(chunk.error.message));
    heard = added(heard, chunk, seconds());
    onHeard(heard);
  }
  heard = { ...heard, totalSeconds: seconds() };
  onHeard(heard);
  return heard;
}

/**
 * @param {Heard} heard
 * @param {any} chunk
 * @param {number} now
 * @returns {Heard}
 */
function added(heard, chunk, now) {
  const choice = chunk.choices?.[0];
  const text = choice?.delta?.content ?? "";
  const thinking = choice?.delta?.reasoning_content ?? "";
  const isPiece = text !== "" || thinking !== "";
  return {
    ...heard,
    text: heard.text + text,
    thinking: heard.thinking + thinking,
    pieces: heard.pieces + (isPiece ? 1 : 0),
    firstSeconds: heard.firstSeconds ?? (isPiece ? now : null),
    usage: chunk.usage ?? heard.usage,
    finish: choice?.finish_reason ?? heard.finish,
  };
}

/**
 * The data of server-sent events, one after the other.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
async function* events(body) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > WAIT_FOR_LINE) throw new Error("The gateway's answer has a line without an end.");
      for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
