import { withQuery } from "../lib/api.js";
import { Chart } from "../lib/charts.js";
import { RangeChoice, WhoseChoices } from "../lib/filters.js";
import { count, duration, percent, quantity } from "../lib/format.js";
import { html, useEffect, useMemo, useState } from "../lib/html.js";
import { More, useOlder } from "../lib/older.js";
import { addUp, places, rangeQuery } from "../lib/ranges.js";
import { useResource } from "../lib/resource.js";
import { useFilters } from "../lib/router.js";
import { Choice, Empty, Loaded, PageHead, Section, Time } from "../lib/ui.js";
import { OneRequest } from "./request.js";
import { RequestTable } from "./request-table.js";

const LIVE_SECONDS = 10;
const DEFAULTS = { range: "24h", from: "", to: "", status: "", key: "", model: "", account: "", live: "" };
/** @type {[string, string][]} */
const STATUSES = [
  ["", "All"],
  ["ok", "Answered"],
  ["error", "Failed"],
];

/**
 * The log of requests, or one of them.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Requests({ place }) {
  return place.id ? html`<${OneRequest} id=${place.id} />` : html`<${Log} place=${place} />`;
}

/** @param {{ place: import("../lib/router.js").Place }} props */
function Log({ place }) {
  const [filters, change] = useFilters(place, DEFAULTS);
  const { status, key, model, account } = filters;
  const path = withQuery("requests", { ...rangeQuery(filters), status, key, model, account });
  const requests = useResource(path, { every: filters.live ? LIVE_SECONDS : null });
  const models = useModels(requests.data);
  const isLive = filters.live !== "";
  return html`<${PageHead} title="Requests">
      <label>
        <input type="checkbox" checked=${isLive} onChange=${() => change({ live: isLive ? "" : "1" })} />Live: every ${LIVE_SECONDS} s
      </label>
      <button type="button" onClick=${requests.reload}>Refresh</button>
    <//>
    <div class="filters">
      <${RangeChoice} values=${filters} change=${change} />
      <${Choice} label="Status" value=${status} options=${STATUSES} onChange=${(/** @type {string} */ value) => change({ status: value })} />
      <${WhoseChoices} values=${filters} change=${change} names=${requests.data?.names} models=${models} />
    </div>
    <${Loaded} of=${requests}>${(/** @type {any} */ data) => html`<${Shown} data=${data} path=${path} />`}<//>`;
}

/**
 * Models seen so far: the answer names none that are not on its page.
 *
 * @param {any} data
 * @returns {string[]}
 */
function useModels(data) {
  const [models, setModels] = useState(/** @type {string[]} */ ([]));
  useEffect(() => {
    if (data) setModels((seen) => [...new Set([...seen, ...data.data.map((/** @type {any} */ row) => row.model)])]);
  }, [data]);
  return models;
}

/** @param {{ data: any, path: string }} props */
function Shown({ data, path }) {
  if (!data.is_kept) {
    return html`<${Empty}>
      <p>The log of requests is switched off (<code>GATEWAY_REQUEST_LOG_DAYS</code> is 0). Usage and points are booked all the same.</p>
    <//>`;
  }
  return html`${data.counts &&
    html`<${Section} title="Requests over time" note=${html`<${Counts} counts=${data.counts} />`}><${Histogram} histogram=${data.histogram} /><//>`}
    <${Section} title="Log" note=${html`newest first, as of <${Time} at=${data.as_of} />`}>
      ${data.data.length || data.next_cursor
        ? html`<${Pages} key=${path} first=${data} path=${path} />`
        : html`<${Empty}><p>No request matches these filters.</p><//>`}
    <//>`;
}

/** @param {{ counts: any }} props */
function Counts({ counts }) {
  const share = counts.requests ? `, ${percent(counts.errors / counts.requests)} failed` : "";
  const times = counts.first_token_of
    ? `; first token within ${duration(counts.first_token_p50_seconds)} (median), ${duration(counts.first_token_p95_seconds)} (95 %), estimated`
    : "";
  return html`<span>${quantity(counts.requests, "request")}${share}${times}</span>`;
}

/** @param {{ histogram: any }} props */
function Histogram({ histogram }) {
  const chart = useMemo(() => {
    const where = places(histogram);
    const series = [
      { name: "answered", tone: 1, values: addUp(where, histogram.ok) },
      { name: "failed", tone: 8, values: addUp(where, histogram.errors) },
    ];
    return { ...where, title: `Requests by ${where.place}`, unit: "requests", series };
  }, [histogram]);
  return html`<${Chart} data=${chart} />`;
}

/**
 * The first page, and the older ones that were asked for.
 *
 * @param {{ first: any, path: string }} props
 */
function Pages({ first, path }) {
  const pages = useOlder(first, path, (row) => row.ref);
  return html`<${RequestTable} rows=${pages.rows} />
    <${More} of=${pages} label="Older requests" />
    ${!pages.cursor && html`<p class="note">${quantity(pages.rows.length, "request")}: these are all.</p>`}
    <p class="note"><a href=${`api/${withQuery(path, { format: "csv" })}`} download="requests.csv">Save what is filtered as CSV</a>, up to ${count(2000)} rows</p>`;
}
