import { html, useId } from "./html.js";
import { RANGES } from "./ranges.js";
import { Choice } from "./ui.js";

/**
 * The choice of a range, with two dates where they are asked for.
 *
 * @param {{ values: Record<string, string>, change: (changes: Record<string, string>) => void }} props
 */
export function RangeChoice({ values, change }) {
  return html`<${Choice} label="Range" value=${values.range} options=${RANGES} onChange=${(/** @type {string} */ range) => change({ range })} />
    ${values.range === "custom" &&
    html`<${Day} label="From" value=${values.from} onChange=${(/** @type {string} */ from) => change({ from })} />
      <${Day} label="To" value=${values.to} onChange=${(/** @type {string} */ to) => change({ to })} />`}`;
}

/** @param {{ label: string, value: string, onChange: (value: string) => void }} props */
function Day({ label, value, onChange }) {
  const id = useId();
  const changed = (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).value);
  return html`<div class="choice">
    <label for=${id}>${label}</label>
    <input id=${id} type="date" value=${value} onChange=${changed} />
  </div>`;
}

/**
 * The choices of a key, a model and an account.
 *
 * @param {{ values: Record<string, string>, change: (changes: Record<string, string>) => void,
 *   names: { keys: { id: string, name: string }[], accounts: { id: string, label: string }[] } | undefined,
 *   models: string[] }} props
 */
export function WhoseChoices({ values, change, names, models }) {
  /** @type {[string, string][]} */
  const keys = (names?.keys ?? []).map(({ id, name }) => [id, name]);
  /** @type {[string, string][]} */
  const accounts = (names?.accounts ?? []).map(({ id, label }) => [id, label]);
  /** @type {[string, string][]} */
  const offered = [...new Set([...models, ...(values.model ? [values.model] : [])])].sort().map((model) => [model, model]);
  return html`<${Choice} label="Key" value=${values.key} options=${[["", "All keys"], ...keys]} onChange=${(/** @type {string} */ key) => change({ key })} />
    <${Choice} label="Model" value=${values.model} options=${[["", "All models"], ...offered]} onChange=${(/** @type {string} */ model) => change({ model })} />
    <${Choice} label="Account" value=${values.account} options=${[["", "All accounts"], ...accounts]} onChange=${(/** @type {string} */ account) => change({ account })} />`;
}
