import { call } from "../lib/api.js";
import { html, useRef, useState } from "../lib/html.js";
import { useAction } from "../lib/resource.js";
import { addressOf } from "../lib/router.js";
import { withFreshSession } from "../lib/session.js";
import { Copyable, Dialog, DialogEnd, Field, Time } from "../lib/ui.js";
import { keepSecret } from "./secrets.js";
import { snippets } from "./snippets.js";

/** @type {[string, string][]} */
const GRACES = [
  ["86400", "24 hours"],
  ["3600", "1 hour"],
  ["604800", "7 days"],
  ["0", "not at all: it was stolen"],
];

/**
 * A secret that was just made, with what programs need to use it.
 *
 * @param {{ of: any, onClose: () => void }} props
 */
export function NewSecret({ of, onClose }) {
  const made = snippets(of.key, of.models[0]?.replace("*", "") ?? "");
  const [shown, setShown] = useState(made[0].name);
  const snippet = made.find(({ name }) => name === shown) ?? made[0];
  const isClient = of.role === "client";
  if (isClient) keepSecret(of);
  return html`<${Dialog} title=${`The secret of ${of.name}`} isWide onClose=${onClose}>
    <p>Copy it now: it is shown this once, and nobody can show it again.</p>
    <${Copyable} label="Secret" text=${of.key} isSecret />
    ${of.old_key_works_until && html`<p>The old secret works until <${Time} at=${of.old_key_works_until} />.</p>`}
    ${isClient &&
    html`<h3>Connect a program</h3>
      <div class="tabs" role="group" aria-label="Programs">
        ${made.map(
          ({ name }) =>
            html`<button key=${name} type="button" class="quiet" aria-pressed=${name === shown} onClick=${() => setShown(name)}>${name}</button>`,
        )}
      </div>
      ${snippet.note && html`<p class="note">${snippet.note}</p>`}
      <${Copyable} key=${shown} label=${`For ${shown}`} text=${snippet.text} />
      <p><a href=${addressOf("playground")} onClick=${onClose}>Try it in the playground</a></p>`}
    <div class="actions"><button type="button" class="main" onClick=${onClose}>I have copied it</button></div>
  <//>`;
}

/** @param {{ of: any, onDone: (key: any) => void, onClose: () => void }} props */
export function RotateKey({ of, onDone, onClose }) {
  const grace = useRef(/** @type {HTMLSelectElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const rotate = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const body = { grace_seconds: Number(grace.current?.value) };
      onDone(await withFreshSession(() => call(`admin/keys/${encodeURIComponent(of.id)}/rotate`, { method: "POST", body })));
    });
  };
  return html`<${Dialog} title=${`Rotate ${of.name}`} onClose=${onClose}>
    <form onSubmit=${rotate}>
      <p>The key gets a new secret. Name, limits and use stay.</p>
      <${Field} label="The old secret works on for">
        ${(/** @type {string} */ id) =>
          html`<select id=${id} ref=${grace}>
            ${GRACES.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
          </select>`}
      <//>
      <${DialogEnd} action="Rotate" ...${{ isRunning, error, onClose }} />
    </form>
  <//>`;
}
