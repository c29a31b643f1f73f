import { count, dollars, points, quantity, UNKNOWN } from "../lib/format.js";
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { useResource } from "../lib/resource.js";
import { addressOf, useFilters } from "../lib/router.js";
import { saveTable, sorted, Table } from "../lib/table.js";
import { Choice, Empty, Loaded, PageHead, Section, Time, Value } from "../lib/ui.js";

const DEFAULTS = { q: "", modality: "", kind: "", used: "" };
const PAGE = 50;
const MILLION = 1_000_000;

/** @param {string | null | undefined} text A decimal, as text. */
function decimal(text) {
  return text == null ? null : Number(text);
}

/** @param {any} model @param {"prompt" | "completion"} part */
function perMillion(model, part) {
  const price = decimal(model.usd?.[part]);
  return price === null ? null : price * MILLION;
}

/**
 * Models, what they take and give, and what they cost.
 *
 * @param {import("../app.js").PageProps} props
 */
export default function Models({ place }) {
  const [filters, change] = useFilters(place, DEFAULTS);
  const models = useResource("models");
  return html`<${PageHead} title="Models" />
    <${Loaded} of=${models}>${(/** @type {any} */ data) => html`<${Shown} data=${data} filters=${filters} change=${change} />`}<//>`;
}

/** @param {any} model @param {Record<string, string>} filters */
function matches(model, { q, modality, kind, used }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [model.id, model.owned_by, ...model.aliases].join(" ").toLowerCase();
  return (
    words.every((word) => text.includes(word)) &&
    (!modality || (model.output_modalities ?? []).includes(modality)) &&
    (!kind || model.kinds.includes(kind)) &&
    (!used || model.measured !== null)
  );
}

/** @param {{ data: any, filters: Record<string, string>, change: (changes: Record<string, string>) => void }} props */
function Shown({ data, filters, change }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const found = useMemo(() => data.data.filter((/** @type {any} */ model) => matches(model, filters)), [data, filters]);
  const options = (/** @type {string} */ key) =>
    [...new Set(/** @type {string[]} */ (data.data.flatMap((/** @type {any} */ model) => model[key] ?? [])))].sort().map((value) => [value, value]);
  const age = data.updated_at
    ? html`list of Poe's as of <${Time} at=${data.updated_at} />`
    : "the list that the gateway was made with: no list of Poe's was read yet";
  const isUsed = filters.used !== "";
  const price = `$${data.usd_per_point} a point, ${data.is_rate_read ? "as an account was told" : "the published price"}`;
  return html`<form class="filters" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <div class="choice">
        <label for="model-search">Search</label>
        <input id="model-search" ref=${input} type="search" value=${filters.q} onInput=${() => change({ q: input.current?.value ?? "" })} />
      </div>
      <${Choice} label="Gives" value=${filters.modality} options=${[["", "Anything"], ...options("output_modalities")]} onChange=${(/** @type {string} */ modality) => change({ modality })} />
      <${Choice} label="Account" value=${filters.kind} options=${[["", "Any kind"], ...options("kinds")]} onChange=${(/** @type {string} */ kind) => change({ kind })} />
      <label><input type="checkbox" checked=${isUsed} onChange=${() => change({ used: isUsed ? "" : "1" })} />Used here</label>
    </form>
    <${Section} title=${quantity(found.length, "model")} note=${html`${age}; ${price}`}>
      ${found.length ? html`<${Rows} models=${found} since=${data.measured_from} />` : html`<${Empty}><p>No model matches.</p><//>`}
    <//>`;
}

/** @param {string[] | null} words */
function listed(words) {
  return words?.length ? words.join(", ") : UNKNOWN;
}

/**
 * Two prices in one cell.
 *
 * @param {string} input
 * @param {string} output
 */
function pair(input, output) {
  if (input === UNKNOWN && output === UNKNOWN) return html`<${Value} text=${UNKNOWN} />`;
  return html`<${Value} text=${input} /> / <${Value} text=${output} />`;
}

