import { ApiError } from "./api.js";
import { exactTime, relative, time, timeWithSeconds, UNKNOWN } from "./format.js";
import { html, useEffect, useId, useRef, useState } from "./html.js";

/** Small pieces that every page is made of. */

/** @typedef {"ok" | "warn" | "bad" | "quiet"} Tone */

/**
 * A page's heading, and what stands beside it.
 *
 * @param {{ title: string, children?: any }} props
 */
export function PageHead({ title, children }) {
  return html`<header class="page-head">
    <h1 tabindex="-1">${title}</h1>
    <div class="page-tools">${children}</div>
  </header>`;
}

/**
 * A part of a page with its own heading.
 *
 * @param {{ title: string, note?: any, tools?: any, children?: any }} props
 */
export function Section({ title, note, tools, children }) {
  const id = useId();
  return html`<section class="section" aria-labelledby=${id}>
    <div class="section-head">
      <h2 id=${id}>${title}</h2>
      ${note && html`<p class="note">${note}</p>`}
      ${tools && html`<div class="section-tools">${tools}</div>`}
    </div>
    ${children}
  </section>`;
}

/**
 * A figure with its name, and what to know about it.
 *
 * @param {{ name: string, value: any, note?: any, tone?: string }} props
 */
export function Tile({ name, value, note, tone }) {
  return html`<div class="tile">
    <dt>${name}</dt>
    <dd class=${tone ? `figure ${tone}` : "figure"}>${value}</dd>
    ${note && html`<dd class="note">${note}</dd>`}
  </div>`;
}

/**
 * A state in a word. The word says it; the colour only helps.
 *
 * @param {{ tone: Tone, children?: any }} props
 */
export function Badge({ tone, children }) {
  return html`<span class=${`badge ${tone}`}>${children}</span>`;
}

/**
 * A moment, exact when pointed at. `isRelative` says how long ago, `isExact` tells the seconds.
 *
 * @param {{ at: string | null | undefined, isRelative?: boolean, isExact?: boolean, absent?: string }} props
 */
export function Time({ at, isRelative = false, isExact = false, absent = UNKNOWN }) {
  if (!at) return html`<span class="absent">${absent}</span>`;
  const words = isRelative ? relative(at) : isExact ? timeWithSeconds(at) : time(at);
  return html`<time datetime=${at} title=${exactTime(at)}>${words}</time>`;
}

/**
 * A value that may not be known.
 *
 * @param {{ text: string }} props
 */
export function Value({ text }) {
  return text === UNKNOWN ? html`<span class="absent">${UNKNOWN}</span>` : html`<span>${text}</span>`;
}

/**
 * What went wrong, why, and what to do.
 *
 * @param {{ error: Error | null, retry?: () => void }} props
 */
