import { withQuery } from "../lib/api.js";
import { Chart } from "../lib/charts.js";
import { RangeChoice, WhoseChoices } from "../lib/filters.js";
import { count, percent } from "../lib/format.js";
import { html, useMemo } from "../lib/html.js";
import { byWeekday, rangeQuery } from "../lib/ranges.js";
import { useResource } from "../lib/resource.js";
import { useFilters } from "../lib/router.js";
import { certainty, pointsByModel, spent, Spent, totalsChart } from "../lib/sums.js";
import { saveTable, Table } from "../lib/table.js";
import { Choice, Empty, Loaded, PageHead, Section, Tile, Time } from "../lib/ui.js";

const DEFAULTS = { range: "7d", from: "", to: "", key: "", model: "", account: "", show: "points", by: "model" };
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/** @type {[string, string][]} */
const SHOWN = [
  ["points", "Points by model"],
  ["tokens", "Tokens"],
  ["sends", "Sends"],
];
/** @type {[string, string][]} */
const GROUPS = [
  ["model", "Model"],
  ["key", "Key"],
  ["account", "Account"],
  ["key,model", "Key and model"],
  ["key,model,account", "Key, model and account"],
];

/**
 * What was used, when, and by whom.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Usage({ place }) {
  const [filters, change] = useFilters(place, DEFAULTS);
  const { key, model, account } = filters;
  const path = withQuery("usage", { ...rangeQuery(filters), key, model, account });
  const usage = useResource(path);
  const models = (usage.data?.breakdown ?? []).map((/** @type {any} */ row) => row.model);
  return html`<${PageHead} title="Usage"><button type="button" onClick=${usage.reload}>Refresh</button><//>
    <div class="filters">
      <${RangeChoice} values=${filters} change=${change} />
      <${WhoseChoices} values=${filters} change=${change} names=${usage.data?.names} models=${models} />
    </div>
    <${Loaded} of=${usage}>
      ${(/** @type {any} */ data) => html`<${Shown} data=${data} filters=${filters} change=${change} path=${path} />`}
    <//>`;
}

/** @param {{ data: any, filters: Record<string, string>, change: (changes: Record<string, string>) => void, path: string }} props */
function Shown({ data, filters, change, path }) {
  const { totals } = data;
  const chart = useMemo(() => chartOf(data.hours, filters.show), [data.hours, filters.show]);
  if (!totals.sends) return html`<${Empty}><p>Nothing was sent to Poe in this range, with these filters.</p><//>`;
  return html`<dl class="tiles">
      <${Tile} name="Points" value=${html`<${Spent} sums=${totals} hasUnit=${false} />`} note=${certainty(totals) || "all settled"} />
      <${Tile} name="Sends" value=${count(totals.sends)} note=${`${percent(totals.errors / totals.sends)} failed`} />
      <${Tile} name="Tokens in" value=${count(totals.prompt_tokens)} />
      <${Tile} name="Tokens out" value=${count(totals.completion_tokens)} />
    </dl>
    <${Section}
      title="Over time"
      note=${html`since <${Time} at=${data.from} />, as of <${Time} at=${data.as_of} />`}
      tools=${html`<${Choice} label="Show" value=${filters.show} options=${SHOWN} onChange=${(/** @type {string} */ show) => change({ show })} />`}
    >
      <${Chart} data=${chart} />
    <//>
    <${Breakdown} rows=${data.breakdown} by=${filters.by} change=${change} path=${path} />
    <${Heat} hours=${data.hours} />`;
}

/**
 * @param {import("../lib/ranges.js").Hours} hours
 * @param {string} shown
 */
function chartOf(hours, shown) {
  if (shown === "tokens") {
    return totalsChart(hours, "Tokens", "tokens", [
      ["prompt_tokens", "in", 1],
      ["completion_tokens", "out", 2],
    ]);
  }
  if (shown === "sends") {
    const chart = totalsChart(hours, "Sends", "sends", [
      ["sends", "answered", 1],
      ["errors", "failed", 8],
    ]);
    const [all, failed] = chart.series;
    const answered = all.values.map((value, index) => (value ?? 0) - (failed.values[index] ?? 0));
    return { ...chart, series: [{ ...all, values: answered }, failed] };
  }
  return pointsByModel(hours);
}

const ADDED = ["sends", "errors", "prompt_tokens", "completion_tokens", "points_settled", "points_estimated", "sends_unknown"];

/**
 * Rows of the breakdown, added up by some of key, model and account.
 *
 * @param {any[]} rows
 * @param {string[]} by
 */
export function grouped(rows, by) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const row of rows) {
    const id = JSON.stringify(by.map((group) => row[group]));
    const sums = found.get(id);
    if (!sums) found.set(id, { id, ...row });
    else for (const name of ADDED) sums[name] += row[name];
  }
  return [...found.values()].sort((one, other) => spent(other) - spent(one));
}

