/** Ranges of time, and hours added up to days of the viewer's zone. */
import { dayAndMonth, hourAndMinute } from "./format.js";

const HOUR = 3600;
const HOUR_MS = HOUR * 1000;

/** @type {[string, string][]} */
export const RANGES = [
  ["today", "Today"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["custom", "Dates …"],
];

/**
 * The viewer's midnight, so many days ago.
 *
 * @param {number} now Milliseconds.
 * @param {number} [days]
 */
export function midnight(now, days = 0) {
  const day = new Date(now);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() - days);
}

/**
 * The query of a named range. Whole hours, so that the address stays for an hour.
 *
 * @param {Record<string, string>} filters `range`; `from` and `to` are days, for `custom`.
 * @param {number} [now]
 * @returns {{ from: string | null, to: string | null }}
 */
export function rangeQuery({ range, from, to }, now = Date.now()) {
  if (range === "custom") {
    const start = dayStart(from);
    const end = dayStart(to);
    if (end) end.setDate(end.getDate() + 1);
    return { from: start?.toISOString() ?? midnight(now, 6).toISOString(), to: end?.toISOString() ?? null };
  }
  if (range === "24h") return { from: new Date((Math.floor(now / HOUR_MS) - 23) * HOUR_MS).toISOString(), to: null };
  const days = { today: 0, "7d": 6, "30d": 29 }[range] ?? 0;
  return { from: midnight(now, days).toISOString(), to: null };
}

/** @param {string | undefined} text A day, as a date input gives it. */
function dayStart(text) {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "");
  return parts ? new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])) : null;
}

/**
 * @typedef {object} Hours
 * @property {number} start_seconds
 * @property {number} step_seconds
 * @property {number} count
 * @property {Record<string, number[]>} totals
 * @property {{ model: string | null, points: number[] }[]} points_by_model
 */

/**
 * @typedef {object} Places What a chart's places stand for, and which place each hour belongs to.
 * @property {"hour" | "day"} place
 * @property {string[]} labels
 * @property {string[]} names
 * @property {number[]} of
 */

/**
 * Hours as they are, or as days of the viewer's zone where there are more than two days of them.
 *
 * @param {{ start_seconds: number, step_seconds: number, count: number }} hours
 * @returns {Places}
 */
export function places({ start_seconds: start, step_seconds: step, count }) {
  const isDaily = step >= 24 * HOUR || count * step > 50 * HOUR;
  /** @type {Places} */
  const found = { place: isDaily ? "day" : "hour", labels: [], names: [], of: [] };
  let last = "";
  for (let index = 0; index < count; index++) {
    const moment = new Date((start + index * step) * 1000);
    const end = new Date(moment.getTime() + step * 1000);
    const key = isDaily ? moment.toDateString() : String(index);
    if (key !== last) {
      last = key;
      found.labels.push(isDaily ? dayAndMonth(moment) : hourAndMinute(moment));
      found.names.push(
        isDaily ? dayAndMonth(moment) : `${dayAndMonth(moment)}, ${hourAndMinute(moment)} to ${hourAndMinute(end)}`,
      );
    }
    found.of.push(found.labels.length - 1);
  }
  return found;
}

/**
 * The numbers of hours, added up by place.
 *
 * @param {Places} places
 * @param {number[]} numbers
 */
export function addUp(places, numbers) {
  const sums = places.labels.map(() => 0);
  numbers.forEach((number, index) => {
    sums[places.of[index]] += number;
  });
  return sums;
}

/**
 * Numbers of hours by weekday, Monday first, and hour of the viewer's zone.
 *
 * @param {Hours} hours
 * @param {number[]} numbers
 * @returns {number[][]}
 */
export function byWeekday(hours, numbers) {
  const table = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => 0));
  numbers.forEach((number, index) => {
    const moment = new Date((hours.start_seconds + index * hours.step_seconds) * 1000);
    table[(moment.getDay() + 6) % 7][moment.getHours()] += number;
  });
  return table;
}
