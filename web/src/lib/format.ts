// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them. An unknown value is always a dash, never 0.

export const kUnknown = "–";
const kMinus = "\u2212"; // as wide as a digit, unlike the hyphen
const kThin = "\u202f"; // narrow space that does not break, between number and unit

export interface Quantity {
  text: string;
  unit: string;
}

export function format_number(value: number | undefined | null, digits: number): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return kUnknown;
  const rounded = value.toFixed(digits);
  // Not "-0.0": a tiny discharge would look like a sign without a number.
  const is_zero = Number(rounded) === 0;
  return is_zero ? rounded.replace("-", "") : rounded.replace("-", kMinus);
}

export function with_unit(value: number | undefined | null, digits: number, unit: string): string {
  const text = format_number(value, digits);
  return text === kUnknown || unit === "" ? text : `${text}${kThin}${unit}`;
}

// A counter, its thousands apart from 10 000 on.
export function count(value: number | undefined): string {
  const text = format_number(value, 0);
  return value === undefined || value < 10_000 ? text : text.replaceAll(/\B(?=(\d{3})+$)/g, kThin);
}

// Power without sign: whole watts below 10 kW, so that numbers on a page add up; kilowatts from there on.
export function power(value_w: number | undefined): Quantity {
  if (value_w === undefined) return { text: kUnknown, unit: "W" };
  const magnitude = Math.abs(value_w);
  if (magnitude < 10_000) return { text: format_number(magnitude, 0), unit: "W" };
  return { text: format_number(magnitude / 1000, 2), unit: "kW" };
}

// The same in whole watts up to 100 kW, for figures that are added up beside each other.
export function power_in_watts(value_w: number | undefined): Quantity {
  const is_large = value_w !== undefined && Math.abs(value_w) >= 100_000;
  return is_large || value_w === undefined ? power(value_w) : { text: format_number(Math.abs(value_w), 0), unit: "W" };
}

export function signed(text: string, value: number | undefined): string {
  return value !== undefined && value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

// A span of time in its two largest units: "3 h 05 min", "12 s", "2 d 4 h".
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return kUnknown;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}${kThin}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 10) return `${minutes}${kThin}min ${whole % 60}${kThin}s`;
  if (minutes < 60) return `${minutes}${kThin}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${kThin}h ${String(minutes % 60).padStart(2, "0")}${kThin}min`;
  const days = Math.floor(hours / 24);
  return `${days}${kThin}d ${hours % 24}${kThin}h`;
}

// An age for a badge: one unit, so that it does not jump in width each second.
export function age(age_ms: number | undefined): string {
  if (age_ms === undefined) return kUnknown;
  const seconds = Math.floor(age_ms / 1000);
  if (seconds < 60) return `${seconds}${kThin}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${kThin}min`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}${kThin}h`;
  return `${Math.floor(seconds / 86_400)}${kThin}d`;
}

// snake_case names of the wire as words: "high_voltage" -> "High voltage".
export function humanise(name: string | undefined): string {
  if (!name) return kUnknown;
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const kTime = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const kDate = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const kDayYear = new Intl.DateTimeFormat(undefined, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});

const kMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export const minute_of_day = (time: string | number) => kMinute.format(new Date(time));
export const time_of_day = (time: string | number) => kTime.format(new Date(time));
export const short_date = (time: string | number) => kDate.format(new Date(time));
export const long_date = (time: string | number) => kDayYear.format(new Date(time));

export function date_and_time(time: string | number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? kUnknown : `${kDate.format(date)}, ${kTime.format(date)}`;
}

export const date_and_minute = (time: number) => `${kDate.format(new Date(time))}, ${minute_of_day(time)}`;

// Digits needed to write multiples of `step`: 0.001 -> 3.
export function digits_of_step(step: number | undefined): number {
  if (step === undefined || step <= 0) return 2;
  let digits = 0;
  while (digits < 6 && Math.abs(Math.round(step * 10 ** digits) - step * 10 ** digits) > 1e-9) digits += 1;
  return digits;
}
