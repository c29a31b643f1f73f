import { save, toCsv } from "./csv.js";
import { html, useMemo, useState } from "./html.js";

/** Tables that sort, and become cards on a narrow screen. */

/**
 * @typedef {object} Column
 * @property {string} name Its heading.
 * @property {(row: any) => import("./csv.js").Cell} value What is sorted by and exported.
 * @property {(row: any) => any} [cell] What is shown, where that is another thing.
 * @property {boolean} [isNumber]
 * @property {boolean} [isAction] Buttons: not sorted, not exported.
 */

/**
 * @param {import("./csv.js").Cell} left
 * @param {import("./csv.js").Cell} right
 */
function compare(left, right) {
  // What is not known comes last, whichever way the rest goes.
  if (left == null || right == null) return null;
  if (typeof left === "number" && typeof right === "number") return left - right;
  return String(left).localeCompare(String(right), "en", { numeric: true, sensitivity: "base" });
}

/**
 * @param {any[]} rows
 * @param {Column | undefined} column
 * @param {boolean} isDown
 */
export function sorted(rows, column, isDown) {
  if (!column) return rows;
  return [...rows].sort((one, other) => {
    const left = column.value(one);
    const right = column.value(other);
    const order = compare(left, right);
    if (order === null) return Number(left == null) - Number(right == null);
    return isDown ? -order : order;
  });
}

/**
 * @param {string} name
 * @param {Column[]} columns
 * @param {any[]} rows
 */
export function saveTable(name, columns, rows) {
  const told = columns.filter((column) => !column.isAction);
  const cells = rows.map((row) => told.map((column) => column.value(row)));
  const file = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  save(`${file}.csv`, toCsv(told.map((column) => column.name), cells));
}

/**
 * `isSorted` is for a table that is there as a whole; a page of a longer list stays in its order.
 *
 * @param {{ name: string, columns: Column[], rows: any[], rowKey: (row: any) => string, isSorted?: boolean,
 *   hasExport?: boolean, saved?: Column[] }} props `saved` are the columns of the file, where it has more of them.
 */
export function Table({ name, columns, rows, rowKey, isSorted = true, hasExport = true, saved = columns }) {
  const [order, setOrder] = useState({ name: "", isDown: false });
  const shown = useMemo(
    () => sorted(rows, columns.find((column) => column.name === order.name), order.isDown),
    [rows, columns, order],
  );
  /** @param {Column} column */
  const sortBy = (column) =>
    setOrder((now) => ({
      name: column.name,
      isDown: now.name === column.name ? !now.isDown : Boolean(column.isNumber),
    }));
  return html`<div class="table-block">
    <div class="table-wrap" tabindex="0" role="region" aria-label=${`Table: ${name}`}>
      <table role="table">
        <caption class="hidden">
          ${name}
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            ${columns.map((column) => html`<${Head} key=${column.name} ...${{ column, order, sortBy, isSorted }} />`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${shown.map((row) => html`<${Row} key=${rowKey(row)} row=${row} columns=${columns} />`)}
        </tbody>
      </table>
    </div>
    ${hasExport &&
    html`<div class="table-tools">
      <button type="button" class="quiet" onClick=${() => saveTable(name, saved, shown)}>Save as CSV</button>
    </div>`}
  </div>`;
}

/**
 * @param {{ column: Column, order: { name: string, isDown: boolean }, sortBy: (column: Column) => void,
 *   isSorted: boolean }} props
 */
function Head({ column, order, sortBy, isSorted }) {
  const kind = column.isNumber ? "number" : "";
  if (column.isAction) return html`<th role="columnheader" scope="col"><span class="hidden">${column.name}</span></th>`;
  if (!isSorted) return html`<th role="columnheader" scope="col" class=${kind}>${column.name}</th>`;
  const sort = order.name !== column.name ? "none" : order.isDown ? "descending" : "ascending";
  return html`<th role="columnheader" scope="col" class=${kind} aria-sort=${sort}>
    <button type="button" class="sort" onClick=${() => sortBy(column)}>${column.name}</button>
  </th>`;
}

/** @param {{ row: any, columns: Column[] }} props */
function Row({ row, columns }) {
  return html`<tr role="row">
    ${columns.map((column, index) => {
      const kind = column.isAction ? "row-actions" : column.isNumber ? "number" : "";
      const content = column.cell ? column.cell(row) : column.value(row);
      const facts = { class: kind, "data-label": column.isAction ? "" : column.name };
      return index === 0
        ? html`<th key=${column.name} role="rowheader" scope="row" ...${facts}><div>${content}</div></th>`
        : html`<td key=${column.name} role="cell" ...${facts}><div>${content}</div></td>`;
    })}
  </tr>`;
}