/** @param {{ rows: any[], by: string, change: (changes: Record<string, string>) => void, path: string }} props */
function Breakdown({ rows, by, change, path }) {
  const groups = by.split(",");
  const shown = useMemo(() => grouped(rows, groups), [rows, by]);
  const number = (/** @type {string} */ name, /** @type {string} */ key) => ({
    name,
    isNumber: true,
    value: (/** @type {any} */ row) => row[key],
    cell: (/** @type {any} */ row) => count(row[key]),
  });
  /** @type {Record<string, import("../lib/table.js").Column>} */
  const names = {
    key: { name: "Key", value: (row) => row.key_name ?? `deleted: ${row.key}` },
    model: { name: "Model", value: (row) => row.model },
    account: { name: "Account", value: (row) => row.account_label ?? `deleted: ${row.account}` },
  };
  const columns = [
    ...groups.map((group) => names[group]),
    { name: "Points", isNumber: true, value: spent, cell: (/** @type {any} */ row) => html`<${Spent} sums=${row} hasUnit=${false} />` },
    number("Estimated", "points_estimated"),
    number("Sends", "sends"),
    number("Failed", "errors"),
    number("Tokens in", "prompt_tokens"),
    number("Tokens out", "completion_tokens"),
  ];
  const choice = html`<${Choice} label="By" value=${by} options=${GROUPS} onChange=${(/** @type {string} */ value) => change({ by: value })} />`;
  return html`<${Section} title="Breakdown" tools=${choice}>
    <${Table} name=${`Usage by ${groups.join(", ")}`} columns=${columns} rows=${shown} rowKey=${(/** @type {any} */ row) => row.id} />
    <p class="note">
      <a href=${`api/${withQuery(path, { format: "csv", table: "breakdown" })}`} download="usage.csv">Save the whole breakdown</a>, or${" "}
      <a href=${`api/${withQuery(path, { format: "csv", table: "hours" })}`} download="usage-hours.csv">every hour</a>, as CSV
    </p>
  <//>`;
}

/** @param {{ hours: import("../lib/ranges.js").Hours }} props */
function Heat({ hours }) {
  const table = useMemo(
    () => byWeekday(hours, hours.totals.points_settled.map((value, index) => value + hours.totals.points_estimated[index])),
    [hours],
  );
  const most = Math.max(1, ...table.flat());
  const rows = DAYS.flatMap((day, index) => table[index].map((points, hour) => ({ day, hour, points })));
  const columns = [
    { name: "Weekday", value: (/** @type {any} */ row) => row.day },
    { name: "Hour", isNumber: true, value: (/** @type {any} */ row) => row.hour },
    { name: "Points", isNumber: true, value: (/** @type {any} */ row) => row.points },
  ];
  const busiest = rows.reduce((best, row) => (row.points > best.points ? row : best));
  const summary = `Points by weekday and hour. Most on ${busiest.day} from ${busiest.hour}:00: ${count(busiest.points)}.`;
  return html`<${Section} title="By weekday and hour" note="points, in your time zone; the stronger the colour, the more">
    <div class="heat" role="img" aria-label=${summary}>
      <span></span>
      ${Array.from({ length: 24 }, (_, hour) => html`<span key=${hour} class="hour">${hour % 6 === 0 ? hour : ""}</span>`)}
      ${DAYS.map((day, index) => [
        html`<span key=${day}>${day}</span>`,
        ...table[index].map(
          (points, hour) =>
            html`<span
              key=${`${day}${hour}`}
              class="cell"
              data-level=${points ? Math.ceil((points / most) * 4) : 0}
              title=${`${day} ${hour}:00: ${count(points)} points`}
            ></span>`,
        ),
      ])}
    </div>
    <details class="chart-tools">
      <summary>Show as table</summary>
      <${HeatTable} table=${table} />
      <button type="button" class="quiet" onClick=${() => saveTable("Points by weekday and hour", columns, rows)}>Save as CSV</button>
    </details>
  <//>`;
}

/** @param {{ table: number[][] }} props */
function HeatTable({ table }) {
  const rows = Array.from({ length: 24 }, (_, hour) => ({ hour, values: table.map((day) => day[hour]) }));
  const columns = [
    { name: "Hour", value: (/** @type {any} */ row) => `${row.hour}:00` },
    ...DAYS.map((day, index) => ({
      name: day,
      isNumber: true,
      value: (/** @type {any} */ row) => row.values[index],
      cell: (/** @type {any} */ row) => count(row.values[index]),
    })),
  ];
  return html`<${Table} name="Points by hour and weekday" columns=${columns} rows=${rows} rowKey=${(/** @type {any} */ row) => row.hour} isSorted=${false} hasExport=${false} />`;
}
