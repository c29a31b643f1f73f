import { call } from "../lib/api.js";
import { html, useRef, useState } from "../lib/html.js";
import { More, useOlder } from "../lib/older.js";
import { useAction, useResource } from "../lib/resource.js";
import { addressOf } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Badge, Confirm, Copyable, Dialog, DialogEnd, Field, Loaded, PageHead, Section, Time } from "../lib/ui.js";

/** @type {Record<string, [import("../lib/ui.js").Tone, string]>} */
const STATES = { ok: ["ok", "ok"], warn: ["warn", "look"], fail: ["bad", "broken"] };

/**
 * How the deployment is, what was noticed, and who changed what.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Health({ session }) {
  const health = useResource("health", { every: 60 });
  return html`<${PageHead} title="Health"><button type="button" onClick=${health.reload}>Check again</button><//>
    <${Loaded} of=${health}>
      ${(/** @type {any} */ data) =>
        html`<${Checks} data=${data} />
          <${Alerts} alerts=${data.alerts} />
          ${session.role === "admin" && html`<${Overrides} overrides=${data.overrides ?? {}} onChanged=${health.reload} />`}
          <${Audit} first=${data.audit} />`}
    <//>`;
}

/** @param {{ data: any }} props */
function Checks({ data }) {
  const columns = [
    { name: "Check", value: (/** @type {any} */ row) => row.name },
    {
      name: "State",
      value: (/** @type {any} */ row) => row.state,
      cell: (/** @type {any} */ row) => {
        const [tone, words] = STATES[row.state] ?? ["quiet", row.state];
        return html`<${Badge} tone=${tone}>${words}<//>`;
      },
    },
    {
      name: "Found",
      value: (/** @type {any} */ row) => row.detail,
      cell: (/** @type {any} */ row) => html`${row.detail}${row.remedy && html`<p class="note">${row.remedy}</p>`}`,
    },
  ];
  const note = html`version ${data.version}, schema ${data.schema}; as of <${Time} at=${data.as_of} />`;
  return html`<${Section} title="Checks" note=${note}>
    <${Table} name="Checks" columns=${columns} rows=${data.checks} rowKey=${(/** @type {any} */ row) => row.name} isSorted=${false} />
    <p class="note"><code>poegw doctor</code> checks the way to the gateway as well: address, TLS, streaming.</p>
  <//>`;
}

/** @param {{ alerts: any[] }} props */
function Alerts({ alerts }) {
  const columns = [
    { name: "When", value: (/** @type {any} */ row) => row.at, cell: (/** @type {any} */ row) => html`<${Time} at=${row.at} isExact />` },
    {
      name: "What",
      value: (/** @type {any} */ row) => row.text,
      cell: (/** @type {any} */ row) => (row.account ? html`<a href=${addressOf("accounts", {}, row.account)}>${row.text}</a>` : row.text),
    },
    {
      name: "Over since",
      value: (/** @type {any} */ row) => row.ended_at,
      cell: (/** @type {any} */ row) => (row.ended_at ? html`<${Time} at=${row.ended_at} isExact />` : html`<${Badge} tone="warn">open<//>`),
    },
    { name: "Kind", value: (/** @type {any} */ row) => row.kind },
  ];
  return html`<${Section} title="Alerts">
    ${alerts.length
      ? html`<${Table} name="Alerts" columns=${columns} rows=${alerts} rowKey=${(/** @type {any} */ row) => row.id} />`
      : html`<p>None was raised.</p>`}
  <//>`;
}

