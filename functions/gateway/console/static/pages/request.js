import { count, duration, points, UNKNOWN } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useResource } from "../lib/resource.js";
import { addressOf } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Copyable, Loaded, PageHead, Section, Tile, Time, Value } from "../lib/ui.js";
import { Outcome } from "./request-table.js";

/**
 * One request, with its sends to Poe as a waterfall.
 *
 * @param {{ id: string }} props
 */
export function OneRequest({ id }) {
  const request = useResource(`requests/${encodeURIComponent(id)}`);
  return html`<p><a href=${addressOf("requests")}>All requests</a></p>
    <${PageHead} title="Request" />
    <${Loaded} of=${request}>${(/** @type {any} */ data) => html`<${Shown} data=${data} />`}<//>`;
}

/** @param {{ data: any }} props */
function Shown({ data }) {
  const cost = costOf(data);
  return html`<dl class="tiles">
      <${Tile} name="Status" value=${html`<${Outcome} row=${data} />`} />
      <${Tile} name="Points" value=${html`<${Value} text=${count(cost.points)} />`} note=${cost.words} />
      <${Tile} name="First token" value=${data.first_token_seconds === null ? html`<span class="absent">none</span>` : duration(data.first_token_seconds)} />
      <${Tile} name="Total" value=${html`<${Value} text=${duration(data.total_seconds)} />`} />
      <${Tile}
        name="Tokens in, out"
        value=${html`<${Value} text=${count(data.prompt_tokens)} />, <${Value} text=${count(data.completion_tokens)} />`}
      />
    </dl>
    <${Section} title="Tries" note="each message that was sent to Poe: grey until its first token, blue while it streams, red where it failed">
      ${data.tries.length ? html`<${Waterfall} data=${data} /><${Tries} tries=${data.tries} />` : html`<p>Nothing was sent to Poe, so nothing was paid.</p>`}
    <//>
    <${Section} title="Facts">
      <dl class="facts">
        <dt>Ended</dt>
        <dd><${Time} at=${data.at} isExact /></dd>
        <dt>Model</dt>
        <dd>${data.model}</dd>
        <dt>Key</dt>
        <dd>${data.key_name ?? data.key}</dd>
        <dt>Account</dt>
        <dd>${data.account ? html`<a href=${addressOf("accounts", {}, data.account)}>${data.account_label ?? data.account}</a>` : "none"}</dd>
        <dt>Surface</dt>
        <dd>${data.surface}</dd>
      </dl>
      <${Copyable} label="Request id" text=${data.request_id} />
    <//>`;
}

/**
 * What all tries cost: as Poe charged where that is known of each, otherwise as the log has it.
 *
 * @param {any} data
 * @returns {{ points: number | null, words: string }}
 */
function costOf(data) {
  const settled = data.tries.map((/** @type {any} */ row) => row.settled);
  if (settled.length && settled.every((/** @type {number | null} */ points) => points !== null)) {
    return { points: settled.reduce((/** @type {number} */ sum, /** @type {number} */ points) => sum + points, 0), words: "settled" };
  }
  if (data.points === null) return { points: null, words: "" };
  return { points: data.points, words: data.points_estimated ? "estimated" : "as reported" };
}

/** @param {number} value @param {number} of */
function share(value, of) {
  return `${Math.max(0, Math.min(100, (value / of) * 100))}%`;
}

/** @param {{ data: any }} props */
function Waterfall({ data }) {
  const ends = data.tries.map((/** @type {any} */ row) => row.ends_after_seconds ?? row.starts_after_seconds);
  const whole = Math.max(data.total_seconds ?? 0, ...ends, 0.001);
  return html`<ul class="waterfall" aria-label="Tries over time">
    ${data.tries.map((/** @type {any} */ row) => {
      const end = row.ends_after_seconds ?? whole;
      const first = row.first_token_after_seconds ?? (row.outcome === "ok" ? row.starts_after_seconds : end);
      const tone = isGood(row.outcome) ? "span" : "span bad";
      return html`<li key=${row.id}>
        <span>${row.attempt}. ${row.account_label ?? row.account}</span>
        <span class="track" aria-hidden="true">
          <span class=${isGood(row.outcome) ? "span wait" : "span bad"} style=${{ left: share(row.starts_after_seconds, whole), width: share(first - row.starts_after_seconds, whole) }}></span>
          <span class=${tone} style=${{ left: share(first, whole), width: share(end - first, whole) }}></span>
        </span>
        <span class="note facts-line">
          ${row.outcome}, from ${duration(row.starts_after_seconds)} to ${row.ends_after_seconds === null ? UNKNOWN : duration(row.ends_after_seconds)};
          first token ${row.first_token_after_seconds === null ? "none or unknown" : `at ${duration(row.first_token_after_seconds)}`}; ${pointsOf(row)}
        </span>
      </li>`;
    })}
  </ul>`;
}

/** @param {string} outcome */
function isGood(outcome) {
  return outcome === "ok" || outcome === "answered" || outcome === "completed";
}

/** @param {any} row */
function pointsOf(row) {
  if (row.settled !== null) return `${points(row.settled)}, settled`;
  if (row.reported !== null) return `${points(row.reported)}, as reported`;
  return row.estimate === null ? "points unknown" : `${points(row.estimate)}, estimated`;
}

/** @param {{ tries: any[] }} props */
function Tries({ tries }) {
  const number = (/** @type {string} */ name, /** @type {string} */ key) => ({
    name,
    isNumber: true,
    value: (/** @type {any} */ row) => row[key],
    cell: (/** @type {any} */ row) => html`<${Value} text=${count(row[key])} />`,
  });
  const columns = [
    { name: "Try", value: (/** @type {any} */ row) => row.attempt },
    { name: "Account", value: (/** @type {any} */ row) => row.account_label ?? row.account },
    { name: "Outcome", value: (/** @type {any} */ row) => row.outcome },
    number("Tokens in", "prompt_tokens"),
    number("Tokens out", "completion_tokens"),
    number("Points estimated", "estimate"),
    number("Points reported", "reported"),
    number("Points settled", "settled"),
    { name: "Settled by", value: (/** @type {any} */ row) => row.settled_by, cell: (/** @type {any} */ row) => row.settled_by ?? html`<span class="absent">not yet</span>` },
  ];
  return html`<${Table} name="Tries" columns=${columns} rows=${tries} rowKey=${(/** @type {any} */ row) => row.id} isSorted=${false} />`;
}
