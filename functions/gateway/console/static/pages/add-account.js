import { call } from "../lib/api.js";
import { readCookies } from "../lib/cookies.js";
import { html, useId, useRef, useState } from "../lib/html.js";
import { useAction } from "../lib/resource.js";
import { Dialog, DialogEnd, Field, Time } from "../lib/ui.js";

/** The ways to add an account: an API key, signing in at Poe, cookies. Poe is asked before anything is stored. */

/** @param {FormData} form */
function cookiesOf(form) {
  const credentials = readCookies(String(form.get("cookies")));
  if (!credentials) throw new Error("There is no p-b cookie of poe.com in this text.");
  return credentials;
}

/**
 * @param {"official" | "web"} kind
 * @param {FormData} form
 */
function credentialsOf(kind, form) {
  return kind === "web" ? cookiesOf(form) : { api_key: String(form.get("key")).trim() };
}

/** @param {{ kind: "official" | "web" }} props */
function Credentials({ kind }) {
  if (kind === "web") {
    return html`<${Field}
      label="Cookies"
      hint="Of poe.com, from the browser's developer tools: a Cookie header, a cookies.txt, or a JSON export. The p-b cookie is needed, the others help."
    >
      ${(/** @type {string} */ id, /** @type {string} */ hint) =>
        html`<textarea id=${id} name="cookies" rows="4" required spellcheck=${false} autocomplete="off" aria-describedby=${hint}></textarea>`}
    <//>`;
  }
  return html`<${Field} label="API key" hint="From poe.com/api/keys. It is stored encrypted.">
    ${(/** @type {string} */ id, /** @type {string} */ hint) =>
      html`<input id=${id} name="key" type="password" required autocomplete="off" spellcheck=${false} aria-describedby=${hint} />`}
  <//>`;
}

/**
 * @param {{ canSignIn: boolean, onAdded: (account: any) => void, onClose: () => void }} props
 */
export function AddAccount({ canSignIn, onAdded, onClose }) {
  const [way, setWay] = useState("official");
  const name = useId();
  const ways = [
    ["official", "API key", ""],
    ["sign-in", "Sign in at Poe", canSignIn ? "" : "not set up: it needs GATEWAY_POE_CLIENT_ID"],
    ["web", "Cookies", ""],
  ];
  return html`<${Dialog} title="Add an account" onClose=${onClose}>
    <fieldset>
      <legend>How</legend>
      <div class="choices">
        ${ways.map(
          ([value, words, why]) =>
            html`<label key=${value}>
              <input type="radio" name=${name} value=${value} checked=${way === value} disabled=${why !== ""} onChange=${() => setWay(value)} />${words}
              ${why && html` <span class="note">(${why})</span>`}
            </label>`,
        )}
      </div>
    </fieldset>
    ${way === "sign-in"
      ? html`<${SignInAtPoe} onAdded=${onAdded} onClose=${onClose} />`
      : html`<${ByCredentials} key=${way} kind=${way} onAdded=${onAdded} onClose=${onClose} />`}
  <//>`;
}

/**
 * @param {{ kind: "official" | "web", onAdded: (account: any) => void, onClose: () => void }} props
 */
function ByCredentials({ kind, onAdded, onClose }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const given = new FormData(form.current ?? undefined);
      const body = {
        kind,
        label: String(given.get("label")).trim(),
        credentials: credentialsOf(kind, given),
        max_concurrency: Number(given.get("slots")),
        check: given.get("check") !== null,
      };
      onAdded(await call("admin/accounts", { method: "POST", body }));
    });
  };
  return html`<form ref=${form} onSubmit=${submit}>
    ${kind === "web" &&
    html`<p class="note">The web API is unofficial: it can break whenever Poe changes its site. An API key is recommended.</p>`}
    <${Field} label="Label" hint="How you tell it from others, such as your e-mail address. The same label again replaces the credentials.">
      ${(/** @type {string} */ id, /** @type {string} */ hint) => html`<input id=${id} name="label" required maxlength="200" autocomplete="off" aria-describedby=${hint} />`}
    <//>
    <${Credentials} kind=${kind} />
    <${Field} label="Slots" hint="Most requests at once, 1 to 16.">
      ${(/** @type {string} */ id, /** @type {string} */ hint) =>
        html`<input id=${id} name="slots" type="number" min="1" max="16" required defaultValue="2" aria-describedby=${hint} />`}
    <//>
    <label><input type="checkbox" name="check" defaultChecked />Ask Poe first, and store nothing if Poe refuses</label>
    <${DialogEnd} action="Add" whileRunning="Asking Poe …" ...${{ isRunning, error, onClose }} />
  </form>`;
}

/**
 * Signing in with PKCE: the browser comes back to an address that nobody serves, and that address is pasted.
 *
 * @param {{ onAdded: (account: any) => void, onClose: () => void }} props
 */
function SignInAtPoe({ onAdded, onClose }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [begun, setBegun] = useState(/** @type {any} */ (null));
  const { isRunning, error, run } = useAction();
  const begin = () => run(async () => setBegun(await call("admin/accounts/sign-in", { method: "POST" })));
  const finish = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const given = new FormData(form.current ?? undefined);
      const body = { redirected_url: String(given.get("address")).trim(), label: String(given.get("label")).trim() };
      onAdded(await call(`admin/accounts/sign-in/${begun.sign_in_id}`, { method: "POST", body }));
    });
  };
  if (!begun) {
    return html`<p>Poe asks whether the gateway may use your account, and makes an API key for it. The key never passes through this page.</p>
      <${DialogEnd} action="Begin" ...${{ isRunning, error, onClose }} onYes=${begin} />`;
  }
  return html`<form ref=${form} onSubmit=${finish}>
    <p>1. <a href=${begun.authorize_url} target="_blank" rel="noopener noreferrer">Sign in at Poe</a>, until <${Time} at=${begun.expires_at} />.</p>
    <p>
      2. Your browser then goes to an address that begins with <code>http://127.0.0.1</code> and can't be opened: that is meant to be. Copy the whole
      address from the address bar.
    </p>
    <${Field} label="Address" hint="It works once.">
      ${(/** @type {string} */ id, /** @type {string} */ hint) =>
        html`<textarea id=${id} name="address" rows="3" required spellcheck=${false} autocomplete="off" aria-describedby=${hint}></textarea>`}
    <//>
    <${Field} label="Label">${(/** @type {string} */ id) => html`<input id=${id} name="label" required maxlength="200" defaultValue="official" />`}<//>
    <${DialogEnd} action="Add" whileRunning="Asking Poe …" ...${{ isRunning, error, onClose }} />
  </form>`;
}

/**
 * @param {{ account: any, onDone: () => void, onClose: () => void }} props
 */
export function ReplaceCredentials({ account, onDone, onClose }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const credentials = credentialsOf(account.kind, new FormData(form.current ?? undefined));
      await call("admin/accounts", { method: "POST", body: { kind: account.kind, label: account.label, credentials } });
      onDone();
    });
  };
  return html`<${Dialog} title=${`New credentials for ${account.label}`} onClose=${onClose}>
    <form ref=${form} onSubmit=${submit}>
      <${Credentials} kind=${account.kind} />
      <p class="note">Poe is asked first. If Poe refuses them, the old ones stay.</p>
      <${DialogEnd} action="Replace" whileRunning="Asking Poe …" ...${{ isRunning, error, onClose }} />
    </form>
  <//>`;
}
