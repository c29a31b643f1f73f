import { call } from "../lib/api.js";
import { Chart } from "../lib/charts.js";
import { count, duration, points, UNKNOWN } from "../lib/format.js";
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { useAction, useResource } from "../lib/resource.js";
import { addressOf, go } from "../lib/router.js";
import { balancesByDay, pointsByModel } from "../lib/sums.js";
import { Table } from "../lib/table.js";
import { Confirm, Dialog, DialogEnd, Failure, Field, Loaded, PageHead, Section, Tile, Time, Value } from "../lib/ui.js";
import { Balance, Status } from "./account-state.js";
import { ReplaceCredentials } from "./add-account.js";

/**
 * One account: how it stands, what it did, what can be done with it.
 *
 * @param {{ id: string, session: import("../lib/session.js").Session }} props
 */
export function Account({ id, session }) {
  const account = useResource(`accounts/${encodeURIComponent(id)}`);
  const [open, setOpen] = useState("");
  const [said, setSaid] = useState("");
  const action = useAction();
  const close = () => (action.clear(), setOpen(""));
  const own = `admin/accounts/${encodeURIComponent(id)}`;
  const change = (/** @type {string} */ path, /** @type {string} */ words) =>
    action.run(async () => {
      await call(`${own}/${path}`, { method: "POST" });
      setSaid(words);
      account.reload();
    });
  const remove = () =>
    action.run(async () => {
      await call(own, { method: "DELETE" });
      go(addressOf("accounts"));
    });
  const done = (/** @type {string} */ words) => {
    close();
    setSaid(words);
    account.reload();
  };
  const data = account.data;
  return html`<p><a href=${addressOf("accounts")}>All accounts</a></p>
    <${PageHead} title=${data?.label ?? "Account"}>
      ${data &&
      session.can_change &&
      html`<button type="button" onClick=${() => setOpen("test")}>Test</button>
        <button type="button" disabled=${action.isRunning} onClick=${() => change("refresh-points", "Poe was asked for the points.")}>Read points now</button>
        <button type="button" onClick=${() => setOpen("replace")}>Replace credentials</button>
        <button type="button" onClick=${() => setOpen("edit")}>Edit</button>
        ${data.status === "disabled"
          ? html`<button type="button" disabled=${action.isRunning} onClick=${() => change("enable", "The account is switched on.")}>Switch on</button>`
          : html`<button type="button" disabled=${action.isRunning} onClick=${() => change("disable", "The account is switched off.")}>Switch off</button>`}
        <button type="button" class="danger" onClick=${() => setOpen("delete")}>Delete</button>`}
    <//>
    <div role="status">${said && html`<p class="notice">${said}</p>`}</div>
    <${Failure} error=${open ? null : action.error} />
    <${Loaded} of=${account}>${(/** @type {any} */ shown) => html`<${Shown} account=${shown} />`}<//>
    ${open === "test" && html`<${Test} own=${own} onClose=${() => (close(), account.reload())} />`}
    ${open === "edit" && html`<${Edit} own=${own} account=${data} onDone=${() => done("The account is changed.")} onClose=${close} />`}
    ${open === "replace" && html`<${ReplaceCredentials} account=${data} onDone=${() => done("The new credentials work, and are in use.")} onClose=${close} />`}
    ${open === "delete" &&
    html`<${Confirm} title=${`Delete ${data.label}?`} action="Delete" ...${action} onYes=${remove} onClose=${close}>
      <p>The account and its credentials are deleted from the gateway. At Poe nothing changes. What it used stays in the books.</p>
    <//>`}`;
}

/** @param {{ account: any }} props */
function Shown({ account }) {
  const chart = useMemo(() => pointsByModel(account.hours), [account.hours]);
  const pace = account.points_per_hour === null ? UNKNOWN : `${count(account.points_per_hour)} points an hour`;
  return html`<dl class="tiles">
      <${Tile} name="Status" value=${html`<${Status} account=${account} />`} />
      <${Tile} name="Points left" value=${html`<${Balance} account=${account} />`} />
      <${Tile} name="Next grant" value=${html`<${Time} at=${account.next_grant_at} />`} note=${account.allotment === null ? "" : points(account.allotment)} />
      <${Tile} name="Used today" value=${count(account.used_today)} note=${html`points; <${Value} text=${pace} /> in the last 24 hours`} />
      <${Tile} name="Slots in use" value=${`${account.slots_in_use} of ${account.max_concurrency}`} note="requests at once" />
    </dl>
    <${Section} title="Points of the last seven days"><${Chart} data=${chart} /><//>
    <${Balances} account=${account} />
    <${Reconciled} rows=${account.reconciled} />
    <${Section} title="Facts">
      <dl class="facts">
        <dt>Kind</dt>
        <dd>${account.kind === "web" ? "web: cookies of a signed-in browser, for the unofficial web API" : "official: an API key of Poe's documented API"}</dd>
        <dt>Id</dt>
        <dd class="mono">${account.id}</dd>
        <dt>Runs out</dt>
        <dd><${Time} at=${account.runs_out_at} absent=${account.points_per_hour === null ? UNKNOWN : "not before the next grant"} /></dd>
        <dt>Added</dt>
        <dd><${Time} at=${account.created_at} /></dd>
        <dt>Last used</dt>
        <dd><${Time} at=${account.last_used_at} absent="never" /></dd>
        <dt>Points read</dt>
        <dd><${Time} at=${account.last_refresh_at} absent="never" /></dd>
        <dt>Last error</dt>
        <dd>${account.last_error ? html`${account.last_error}, ${count(account.error_count)} in a row` : "none"}</dd>
      </dl>
    <//>`;
}