export function Failure({ error, retry }) {
  if (!error) return null;
  const facts = error instanceof ApiError ? error : null;
  return html`<div class="failure" role="alert">
    <p>${error.message}</p>
    ${facts?.requestId && html`<p class="note">Request ${facts.requestId}${facts.code && `, ${facts.code}`}</p>`}
    ${retry && html`<button type="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

/** @param {{ children?: any }} props */
export function Empty({ children }) {
  return html`<div class="empty">${children}</div>`;
}

/**
 * The shape of what is being loaded.
 *
 * @param {{ lines?: number }} props
 */
export function Loading({ lines = 6 }) {
  return html`<div class="loading" role="status">
    <span class="hidden">Loading</span>
    ${Array.from({ length: lines }, (_, index) => html`<span class="bone" key=${index}></span>`)}
  </div>`;
}

/**
 * What a page shows of a question to the gateway: its shape while it loads, its failure, or `children` of its answer.
 * A failure leaves the last answer where it is.
 *
 * @param {{ of: import("./resource.js").Resource<any>, children: (data: any) => any }} props
 */
export function Loaded({ of, children }) {
  return html`${of.error && html`<${Failure} error=${of.error} retry=${of.reload} />`}
  ${of.data !== null
    ? html`<div class=${of.isLoading ? "stale" : ""} aria-busy=${of.isLoading}>${children(of.data)}</div>`
    : of.isLoading && html`<${Loading} />`}`;
}

/**
 * A dialog over the page. The browser keeps the focus in it; afterwards it is where it was.
 *
 * @param {{ title: string, isWide?: boolean, onClose: () => void, children?: any }} props
 */
export function Dialog({ title, isWide = false, onClose, children }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const opener = document.activeElement;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      // The browser gives the focus back only from a dialog that is still in the page.
      if (opener instanceof HTMLElement && opener.isConnected) setTimeout(() => opener.focus());
    };
  }, []);
  /** @param {Event} event */
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} class=${isWide ? "wide" : ""} aria-labelledby=${id} onCancel=${cancel}>
    <div class="dialog-head">
      <h2 id=${id}>${title}</h2>
      <button type="button" class="quiet" aria-label="Close" onClick=${onClose}>Close</button>
    </div>
    ${children}
  </dialog>`;
}

/**
 * The end of a dialog: what went wrong, and the two ways out. Without `onYes` the second one submits the form around it.
 *
 * @param {{ action: string, whileRunning?: string, cancel?: string, tone?: "main" | "danger", isRunning: boolean,
 *   error: Error | null, onYes?: () => void, onClose: () => void, children?: any }} props `children` stand before the buttons.
 */
export function DialogEnd({ action, whileRunning = action, cancel = "Cancel", tone = "main", isRunning, error, onYes, onClose, children }) {
  return html`<${Failure} error=${error} />
    ${children}
    <div class="actions">
      <button type="button" onClick=${onClose}>${cancel}</button>
      <button type=${onYes ? "button" : "submit"} class=${tone} disabled=${isRunning} onClick=${onYes}>${isRunning ? whileRunning : action}</button>
    </div>`;
}

/**
 * Asks before something that cannot be undone.
 *
 * @param {{ title: string, action: string, isRunning: boolean, error: Error | null, onYes: () => void,
 *   onClose: () => void, children?: any }} props
 */
export function Confirm({ title, action, isRunning, error, onYes, onClose, children }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${children}
    <${DialogEnd} ...${{ action, isRunning, error, onYes, onClose }} tone="danger" />
  <//>`;
}

/**
 * A labelled control. `children` gets the id for it, and the id of the hint.
 *
 * @param {{ label: string, hint?: any, children: (id: string, hintId: string | undefined) => any }} props
 */
export function Field({ label, hint, children }) {
  const id = useId();
  const hintId = hint ? `${id}-hint` : undefined;
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children(id, hintId)}
    ${hint && html`<p class="note" id=${hintId}>${hint}</p>`}
  </div>`;
}

/**
 * A choice in a row of filters.
 *
 * @param {{ label: string, value: string, options: [string, string][], onChange: (value: string) => void }} props
 */
export function Choice({ label, value, options, onChange }) {
  const id = useId();
  const known = options.some(([one]) => one === value);
  /** @param {Event} event */
  const changed = (event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<div class="choice">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${changed}>
      ${!known && html`<option value=${value}>${value}</option>`}
      ${options.map(([one, text]) => html`<option key=${one} value=${one}>${text}</option>`)}
    </select>
  </div>`;
}

/**
 * A text to copy: a key, or a command.
 *
 * @param {{ text: string, label: string, isSecret?: boolean }} props
 */
export function Copyable({ text, label, isSecret = false }) {
  const [said, setSaid] = useState("");
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      // Without leave, the text is marked, so that the keyboard copies it.
      if (box.current) getSelection()?.selectAllChildren(box.current);
      setSaid("Marked: press Ctrl+C");
    }
  };
  return html`<div class=${isSecret ? "copyable secret" : "copyable"}>
    <pre tabindex="0" role="region" aria-label=${label}><code ref=${box}>${text}</code></pre>
    <button type="button" class="quiet" aria-label=${`Copy: ${label}`} onClick=${copy}>Copy</button>
    <span role="status" class="note">${said}</span>
  </div>`;
}

/**
 * Parts of a whole, as one bar with its text beside it.
 *
 * @param {{ parts: { value: number, tone: string }[], of: number, label: string }} props
 */
export function Bar({ parts, of, label }) {
  return html`<span class="bar" role="img" aria-label=${label}>
    ${parts.map(
      ({ value, tone }) =>
        html`<span key=${tone} class=${tone} style=${{ width: `${of > 0 ? Math.min(100, (value / of) * 100) : 0}%` }}></span>`,
    )}
  </span>`;
}
