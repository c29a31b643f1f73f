/** What sends add up to, in words. */
import { count, dayAndMonth, points, quantity } from "./format.js";
import { html } from "./html.js";
import { addUp, places } from "./ranges.js";

/**
 * @typedef {object} Sums
 * @property {number} sends
 * @property {number} errors
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 * @property {number} points_settled
 * @property {number} points_estimated
 * @property {number} sends_unknown
 */

/** @param {Sums} sums */
export function spent(sums) {
  return sums.points_settled + sums.points_estimated;
}

/**
 * Points with what makes them less than certain: estimates, and sends of which nothing is known.
 *
 * @param {{ sums: Sums, hasUnit?: boolean }} props
 */
export function Spent({ sums, hasUnit = true }) {
  const value = spent(sums);
  return html`<span>${sums.sends_unknown > 0 && "at least "}${hasUnit ? points(value) : count(value)}</span>`;
}

/**
 * The same in a sentence, empty where all is settled.
 *
 * @param {Sums} sums
 */
export function certainty(sums) {
  const told = [];
  if (sums.points_estimated > 0) told.push(`${count(sums.points_estimated)} estimated`);
  if (sums.sends_unknown > 0) told.push(`${quantity(sums.sends_unknown, "send")} of unknown cost`);
  return told.join(", ");
}

/**
 * Points by model, stacked.
 *
 * @param {import("./ranges.js").Hours} hours
 * @returns {import("./charts.js").ChartData}
 */
export function pointsByModel(hours) {
  const where = places(hours);
  const series = hours.points_by_model.map(({ model, points: numbers }, index) => ({
    name: model ?? "other models",
    tone: model === null ? 7 : (index % 6) + 1,
    values: addUp(where, numbers),
  }));
  const none = [{ name: "points", tone: 1, values: where.labels.map(() => 0) }];
  return { ...where, title: `Points by model and ${where.place}`, unit: "points", series: series.length ? series : none };
}

/**
 * Other numbers of the hours, each a series.
 *
 * @param {import("./ranges.js").Hours} hours
 * @param {string} title
 * @param {string} unit
 * @param {[string, string, number][]} named Of each series: its name in `totals`, its name for people, its tone.
 * @returns {import("./charts.js").ChartData}
 */
export function totalsChart(hours, title, unit, named) {
  const where = places(hours);
  const series = named.map(([key, name, tone]) => ({ name, tone, values: addUp(where, hours.totals[key]) }));
  return { ...where, title: `${title} by ${where.place}`, unit, series };
}

const DAYS = 30;
const DAY_MILLISECONDS = 86_400_000;
const dayOf = (/** @type {number} */ at) => new Date(at).toISOString().slice(0, 10);

/**
 * What an account had left on each of the last days (UTC), and on which of them it got points. Nothing without a reading.
 *
 * @param {{ day: string, balance: number, rose_at: string | null }[]} balances
 * @param {string} asOf
 * @returns {import("./charts.js").ChartData | null}
 */
export function balancesByDay(balances, asOf) {
  if (!balances.length) return null;
  const read = new Map(balances.map((one) => [one.day, one]));
  // A day that changed nothing is not kept: the days around it have the same balance.
  const lefts = new Map(balances.map(({ day, balance }) => [day, balance]));
  balances.slice(1).forEach((later, index) => {
    const earlier = balances[index];
    if (earlier.balance !== later.balance) return;
    for (let at = Date.parse(earlier.day); at < Date.parse(later.day); at += DAY_MILLISECONDS) lefts.set(dayOf(at), later.balance);
  });
  const days = Array.from({ length: DAYS }, (_, index) => dayOf(Date.parse(asOf) - (DAYS - 1 - index) * DAY_MILLISECONDS));
  const names = days.map((day) => dayAndMonth(new Date(`${day}T12:00:00`)));
  return {
    title: "Points left by day",
    unit: "points",
    place: "day",
    labels: names,
    names: names.map((name) => `${name}, UTC`),
    series: [
      { name: "points left", tone: 1, values: days.map((day) => lefts.get(day) ?? null) },
      {
        name: "granted or bought",
        tone: 3,
        isMark: true,
        values: days.map((day) => (read.get(day)?.rose_at ? (read.get(day)?.balance ?? null) : null)),
      },
    ],
  };
}
