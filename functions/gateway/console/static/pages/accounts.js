import { withQuery } from "../lib/api.js";
import { points } from "../lib/format.js";
import { html, useState } from "../lib/html.js";
import { useResource } from "../lib/resource.js";
import { addressOf, go } from "../lib/router.js";
import { Table } from "../lib/table.js";
import { Empty, Loaded, PageHead, Section, Time } from "../lib/ui.js";
import { Account } from "./account.js";
import { Balance, Status, statusWords } from "./account-state.js";
import { AddAccount } from "./add-account.js";

/** @typedef {any} Shown An account, as the page of accounts has it. */

/**
 * Accounts, or one of them.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Accounts({ session, place }) {
  return place.id
    ? html`<${Account} key=${place.id} id=${place.id} session=${session} />`
    : html`<${List} session=${session} place=${place} />`;
}

/** @param {import("../app.js").PageProps} props */
function List({ session, place }) {
  const cursor = place.query.get("cursor");
  const accounts = useResource(withQuery("accounts", { cursor }), { every: 30 });
  const [isAdding, setIsAdding] = useState(false);
  const add = session.can_change && html`<button type="button" class="main" onClick=${() => setIsAdding(true)}>Add account</button>`;
  const added = (/** @type {Shown} */ account) => go(addressOf("accounts", {}, account.id));
  return html`<${PageHead} title="Accounts">${add}<//>
    <${Loaded} of=${accounts}>
      ${(/** @type {any} */ data) =>
        data.data.length
          ? html`<${Section} title="Accounts at Poe" note=${html`as of <${Time} at=${data.as_of} />`}>
              <${Rows} accounts=${data.data} />
              <${Pages} cursor=${cursor} next=${data.next_cursor} />
            <//>`
          : html`<${Empty}><p>There is no account yet. The gateway asks Poe with your own accounts: add the first one.</p>${add}<//>`}
    <//>
    ${isAdding && html`<${AddAccount} canSignIn=${accounts.data?.can_sign_in ?? false} onAdded=${added} onClose=${() => setIsAdding(false)} />`}`;
}

/** @param {{ cursor: string | null, next: string | null }} props */
function Pages({ cursor, next }) {
  if (!cursor && !next) return null;
  return html`<nav class="actions" aria-label="Pages of accounts">
    ${cursor && html`<a href=${addressOf("accounts")}>First page</a>`} ${next && html`<a href=${addressOf("accounts", { cursor: next })}>Next page</a>`}
  </nav>`;
}

/** @param {{ accounts: Shown[] }} props */
function Rows({ accounts }) {
  const columns = [
    {
      name: "Account",
      value: (/** @type {Shown} */ row) => row.label,
      cell: (/** @type {Shown} */ row) => html`<a href=${addressOf("accounts", {}, row.id)}>${row.label}</a>`,
    },
    { name: "Kind", value: (/** @type {Shown} */ row) => row.kind },
    { name: "Status", value: (/** @type {Shown} */ row) => statusWords(row), cell: (/** @type {Shown} */ row) => html`<${Status} account=${row} />` },
    {
      name: "Points left",
      isNumber: true,
      value: (/** @type {Shown} */ row) => row.message_point_balance,
      cell: (/** @type {Shown} */ row) => html`<${Balance} account=${row} />`,
    },
    { name: "Next grant", value: (/** @type {Shown} */ row) => row.next_grant_at, cell: (/** @type {Shown} */ row) => html`<${Time} at=${row.next_grant_at} isRelative />` },
    { name: "Used today", isNumber: true, value: (/** @type {Shown} */ row) => row.used_today, cell: (/** @type {Shown} */ row) => points(row.used_today) },
    {
      name: "Slots in use",
      isNumber: true,
      value: (/** @type {Shown} */ row) => row.slots_in_use,
      cell: (/** @type {Shown} */ row) => `${row.slots_in_use} of ${row.max_concurrency}`,
    },
    { name: "Last used", value: (/** @type {Shown} */ row) => row.last_used_at, cell: (/** @type {Shown} */ row) => html`<${Time} at=${row.last_used_at} isRelative absent="never" />` },
  ];
  return html`<${Table} name="Accounts" columns=${columns} rows=${accounts} rowKey=${(/** @type {Shown} */ row) => row.id} />`;
}
