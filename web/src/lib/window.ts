// SPDX-License-Identifier: Apache-2.0
// A window of time by the week day on which it begins: "22:00-06:00 1-5" is from Monday to Friday, 22:00 to 06:00 of the
// next day. Days are 1 (Monday) to 7 (Sunday), as lists and ranges; without days it is every day. Equal times mean 24 hours.
// While a person chooses days there may be none for a moment: "22:00-06:00 -", which no box takes.

export interface Window {
  start: number; // minute of the day
  end: number;
  days: boolean[]; // seven, Monday first
}

export const kMinutesOfDay = 24 * 60;
export const kDayNames = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
export const kDayTitles = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

// "05:30" <-> 330. Undefined for what is no time.
export function minute_of(text: string): number | undefined {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim());
  if (!match) return undefined;
  const [hours, minutes] = [Number(match[1]), Number(match[2])];
  return hours < 24 && minutes < 60 ? hours * 60 + minutes : undefined;
}
export function clock_text(minute: number): string {
  const whole = ((Math.round(minute) % kMinutesOfDay) + kMinutesOfDay) % kMinutesOfDay;
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

const kNoDays = "-";

function parse_days(text: string): boolean[] | undefined {
  const days = Array.from({ length: 7 }, () => text === "");
  for (const part of text === "" || text === kNoDays ? [] : text.split(",")) {
    const match = /^([1-7])(?:-([1-7]))?$/.exec(part.trim());
    if (!match) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first) return undefined;
    days.fill(true, first - 1, last);
  }
  return days;
}

// Undefined for "" (no window) and for what is no window.
export function parse_window(text: string): Window | undefined {
  const match = /^(\d{1,2}:\d{2})-(\d{1,2}:\d{2})(?:\s+(\S+))?$/.exec(text.trim());
  if (!match) return undefined;
  const start = minute_of(match[1] ?? "");
  const end = minute_of(match[2] ?? "");
  const days = parse_days(match[3] ?? "");
  return start === undefined || end === undefined || days === undefined ? undefined : { start, end, days };
}

// Days next to each other, as [first, last] from 0.
function runs_of(days: boolean[]): [number, number][] {
  const runs: [number, number][] = [];
  days.forEach((is_on, day) => {
    const run = runs.at(-1);
    if (!is_on) return;
    if (run && run[1] === day - 1) run[1] = day;
    else runs.push([day, day]);
  });
  return runs;
}

export function format_window(window: Window): string {
  const days = runs_of(window.days).map(([first, last]) =>
    first === last ? `${first + 1}` : `${first + 1}-${last + 1}`,
  );
  return `${clock_text(window.start)}-${clock_text(window.end)} ${days.join(",") || kNoDays}`;
}

// As a person says it: "Mon–Fri 22:00–06:00 (next day)".
export function describe_window(window: Window): string {
  const runs = runs_of(window.days);
  const days =
    runs.length === 1 && runs[0]?.[0] === 0 && runs[0][1] === 6
      ? "Every day"
      : runs
          .map(([first, last]) =>
            first === last
              ? kDayNames[first]
              : `${kDayNames[first]}${last === first + 1 ? ", " : "–"}${kDayNames[last]}`,
          )
          .join(", ");
  if (window.start === window.end) return `${days}, 24 hours from ${clock_text(window.start)}`;
  const next = window.end < window.start && window.end > 0 ? " of the next day" : "";
  return `${days} ${clock_text(window.start)}–${clock_text(window.end)}${next}`;
}

export interface Span {
  day: number; // 0 is Monday
  start: number;
  end: number; // up to kMinutesOfDay
}

// The parts of a window on the days on which they are, for a picture of the week.
export function spans_of(window: Window): Span[] {
  const spans: Span[] = [];
  window.days.forEach((is_on, day) => {
    if (!is_on) return;
    if (window.end > window.start) {
      spans.push({ day, start: window.start, end: window.end });
      return;
    }
    spans.push({ day, start: window.start, end: kMinutesOfDay });
    if (window.end > 0) spans.push({ day: (day + 1) % 7, start: 0, end: window.end });
  });
  return spans;
}