/** @param {{ account: any }} props */
function Balances({ account }) {
  const chart = useMemo(() => balancesByDay(account.balances, account.as_of), [account]);
  return html`<${Section} title="Points left in the last 30 days" note="the last reading of each day, in UTC">
    ${chart
      ? html`<${Chart} data=${chart} kind="line" />`
      : html`<p class="note">No reading is kept yet. The scheduled job keeps the last one of each day.</p>`}
  <//>`;
}

/** @param {{ rows: any[] }} props */
function Reconciled({ rows }) {
  const columns = [
    { name: "Day (UTC)", value: (/** @type {any} */ row) => row.day },
    ...[
      ["Booked here", "booked"],
      ["Not settled yet, estimated", "unsettled"],
      ["Spent elsewhere", "elsewhere"],
      ["Charged by Poe", "charged"],
    ].map(([name, key]) => ({
      name,
      isNumber: true,
      value: (/** @type {any} */ row) => row[key],
      cell: (/** @type {any} */ row) => html`<${Value} text=${count(row[key])} />`,
    })),
  ];
  return html`<${Section} title="Compared with Poe's books" note="points; unknown where Poe's history was not read for the day">
    ${rows.length
      ? html`<${Table} name="Compared with Poe's books" columns=${columns} rows=${rows} rowKey=${(/** @type {any} */ row) => row.day} />`
      : html`<p class="note">Nothing was booked in the last seven days.</p>`}
  <//>`;
}

/**
 * Tries the account at Poe.
 *
 * @param {{ own: string, onClose: () => void }} props
 */
function Test({ own, onClose }) {
  const model = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [found, setFound] = useState(/** @type {any} */ (null));
  const { isRunning, error, run } = useAction();
  const test = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const named = model.current?.value.trim();
      setFound(await call(`${own}/test`, { method: "POST", body: named ? { model: named } : {} }));
    });
  };
  return html`<${Dialog} title="Test the account" onClose=${onClose}>
    <form onSubmit=${test}>
      <${Field} label="Model (optional)" hint="Without a model the balance is read, which costs nothing. A model is asked for one word, which costs points.">
        ${(/** @type {string} */ id, /** @type {string} */ hint) => html`<input id=${id} ref=${model} aria-describedby=${hint} autocomplete="off" />`}
      <//>
      <${DialogEnd} action="Test" cancel="Close" ...${{ isRunning, error, onClose }}>
        <div role="status">${found && html`<${Found} found=${found} />`}</div>
      <//>
    </form>
  <//>`;
}

/** @param {{ found: any }} props */
function Found({ found }) {
  const word = (/** @type {boolean | null} */ value) => (value === null ? UNKNOWN : value ? "yes" : "no");
  return html`<dl class="facts">
    <dt>Reached</dt>
    <dd>${word(found.reachable)}, in ${duration(found.milliseconds / 1000)}</dd>
    <dt>Credentials accepted</dt>
    <dd>${word(found.authenticated)}</dd>
    <dt>Points left</dt>
    <dd>${count(found.balance)}</dd>
    ${found.model && html`<dt>${found.model} answered</dt><dd>${word(found.answered)}, for ${points(found.points)}</dd>`}
    ${found.code && html`<dt>Failure</dt><dd>${found.code}</dd>`}
  </dl>`;
}

/** @param {{ own: string, account: any, onDone: () => void, onClose: () => void }} props */
function Edit({ own, account, onDone, onClose }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { isRunning, error, run } = useAction();
  const save = (/** @type {Event} */ event) => {
    event.preventDefault();
    run(async () => {
      const given = new FormData(form.current ?? undefined);
      const body = { label: String(given.get("label")).trim(), max_concurrency: Number(given.get("slots")) };
      await call(own, { method: "PATCH", body });
      onDone();
    });
  };
  return html`<${Dialog} title="Edit the account" onClose=${onClose}>
    <form ref=${form} onSubmit=${save}>
      <${Field} label="Label">${(/** @type {string} */ id) => html`<input id=${id} name="label" required maxlength="200" defaultValue=${account.label} />`}<//>
      <${Field} label="Slots" hint="Most requests at once, 1 to 16.">
        ${(/** @type {string} */ id, /** @type {string} */ hint) =>
          html`<input id=${id} name="slots" type="number" min="1" max="16" required defaultValue=${account.max_concurrency} aria-describedby=${hint} />`}
      <//>
      <${DialogEnd} action="Save" ...${{ isRunning, error, onClose }} />
    </form>
  <//>`;
}