/** @type {import("../lib/table.js").Column[]} What is sorted by and saved. */
const COLUMNS = [
  {
    name: "Model",
    value: (row) => row.id,
    cell: (row) => html`<a href=${addressOf("playground", { model: row.id })}>${row.id}</a><p class="note">${row.owned_by}</p>`,
  },
  {
    name: "Takes, gives",
    value: (row) => `${listed(row.input_modalities)} → ${listed(row.output_modalities)}`,
    cell: (row) => html`<${Value} text=${listed(row.input_modalities)} /> → <${Value} text=${listed(row.output_modalities)} />`,
  },
  { name: "Context", isNumber: true, value: (row) => row.context_length, cell: (row) => html`<${Value} text=${count(row.context_length)} />` },
  { name: "$ per 1M in", isNumber: true, value: (row) => perMillion(row, "prompt"), cell: (row) => html`<${Value} text=${dollars(perMillion(row, "prompt"))} />` },
  { name: "$ per 1M out", isNumber: true, value: (row) => perMillion(row, "completion"), cell: (row) => html`<${Value} text=${dollars(perMillion(row, "completion"))} />` },
  {
    name: "Points per 1M in",
    isNumber: true,
    value: (row) => row.points?.prompt_per_million ?? null,
    cell: (row) => html`<${Value} text=${count(row.points?.prompt_per_million)} />`,
  },
  {
    name: "Points per 1M out",
    isNumber: true,
    value: (row) => row.points?.completion_per_million ?? null,
    cell: (row) => html`<${Value} text=${count(row.points?.completion_per_million)} />`,
  },
  {
    name: "Points per message",
    isNumber: true,
    value: (row) => row.points_per_message ?? row.points?.request ?? null,
    cell: (row) => html`<${PerMessage} row=${row} />`,
  },
  {
    name: "A request here",
    isNumber: true,
    value: (row) => row.measured?.points_per_send ?? null,
    cell: (row) =>
      row.measured
        ? html`${points(Math.round(row.measured.points_per_send))}<p class="note">mean of ${quantity(row.measured.sends, "send")}</p>`
        : html`<span class="absent">not used</span>`,
  },
];

/** @type {import("../lib/table.js").Column[]} What is shown: prices of both ways in one column. */
const SHOWN = [
  ...COLUMNS.slice(0, 3),
  {
    name: "$ per 1M tokens in / out",
    isNumber: true,
    value: (row) => perMillion(row, "prompt"),
    cell: (row) => pair(dollars(perMillion(row, "prompt")), dollars(perMillion(row, "completion"))),
  },
  {
    name: "Points per 1M in / out",
    isNumber: true,
    value: (row) => row.points?.prompt_per_million ?? null,
    cell: (row) => pair(count(row.points?.prompt_per_million), count(row.points?.completion_per_million)),
  },
  ...COLUMNS.slice(7),
];

/** @param {{ row: any }} props */
function PerMessage({ row }) {
  const price = row.points_per_message ?? row.points?.request ?? null;
  const image = row.points?.image ?? null;
  if (price === null && image !== null) return html`${count(image)} an image`;
  return html`<${Value} text=${count(price)} />`;
}

/** @param {{ models: any[], since: string }} props */
function Rows({ models, since }) {
  const [limit, setLimit] = useState(PAGE);
  const [order, setOrder] = useState("Model");
  const column = COLUMNS.find(({ name }) => name === order);
  const all = useMemo(() => sorted(models, column, order === "A request here"), [models, order]);
  /** @type {[string, string][]} */
  const orders = COLUMNS.filter(({ name }) => name !== "Takes, gives").map(({ name }) => [name, name]);
  return html`<div class="filters"><${Choice} label="Sort by" value=${order} options=${orders} onChange=${setOrder} /></div>
    <${Table} name="Models" columns=${SHOWN} rows=${all.slice(0, limit)} rowKey=${(/** @type {any} */ row) => row.id} isSorted=${false} hasExport=${false} />
    <div class="table-tools">
      ${limit < all.length && html`<button type="button" onClick=${() => setLimit(limit + PAGE)}>Show ${Math.min(PAGE, all.length - limit)} more of ${all.length}</button>`}
      <button type="button" class="quiet" onClick=${() => saveTable("Models", COLUMNS, all)}>Save as CSV</button>
    </div>
    <p class="note">“A request here” is what sends cost since <${Time} at=${since} />, where it is known. Unknown is not free.</p>`;
}
