/** Numbers, times and durations as text. What is not known is `UNKNOWN`, never 0. */

export const UNKNOWN = "unknown";
/** Between a number and its unit, which no line may part. */
export const UNIT_SPACE = "\u00a0";
const LOCALE = "en-GB";
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const SECONDS = /** @type {const} */ ({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const momentWithSeconds = new Intl.DateTimeFormat(LOCALE, SECONDS);
const otherYear = new Intl.DateTimeFormat(LOCALE, { ...SECONDS, year: "numeric" });
const exact = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const dayName = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** @typedef {number | null | undefined} Known A number, or nothing where it is not known. */

/**
 * A count, with thousands apart.
 *
 * @param {Known} value
 */
export function count(value) {
  return value == null ? UNKNOWN : whole.format(value);
}

/**
 * A count in a few characters, for axes: 1.2K.
 *
 * @param {Known} value
 */
export function compact(value) {
  return value == null ? "" : short.format(value);
}

/**
 * A number with its unit, in the singular or the plural.
 *
 * @param {Known} value
 * @param {string} one
 * @param {string} [many]
 */
export function quantity(value, one, many = `${one}s`) {
  return value == null ? UNKNOWN : `${whole.format(value)} ${value === 1 ? one : many}`;
}

/** @param {Known} value */
export function points(value) {
  return quantity(value, "point");
}

/**
 * A share of 1 in percent.
 *
 * @param {Known} value
 */
export function percent(value) {
  if (value == null) return UNKNOWN;
  const shown = value * 100;
  return `${shown !== 0 && shown < 10 ? shown.toFixed(1) : Math.round(shown)}${UNIT_SPACE}%`;
}

/**
 * Dollars, with as many digits as a price per token needs.
 *
 * @param {Known} value
 */
export function dollars(value) {
  if (value == null) return UNKNOWN;
  if (value === 0) return "$0";
  const digits = value >= 1 ? 2 : Math.min(8, 2 - Math.floor(Math.log10(value)));
  return `$${value.toFixed(digits).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

/**
 * A duration in its largest two units: 340 ms, 2.1 s, 3 min, 4 h 10 min, 2 d 3 h.
 *
 * @param {Known} seconds
 */
export function duration(seconds) {
  if (seconds == null) return UNKNOWN;
  if (seconds < 1) return `${Math.round(seconds * 1000)}${UNIT_SPACE}ms`;
  if (seconds < 10) return `${seconds.toFixed(1)}${UNIT_SPACE}s`;
  if (seconds < MINUTE) return `${Math.round(seconds)}${UNIT_SPACE}s`;
  if (seconds < HOUR) return `${Math.round(seconds / MINUTE)}${UNIT_SPACE}min`;
  if (seconds < DAY) return twoUnits(seconds, HOUR, "h", MINUTE, "min");
  return twoUnits(seconds, DAY, "d", HOUR, "h");
}

/**
 * @param {number} seconds
 * @param {number} largeSeconds
 * @param {string} largeName
 * @param {number} small
 * @param {string} smallName
 */
function twoUnits(seconds, largeSeconds, largeName, small, smallName) {
  const total = Math.round(seconds / small);
  const whole = Math.floor((total * small) / largeSeconds);
  const rest = total - (whole * largeSeconds) / small;
  const large = `${whole}${UNIT_SPACE}${largeName}`;
  return rest ? `${large} ${rest}${UNIT_SPACE}${smallName}` : large;
}

/**
 * @param {string | null | undefined} iso
 * @returns {Date | null}
 */
export function date(iso) {
  const value = iso ? new Date(iso) : null;
  return value && !Number.isNaN(value.getTime()) ? value : null;
}

/**
 * A moment in the viewer's time zone.
 *
 * @param {string | null | undefined} iso
 */
export function time(iso) {
  const value = date(iso);
  return value ? moment.format(value) : UNKNOWN;
}

/**
 * A moment to the second, for logs; the year only where it is another one.
 *
 * @param {string | null | undefined} iso
 */
export function timeWithSeconds(iso) {
  const value = date(iso);
  if (!value) return UNKNOWN;
  return (value.getFullYear() === new Date().getFullYear() ? momentWithSeconds : otherYear).format(value);
}

/**
 * A moment to the second, with its zone.
 *
 * @param {string | null | undefined} iso
 */
export function exactTime(iso) {
  const value = date(iso);
  return value ? exact.format(value) : UNKNOWN;
}

/** @param {Date} value */
export function hourAndMinute(value) {
  return clock.format(value);
}

/** @param {Date} value */
export function dayAndMonth(value) {
  return dayName.format(value);
}

/**
 * How long ago, or how soon: 3 min ago, in 2 d 3 h.
 *
 * @param {string | null | undefined} iso
 * @param {number} [now] Milliseconds.
 */
export function relative(iso, now = Date.now()) {
  const value = date(iso);
  if (!value) return UNKNOWN;
  const seconds = (value.getTime() - now) / 1000;
  if (Math.abs(seconds) < 5) return "now";
  return seconds < 0 ? `${duration(Math.max(1, -seconds))} ago` : `in ${duration(Math.max(1, seconds))}`;
}
