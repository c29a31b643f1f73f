import { withQuery } from "../lib/api.js";
import { Chart } from "../lib/charts.js";
import { RangeChoice } from "../lib/filters.js";
import { count, duration, percent } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { More, useOlder } from "../lib/older.js";
import { rangeQuery } from "../lib/ranges.js";
import { useResource } from "../lib/resource.js";
import { useFilters } from "../lib/router.js";
import { certainty, pointsByModel, Spent } from "../lib/sums.js";
import { Empty, Loaded, PageHead, Section, Tile, Time } from "../lib/ui.js";
import { Limits } from "./key-limits.js";
import { RequestTable } from "./request-table.js";

/**
 * What the holder of a client key sees of it.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function MyKey({ place }) {
  const [filters, change] = useFilters(place, { range: "7d", from: "", to: "" });
  const path = withQuery("me", rangeQuery(filters));
  const me = useResource(path);
  return html`<${PageHead} title=${me.data?.name ?? "My key"}>
      <${RangeChoice} values=${filters} change=${change} />
      <button type="button" onClick=${me.reload}>Refresh</button>
    <//>
    <${Loaded} of=${me}>${(/** @type {any} */ data) => html`<${Shown} data=${data} path=${path} />`}<//>`;
}

/** @param {{ data: any, path: string }} props */
function Shown({ data, path }) {
  const { totals, requests } = data;
  const chart = useMemo(() => pointsByModel(data.hours), [data.hours]);
  const failed = requests?.requests ? `${percent(requests.errors / requests.requests)} failed` : "";
  const first = requests?.first_token_of ? `median; 95 % within ${duration(requests.first_token_p95_seconds)}, estimated` : "";
  return html`<dl class="tiles">
      <${Tile} name="Points used" value=${html`<${Spent} sums=${totals} hasUnit=${false} />`} note=${certainty(totals) || "all settled"} />
      <${Tile} name="Requests" value=${requests ? count(requests.requests) : html`<span class="absent">not logged</span>`} note=${failed} />
      <${Tile} name="First token" value=${requests?.first_token_of ? duration(requests.first_token_p50_seconds) : html`<span class="absent">none</span>`} note=${first} />
      <${Tile} name="Tokens in, out" value=${`${count(totals.prompt_tokens)}, ${count(totals.completion_tokens)}`} />
    </dl>
    <div class="columns">
      <${Section} title="Limits" note=${html`UTC days and months; as of <${Time} at=${data.as_of} />`}><${Limits} limits=${data.limits} /><//>
      <${Section} title="Key">
        <dl class="facts">
          <dt>Models</dt>
          <dd>${data.models.length ? data.models.join(", ") : "all"}</dd>
          <dt>Expires</dt>
          <dd><${Time} at=${data.expires_at} absent="never" /></dd>
        </dl>
      <//>
    </div>
    <${Section} title="Points">
      ${totals.sends ? html`<${Chart} data=${chart} />` : html`<${Empty}><p>Nothing was used in this range.</p><//>`}
    <//>
    <${Section} title="Requests" note="newest first">
      ${data.data.length ? html`<${Rows} key=${path} first=${data} path=${path} />` : html`<${Empty}><p>No requests in this range.</p><//>`}
    <//>`;
}

/** @param {{ first: any, path: string }} props */
function Rows({ first, path }) {
  const pages = useOlder(first, path, (row) => row.ref);
  return html`<${RequestTable} rows=${pages.rows} hasAccounts=${false} hasLinks=${false} />
    <${More} of=${pages} label="Older requests" />`;
}
