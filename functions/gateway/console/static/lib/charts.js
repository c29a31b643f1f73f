import { load } from "../boot.js";
import { compact, count, quantity, UNKNOWN } from "./format.js";
import { html, useEffect, useId, useMemo, useRef, useState } from "./html.js";
import { Table } from "./table.js";

/** Charts with a legend that tells the values, and the same numbers as a table and a file. */

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {(number | null)[]} values One for each place; null is unknown.
 * @property {number} [tone] Which colour of the style sheet, from 1.
 * @property {boolean} [isMark] Of lines: no line, but a mark at each place that has a value.
 */

/**
 * @typedef {object} ChartData
 * @property {string} title
 * @property {string} unit
 * @property {string} place What the places are: hour, day.
 * @property {string[]} labels A short text for each place, on the axis.
 * @property {string[]} [names] The place in full, in the legend and the table.
 * @property {Series[]} series From the bottom to the top where they are stacked.
 */

const HEIGHT = 210;
// Widths of labels that do not run into each other.
const LABEL_WIDTH = 62;
// What is counted is whole.
const STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();

/**
 * @param {number[]} sums
 * @param {(number | null)[]} values
 */
function addTo(sums, values) {
  return sums.map((sum, index) => sum + (values[index] ?? 0));
}

/**
 * What is drawn: stacked series as sums, the highest first, so that the lower ones are drawn over it.
 *
 * @param {ChartData} data
 * @param {"bars" | "line"} kind
 */
function drawn(data, kind) {
  const places = data.labels.map((_, index) => index);
  if (kind === "line") return { places, layers: data.series.map((series, index) => ({ series, index, values: series.values })) };
  let sums = places.map(() => 0);
  const layers = data.series.map((series, index) => {
    sums = addTo(sums, series.values);
    return { series, index, values: sums };
  });
  return { places, layers: layers.reverse() };
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * @param {any} uPlot
 * @param {ChartData} data
 * @param {"bars" | "line"} kind
 * @param {number} width
 * @param {(place: number | null) => void} onPoint
 */
function options(uPlot, data, kind, width, onPoint) {
  const last = data.labels.length - 1;
  const axis = { stroke: colour("--muted"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const grid = { stroke: colour("--line"), width: 1 };
  const { layers } = drawn(data, kind);
  const room = Math.max(1, Math.floor(width / LABEL_WIDTH));
  const step = Math.max(1, Math.ceil(data.labels.length / room));
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: kind === "line" } },
    scales: {
      x: { time: false, range: () => [-0.5, last + 0.5] },
      y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.05 : 1] },
    },
    axes: [
      {
        ...axis,
        size: 30,
        gap: 6,
        grid: { show: false },
        splits: () => data.labels.map((_, index) => index).filter((index) => index % step === 0),
        values: (/** @type {any} */ _, /** @type {number[]} */ places) => places.map((place) => data.labels[place] ?? ""),
      },
      { ...axis, grid, size: 52, incrs: STEPS, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(compact) },
    ],
    series: [
      {},
      ...layers.map(({ series, index }) => ({
        label: series.name,
        ...strokes(uPlot, kind, colour(`--series-${series.tone ?? index + 1}`), Boolean(series.isMark)),
      })),
    ],
    hooks: {
      setCursor: [(/** @type {any} */ plot) => onPoint(plot.cursor.idx ?? null)],
    },
  };
}

/**
 * How a series is drawn. A line goes on over places without a value, and a point shows each that has one.
 *
 * @param {any} uPlot
 * @param {"bars" | "line"} kind
 * @param {string} stroke
 * @param {boolean} isMark
 */
function strokes(uPlot, kind, stroke, isMark) {
  if (kind === "bars") return { stroke, fill: stroke, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 48] }) };
  const points = { show: true, size: isMark ? 11 : 5, fill: stroke, stroke };
  return isMark ? { stroke, width: 0, points, paths: () => null } : { stroke, width: 2, points, spanGaps: true };
}

/**
 * What a series says where no place is pointed at: the total of bars, the newest of a line, how many marks.
 *
 * @param {Series} series
 * @param {"bars" | "line"} kind
 * @param {string} unit
 */
function told({ values, isMark }, kind, unit) {
  const known = values.filter((value) => value !== null);
  if (isMark) return quantity(known.length, "time");
  const value = kind === "line" ? (known.at(-1) ?? null) : known.reduce((sum, one) => /** @type {number} */ (sum) + (one ?? 0), 0);
  return value === null ? UNKNOWN : `${count(value)} ${unit}`;
}

