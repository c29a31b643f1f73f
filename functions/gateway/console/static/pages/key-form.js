import { call } from "../lib/api.js";
import { html, useRef } from "../lib/html.js";
import { useAction } from "../lib/resource.js";
import { withFreshSession } from "../lib/session.js";
import { Dialog, DialogEnd, Field } from "../lib/ui.js";

/** @type {[string, string][]} */
const LIMITS = [
  ["points_per_day", "Points per day"],
  ["points_per_month", "Points per month"],
  ["tokens_per_day", "Tokens per day"],
  ["tokens_per_month", "Tokens per month"],
  ["requests_per_minute", "Requests per minute"],
  ["max_concurrent", "Requests at once"],
];
/** @type {[string, string, string][]} */
const LISTS = [
  ["models", "Models", "One on each line; * at the end stands for anything. Empty: all models."],
  ["routes", "Routes", "Such as /v1/chat/completions, one on each line. Empty: all routes."],
  ["ip_ranges", "Networks", "From which it may be used, such as 192.0.2.0/24, one on each line. Empty: all."],
];

/** @param {string | null} iso */
function localMinute(iso) {
  if (!iso) return "";
  const moment = new Date(iso);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {string} text */
function lines(text) {
  return text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter(Boolean);
}

/**
 * What the form says, as the administration takes it. An empty limit is none.
 *
 * @param {FormData} form
 */
function bodyOf(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? "").trim();
  const expires = text("expires_at");
  return {
    name: text("name"),
    expires_at: expires ? new Date(expires).toISOString() : null,
    ...Object.fromEntries(LIMITS.map(([name]) => [name, text(name) === "" ? null : Number(text(name))])),
    ...Object.fromEntries(LISTS.map(([name]) => [name, lines(text(name))])),
  };
}

/**
 * Only what differs: a change leaves alone what the form does not know.
 *
 * @param {Record<string, any>} body
 * @param {any} key
 */
function changes(body, key) {
  const kept = { ...key, expires_at: key.expires_at ? localMinute(key.expires_at) : null };
  const given = { ...body, expires_at: body.expires_at ? localMinute(body.expires_at) : null };
  return Object.fromEntries(
    Object.keys(body)
      .filter((name) => JSON.stringify(given[/** @type {keyof typeof given} */ (name)]) !== JSON.stringify(kept[name] ?? null))
      .map((name) => [name, body[name]]),
  );
}

/**
 * A new key, or changes of `of`.
 *
 * @param {{ of?: any, onDone: (key: any) => void, onClose: () => void }} props
 */
export function KeyForm({ of = null, onDone, onClose }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const given = new FormData(form.current ?? undefined);
      const body = bodyOf(given);
      if (of) {
        const changed = { ...changes(body, of), version: of.version };
        onDone(await call(`admin/keys/${encodeURIComponent(of.id)}`, { method: "PATCH", body: changed }));
        return;
      }
      const made = { ...body, role: String(given.get("role")) };
      onDone(await withFreshSession(() => call("admin/keys", { method: "POST", body: made })));
    });
  };
  return html`<${Dialog} title=${of ? `Edit ${of.name}` : "Create a key"} onClose=${onClose}>
    <form ref=${form} onSubmit=${submit}>
      <${Field} label="Name" hint="Of the program or person that uses it.">
        ${(/** @type {string} */ id, /** @type {string} */ hint) =>
          html`<input id=${id} name="name" required maxlength="200" autocomplete="off" defaultValue=${of?.name ?? ""} aria-describedby=${hint} />`}
      <//>
      ${!of && html`<${Role} />`}
      <div class="pair">
        ${LIMITS.map(
          ([name, label]) =>
            html`<${Field} key=${name} label=${label}>
              ${(/** @type {string} */ id) =>
                html`<input id=${id} name=${name} type="number" min=${name.includes("per_minute") || name === "max_concurrent" ? 1 : 0} step="1" placeholder="no limit" defaultValue=${of?.[name] ?? ""} />`}
            <//>`,
        )}
      </div>
      <${Field} label="Expires" hint="In your time zone. Empty: never.">
        ${(/** @type {string} */ id, /** @type {string} */ hint) =>
          html`<input id=${id} name="expires_at" type="datetime-local" defaultValue=${localMinute(of?.expires_at ?? null)} aria-describedby=${hint} />`}
      <//>
      <details open=${Boolean(of) && LISTS.some(([name]) => of[name].length)}>
        <summary>Models, routes, networks</summary>
        ${LISTS.map(
          ([name, label, text]) =>
            html`<${Field} key=${name} label=${label} hint=${text}>
              ${(/** @type {string} */ id, /** @type {string} */ hint) =>
                html`<textarea id=${id} name=${name} rows="2" spellcheck=${false} defaultValue=${(of?.[name] ?? []).join("\n")} aria-describedby=${hint}></textarea>`}
            <//>`,
        )}
      </details>
      <${DialogEnd} action=${of ? "Save" : "Create"} ...${{ isRunning, error, onClose }} />
    </form>
  <//>`;
}

function Role() {
  return html`<${Field} label="Role" hint="client uses models. admin administers, viewer only looks; neither uses models.">
    ${(/** @type {string} */ id, /** @type {string} */ hint) =>
      html`<select id=${id} name="role" aria-describedby=${hint}>
        <option value="client">client</option>
        <option value="viewer">viewer</option>
        <option value="admin">admin</option>
      </select>`}
  <//>`;
}
