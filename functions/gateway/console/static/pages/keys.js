import { call, withQuery } from "../lib/api.js";
import { html, useState } from "../lib/html.js";
import { useAction, useResource } from "../lib/resource.js";
import { addressOf } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Confirm, Empty, Failure, Loaded, PageHead, Section, Time } from "../lib/ui.js";
import { KeyForm } from "./key-form.js";
import { Limits, limitWords } from "./key-limits.js";
import { NewSecret, RotateKey } from "./key-secret.js";

/**
 * Keys of programs and people: what each may spend, and has spent.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Keys({ session, place }) {
  const cursor = place.query.get("cursor");
  const keys = useResource(withQuery("keys", { cursor }));
  const [open, setOpen] = useState(/** @type {{ what: string, key: any }} */ ({ what: "", key: null }));
  const action = useAction();
  const close = () => (action.clear(), setOpen({ what: "", key: null }));
  const made = (/** @type {any} */ key) => {
    setOpen({ what: "secret", key });
    keys.reload();
  };
  const changed = () => {
    close();
    keys.reload();
  };
  const revoke = () =>
    action.run(async () => {
      await call(`admin/keys/${encodeURIComponent(open.key.id)}`, { method: "DELETE" });
      changed();
    });
  const toggle = (/** @type {any} */ key) =>
    action.run(async () => {
      const body = { enabled: !key.enabled, version: key.version };
      await call(`admin/keys/${encodeURIComponent(key.id)}`, { method: "PATCH", body });
      keys.reload();
    });
  const create = session.can_change && html`<button type="button" class="main" onClick=${() => setOpen({ what: "create", key: null })}>Create key</button>`;
  const actions = session.can_change ? { open: (/** @type {string} */ what, /** @type {any} */ key) => setOpen({ what, key }), toggle } : null;
  return html`<${PageHead} title="Keys">${create}<//>
    <${Failure} error=${open.what ? null : action.error} />
    <${Loaded} of=${keys}>
      ${(/** @type {any} */ data) =>
        data.data.length
          ? html`<${Section} title="Keys" note=${html`budgets count UTC days and months; as of <${Time} at=${data.as_of} />`}>
              <${Rows} keys=${data.data} actions=${actions} />
              ${(cursor || data.next_cursor) &&
              html`<nav class="actions" aria-label="Pages of keys">
                ${cursor && html`<a href=${addressOf("keys")}>First page</a>`}
                ${data.next_cursor && html`<a href=${addressOf("keys", { cursor: data.next_cursor })}>Next page</a>`}
              </nav>`}
            <//>`
          : html`<${Empty}><p>There is no key yet. Programs need one to use the gateway.</p>${create}<//>`}
    <//>
    ${open.what === "create" && html`<${KeyForm} onDone=${made} onClose=${close} />`}
    ${open.what === "edit" && html`<${KeyForm} of=${open.key} onDone=${changed} onClose=${close} />`}
    ${open.what === "rotate" && html`<${RotateKey} of=${open.key} onDone=${made} onClose=${close} />`}
    ${open.what === "secret" && html`<${NewSecret} of=${open.key} onClose=${close} />`}
    ${open.what === "revoke" &&
    html`<${Confirm} title=${`Revoke ${open.key.name}?`} action="Revoke" ...${action} onYes=${revoke} onClose=${close}>
      <p>Programs that use this key stop working within a minute. It can't be undone. What it used stays in the books.</p>
    <//>`}`;
}

/**
 * @param {{ keys: any[], actions: { open: (what: string, key: any) => void, toggle: (key: any) => void } | null }} props
 */
function Rows({ keys, actions }) {
  /** @type {import("../lib/table.js").Column[]} */
  const columns = [
    { name: "Key", value: (row) => row.name },
    { name: "Role", value: (row) => row.role },
    { name: "Status", value: statusWords, cell: (row) => html`<${Status} row=${row} />` },
    { name: "Used of its limits", value: limitWords, cell: (row) => html`<${Limits} limits=${row.limits} isBrief />` },
    { name: "Models", value: (row) => row.models.join(" "), cell: (row) => (row.models.length ? row.models.join(", ") : "all") },
    { name: "Expires", value: (row) => row.expires_at, cell: (row) => html`<${Time} at=${row.expires_at} absent="never" />` },
    {
      name: "Last used",
      value: (row) => row.last_used_at,
      cell: (row) =>
        html`<${Time} at=${row.last_used_at} isRelative absent="never" />${row.last_used_at !== null &&
        html`<p class="note">answered: <${Time} at=${row.last_success_at} isRelative /></p>`}`,
    },
  ];
  if (actions) {
    columns.push({
      name: "Actions",
      isAction: true,
      value: () => null,
      cell: (row) =>
        html`<button type="button" class="quiet" aria-label=${`Edit ${row.name}`} onClick=${() => actions.open("edit", row)}>Edit</button>
          <button type="button" class="quiet" aria-label=${`Rotate ${row.name}`} onClick=${() => actions.open("rotate", row)}>Rotate</button>
          <button type="button" class="quiet" aria-label=${`${row.enabled ? "Switch off" : "Switch on"} ${row.name}`} onClick=${() => actions.toggle(row)}>
            ${row.enabled ? "Switch off" : "Switch on"}
          </button>
          <button type="button" class="quiet danger" aria-label=${`Revoke ${row.name}`} onClick=${() => actions.open("revoke", row)}>Revoke</button>`,
    });
  }
  return html`<${Table} name="Keys" columns=${columns} rows=${keys} rowKey=${(/** @type {any} */ row) => row.id} />`;
}

/** @param {any} row */
function statusWords(row) {
  if (!row.enabled) return "switched off";
  return row.reason ? row.reason.text : "works";
}

/** @param {{ row: any }} props */
function Status({ row }) {
  if (!row.enabled) return html`<${Badge} tone="quiet">Switched off<//>`;
  if (!row.reason) return html`<${Badge} tone="ok">Works<//>`;
  return html`<${Badge} tone="warn">Refused<//>
    <p class="note">${row.reason.text}${row.reason.until && html` Until <${Time} at=${row.reason.until} />.`}</p>`;
}