/**
 * The value of a series at a place.
 *
 * @param {Series} series
 * @param {number} place
 * @param {string} unit
 */
function valueAt({ values, isMark }, place, unit) {
  const value = values[place] ?? null;
  if (isMark) return value === null ? "no" : "yes";
  return value === null ? UNKNOWN : `${count(value)} ${unit}`;
}

/**
 * A chart. `kind` is bars, stacked where there are several series, or lines.
 *
 * @param {{ data: ChartData, kind?: "bars" | "line", note?: any }} props
 */
export function Chart({ data, kind = "bars", note }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [pointed, setPointed] = useState(/** @type {number | null} */ (null));
  const [isTable, setIsTable] = useState(false);
  const id = useId();
  usePlot(place, data, kind, setPointed);
  const names = data.names ?? data.labels;
  const summary = data.series.map((series) => `${series.name} ${told(series, kind, data.unit)}`).join(", ");
  return html`<figure class="chart" aria-labelledby=${id}>
    <figcaption id=${id}>
      <strong>${data.title}</strong> <span class="note">${pointed === null ? note : names[pointed]}</span>
    </figcaption>
    <ul class="legend">
      ${data.series.map((series, index) => {
        const value = pointed === null ? told(series, kind, data.unit) : valueAt(series, pointed, data.unit);
        return html`<li key=${series.name}>
          <span class=${`swatch tone-${series.tone ?? index + 1}`}></span>${series.name}${" "}
          <span class="note">${value}</span>
        </li>`;
      })}
    </ul>
    <div class="plot" ref=${place} role="img" aria-label=${`${data.title}, ${data.unit} for each ${data.place}. ${kind === "line" ? "At last" : "In all"}: ${summary}.`}></div>
    <div class="chart-tools">
      <button type="button" class="quiet" aria-expanded=${isTable} onClick=${() => setIsTable(!isTable)}>
        ${isTable ? "Hide table" : "Show as table"}
      </button>
    </div>
    ${isTable && html`<${ChartTable} data=${data} names=${names} />`}
  </figure>`;
}

/** @param {{ data: ChartData, names: string[] }} props */
function ChartTable({ data, names }) {
  const columns = useMemo(
    () => [
      { name: data.place[0].toUpperCase() + data.place.slice(1), value: (/** @type {any} */ row) => row.name },
      ...data.series.map((series, index) => ({
        name: series.isMark ? series.name : `${series.name} (${data.unit})`,
        isNumber: !series.isMark,
        value: (/** @type {any} */ row) => (series.isMark ? valueAt(series, row.index, "") : row.values[index]),
        cell: (/** @type {any} */ row) => (series.isMark ? valueAt(series, row.index, "") : count(row.values[index])),
      })),
    ],
    [data],
  );
  const rows = useMemo(
    () => names.map((name, index) => ({ name, index, values: data.series.map(({ values }) => values[index] ?? null) })),
    [data],
  );
  return html`<${Table} name=${data.title} columns=${columns} rows=${rows} rowKey=${(/** @type {any} */ row) => row.index} isSorted=${false} />`;
}

/**
 * Keeps a plot in an element: its size, the colours of the theme, the newest data.
 *
 * @param {{ current: HTMLElement | null }} place
 * @param {ChartData} data
 * @param {"bars" | "line"} kind
 * @param {(place: number | null) => void} onPoint
 */
function usePlot(place, data, kind, onPoint) {
  useEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    /** @type {any} */
    let plot = null;
    let isOver = false;
    const theme = matchMedia("(prefers-color-scheme: dark)");
    const draw = async () => {
      const { default: uPlot } = await load("./vendor/uplot.js");
      if (isOver || !element.clientWidth) return;
      plot?.destroy();
      const { places, layers } = drawn(data, kind);
      const numbers = /** @type {any} */ ([places, ...layers.map(({ values }) => values)]);
      plot = new uPlot(/** @type {any} */ (options(uPlot, data, kind, element.clientWidth, onPoint)), numbers, element);
    };
    let width = 0;
    const sizes = new ResizeObserver(() => {
      if (element.clientWidth === width) return;
      width = element.clientWidth;
      draw();
    });
    sizes.observe(element);
    theme.addEventListener("change", draw);
    return () => {
      isOver = true;
      sizes.disconnect();
      theme.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [data, kind]);
}