/** @param {{ overrides: Record<string, unknown>, onChanged: () => void }} props */
function Overrides({ overrides, onChanged }) {
  const [open, setOpen] = useState("");
  const { isRunning, error, run, clear } = useAction();
  const close = () => (clear(), setOpen(""));
  const isEmpty = Object.keys(overrides).length === 0;
  const put = (/** @type {unknown} */ body) =>
    run(async () => {
      await call("admin/config/poe", { method: "PUT", body });
      close();
      onChanged();
    });
  const tools = html`<button type="button" class="quiet" onClick=${() => setOpen("edit")}>Edit</button>
    ${!isEmpty && html`<button type="button" class="quiet danger" onClick=${() => setOpen("remove")}>Remove all</button>`}`;
  return html`<${Section} title="Overrides of the web protocol" tools=${tools}>
    ${isEmpty
      ? html`<p>None: what the gateway knows of Poe's site is what it was made with.</p>`
      : html`<${Copyable} label="Overrides" text=${JSON.stringify(overrides, null, 2)} />`}
    ${open === "edit" && html`<${EditOverrides} ...${{ overrides, isRunning, error, put }} onClose=${close} />`}
    ${open === "remove" &&
    html`<${Confirm} title="Remove all overrides?" action="Remove" isRunning=${isRunning} error=${error} onYes=${() => put({})} onClose=${close}>
      <p>The gateway goes back to what it was made with. Other running sandboxes follow within a minute.</p>
    <//>`}
  <//>`;
}

/**
 * @param {{ overrides: Record<string, unknown>, isRunning: boolean, error: Error | null, put: (body: unknown) => void,
 *   onClose: () => void }} props
 */
function EditOverrides({ overrides, isRunning, error, put, onClose }) {
  const text = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [wrong, setWrong] = useState(/** @type {Error | null} */ (null));
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    let body;
    try {
      body = JSON.parse(text.current?.value ?? "");
    } catch (failure) {
      setWrong(new Error(`This is no JSON: ${/** @type {Error} */ (failure).message}`));
      return;
    }
    setWrong(null);
    put(body);
  };
  return html`<${Dialog} title="Overrides of the web protocol" isWide onClose=${onClose}>
    <form onSubmit=${save}>
      <${Field} label="JSON" hint="The whole document: what is left out is removed. The runbook and docs/admin-api.md have the fields.">
        ${(/** @type {string} */ id, /** @type {string} */ hint) =>
          html`<textarea id=${id} ref=${text} class="mono" rows="12" spellcheck=${false} defaultValue=${JSON.stringify(overrides, null, 2)} aria-describedby=${hint}></textarea>`}
      <//>
      <${DialogEnd} action="Save" ...${{ isRunning, onClose }} error=${wrong ?? error} />
    </form>
  <//>`;
}

/** @param {{ first: { data: any[], next_cursor: string | null } }} props */
function Audit({ first }) {
  const pages = useOlder(first, "admin/audit", (row) => row.id);
  const columns = [
    { name: "When", value: (/** @type {any} */ row) => row.at, cell: (/** @type {any} */ row) => html`<${Time} at=${row.at} isExact />` },
    { name: "Who", value: (/** @type {any} */ row) => row.actor },
    { name: "What", value: (/** @type {any} */ row) => row.action, cell: (/** @type {any} */ row) => html`${row.action}${row.fields.length > 0 && html`<p class="note">${row.fields.join(", ")}</p>`}` },
    { name: "Of", value: (/** @type {any} */ row) => row.target, cell: (/** @type {any} */ row) => (row.target ? html`<span class="mono">${row.target}</span>` : "") },
    { name: "Status", isNumber: true, value: (/** @type {any} */ row) => row.status, cell: (/** @type {any} */ row) => html`${row.status}${row.code && html`<p class="note">${row.code}</p>`}` },
    { name: "From", value: (/** @type {any} */ row) => row.address, cell: (/** @type {any} */ row) => row.address ?? html`<span class="absent">unknown</span>` },
  ];
  return html`<${Section} title="Changes" note="of 30 days, newest first">
    ${pages.rows.length
      ? html`<${Table} name="Changes" columns=${columns} rows=${pages.rows} rowKey=${(/** @type {any} */ row) => row.id} isSorted=${false} />`
      : html`<p>Nothing was changed.</p>`}
    <${More} of=${pages} label="Older changes" />
  <//>`;
}
