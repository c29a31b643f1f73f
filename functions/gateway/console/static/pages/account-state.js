import { count, points, UNKNOWN } from "../lib/format.js";
import { html } from "../lib/html.js";
import { Badge, Bar, Time, Value } from "../lib/ui.js";

/** How an account stands, in words and as a bar. */

/** @typedef {any} Shown An account, as the page of accounts has it. */

/** @type {Record<string, [import("../lib/ui.js").Tone, string]>} */
const STATES = {
  active: ["ok", "Ready"],
  cooldown: ["warn", "Waiting"],
  depleted: ["warn", "No points"],
  invalid: ["bad", "Refused by Poe"],
  disabled: ["quiet", "Switched off"],
};

/**
 * A status in words, as text.
 *
 * @param {Shown} account
 */
export function statusWords(account) {
  const [, words] = STATES[account.status] ?? ["quiet", account.status];
  return account.reason ? `${words}: ${account.reason.text}` : words;
}

/**
 * A status in words, with its reason.
 *
 * @param {{ account: Shown }} props
 */
export function Status({ account }) {
  const [tone, words] = STATES[account.status] ?? ["quiet", account.status];
  return html`<${Badge} tone=${tone}>${words}<//>
    ${account.reason &&
    html`<p class="note">
      ${account.reason.text}${account.reason.until && html` Until <${Time} at=${account.reason.until} />.`}
    </p>`}`;
}

/**
 * What is left, of plan and add-on, with its age.
 *
 * @param {{ account: Shown }} props
 */
export function Balance({ account }) {
  const { message_point_balance: left, plan_points: plan, addon_points: addon, allotment } = account;
  if (left === null) return html`<${Value} text=${UNKNOWN} />`;
  const of = Math.max((allotment ?? 0) + (addon ?? 0), left, 1);
  const parts = plan === null ? [{ value: left, tone: "plan" }] : [{ value: plan, tone: "plan" }, { value: addon ?? 0, tone: "addon" }];
  const told = [plan !== null && `${count(plan)} plan`, addon !== null && addon > 0 && `${count(addon)} add-on`].filter(Boolean).join(", ");
  const words = `${points(left)}${allotment === null ? "" : ` of ${count(allotment)} granted`}`;
  return html`<span class="whole">${count(left)}${allotment !== null && html` <span class="note">of ${count(allotment)}</span>`}</span>
    <${Bar} parts=${parts} of=${of} label=${told ? `${words}: ${told}` : words} />
    ${told && html`<div class="note whole">${told}</div>`}
    <div class="note">as of <${Time} at=${account.last_refresh_at} isRelative /></div>`;
}
