import { count, duration, UNKNOWN } from "../lib/format.js";
import { html } from "../lib/html.js";
import { addressOf } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Time, Value } from "../lib/ui.js";

/**
 * Whether a request was answered, in a word with its code.
 *
 * @param {{ row: any }} props
 */
export function Outcome({ row }) {
  const cause = row.cause && row.cause !== row.code ? html`<p class="note">${row.cause}</p>` : null;
  if (row.code === null) return html`<${Badge} tone="ok">${row.status}<//>`;
  return html`<${Badge} tone="bad">${row.status} ${row.code}<//>${cause}`;
}

/**
 * What it cost, and how sure that is.
 *
 * @param {{ row: any }} props
 */
export function Cost({ row }) {
  if (row.points === null) return html`<${Value} text=${UNKNOWN} />`;
  return html`${count(row.points)}${row.points_estimated && html` <span class="note">estimated</span>`}`;
}

/** @typedef {import("../lib/table.js").Column} Column */

/** @type {Column} */
const WHO = {
  name: "Key, account",
  value: (row) => row.key_name ?? row.key,
  cell: (row) => html`${row.key_name ?? row.key}<p class="note">${row.account_label ?? row.account ?? "no account"}</p>`,
};

/** @type {Column[]} */
const TIMES = [
  { name: "Tries", isNumber: true, value: (row) => row.attempts },
  {
    name: "First token",
    isNumber: true,
    value: (row) => row.first_token_seconds,
    cell: (row) => (row.first_token_seconds === null ? html`<span class="absent">none</span>` : duration(row.first_token_seconds)),
  },
  { name: "Total", isNumber: true, value: (row) => row.total_seconds, cell: (row) => html`<${Value} text=${duration(row.total_seconds)} />` },
];

/** @type {Column} */
const TOKENS = {
  name: "Tokens in / out",
  isNumber: true,
  value: (row) => row.prompt_tokens,
  cell: (row) =>
    row.prompt_tokens === null && row.completion_tokens === null
      ? html`<${Value} text=${UNKNOWN} />`
      : html`<${Value} text=${count(row.prompt_tokens)} /> / <${Value} text=${count(row.completion_tokens)} />`,
};

/** @type {Column} */
const POINTS = { name: "Points", isNumber: true, value: (row) => row.points, cell: (row) => html`<${Cost} row=${row} />` };

/** @type {Column[]} What a file has in place of the two columns. */
const SAVED = [
  { name: "Tokens in", value: (row) => row.prompt_tokens },
  { name: "Tokens out", value: (row) => row.completion_tokens },
  { name: "Points", value: (row) => row.points },
  { name: "Points estimated", value: (row) => row.points_estimated },
];

/**
 * Requests in rows. `hasAccounts` is for who administers.
 *
 * @param {{ rows: any[], hasAccounts?: boolean, hasLinks?: boolean }} props
 */
export function RequestTable({ rows, hasAccounts = true, hasLinks = true }) {
  /** @type {Column[]} */
  const first = [
    {
      name: "Ended",
      value: (row) => row.at,
      cell: (row) => (hasLinks ? html`<a href=${addressOf("requests", {}, row.ref)}><${Time} at=${row.at} isExact /></a>` : html`<${Time} at=${row.at} isExact />`),
    },
    { name: "Status", value: (row) => (row.code === null ? row.status : `${row.status} ${row.code}`), cell: (row) => html`<${Outcome} row=${row} />` },
    { name: "Model", value: (row) => row.model, cell: (row) => html`<span class="whole">${row.model}</span>` },
    ...(hasAccounts ? [WHO] : []),
    ...TIMES,
  ];
  return html`<${Table}
    name="Requests"
    columns=${[...first, TOKENS, POINTS]}
    saved=${[...first, ...SAVED]}
    rows=${rows}
    rowKey=${(/** @type {any} */ row) => row.ref}
    isSorted=${false}
    hasExport=${!hasLinks}
  />`;
}
