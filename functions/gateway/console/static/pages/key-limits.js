import { count, quantity } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Bar, Time } from "../lib/ui.js";

/** What a key has spent of each of its limits. */

const NEAR = 0.8;
/** @type {Record<string, string>} */
const UNITS = { points: "point", tokens: "token", requests: "request", streams: "stream" };
/** @type {Record<string, string>} */
const WINDOWS = { minute: "this minute", day: "today", week: "this week", month: "this month", total: "in all", now: "now" };

/** @param {any} row */
function words(row) {
  const window = WINDOWS[row.window] ?? row.window ?? "";
  const unit = UNITS[row.unit] ?? row.unit;
  if (row.limit === null) return `${quantity(row.used, unit)} ${window}, no limit`;
  return `${count(row.used)} of ${quantity(row.limit, unit)} ${window}`;
}

/** @param {any} key A key with `limits`. */
export function limitWords(key) {
  const set = key.limits.filter((/** @type {any} */ row) => row.limit !== null);
  return set.map(words).join("; ");
}

/**
 * A bar for each limit. `isBrief` leaves out what is not limited.
 *
 * @param {{ limits: any[], isBrief?: boolean }} props
 */
export function Limits({ limits, isBrief = false }) {
  const shown = isBrief ? limits.filter((row) => row.limit !== null) : limits;
  if (!shown.length) return html`<span class="absent">no limit</span>`;
  return html`<ul class="limits">
    ${shown.map((row) => {
      const share = row.limit ? row.used / row.limit : row.limit === 0 ? 1 : 0;
      const tone = share >= 1 ? "over" : share >= NEAR ? "near" : "used";
      return html`<li key=${`${row.unit} ${row.window}`}>
        <span>${words(row)}</span>
        ${row.limit !== null && html`<${Bar} parts=${[{ value: row.limit === 0 ? 1 : row.used, tone }]} of=${row.limit || 1} label=${words(row)} />`}
        ${row.limit !== null && row.resets_at && row.window !== "minute" && html`<span class="note">resets <${Time} at=${row.resets_at} isRelative /></span>`}
      </li>`;
    })}
  </ul>`;
}
