// SPDX-License-Identifier: Apache-2.0
// The span of time that the History page shows, and how it moves. Plain functions on { from, to } in Unix ms.

export interface Range {
  from: number;
  to: number;
}

export interface RangeChoice {
  name: string;
  title: string;
  span_ms: number;
}

const kHour = 3_600_000;
export const kRangeChoices: RangeChoice[] = [
  { name: "1h", title: "1 hour", span_ms: kHour },
  { name: "6h", title: "6 hours", span_ms: 6 * kHour },
  { name: "24h", title: "1 day", span_ms: 24 * kHour },
  { name: "7d", title: "1 week", span_ms: 7 * 24 * kHour },
  { name: "30d", title: "1 month", span_ms: 30 * 24 * kHour },
];

// Finer than a minute there is nothing between two points to see.
export const kSpanMinMs = 60_000;
export const kSpanMaxMs = 2 * 366 * 24 * kHour;

export function range_until(now: number, span_ms: number): Range {
  return { from: now - span_ms, to: now };
}

// Keeps the middle; factor 0.5 shows half the span. Never beyond now.
export function zoomed(range: Range, factor: number, now: number): Range {
  const span = Math.min(kSpanMaxMs, Math.max(kSpanMinMs, (range.to - range.from) * factor));
  const middle = (range.from + range.to) / 2;
  return kept_before(now, { from: middle - span / 2, to: middle + span / 2 });
}

// Moves by a part of the span; -1 is one screen earlier.
export function shifted(range: Range, part: number, now: number): Range {
  const by = (range.to - range.from) * part;
  return kept_before(now, { from: range.from + by, to: range.to + by });
}

function kept_before(now: number, range: Range): Range {
  const excess = Math.max(0, range.to - now);
  return { from: range.from - excess, to: range.to - excess };
}

// A live range ends now and follows the clock; a moved one stands still.
export const is_live = (range: Range, now: number) => now - range.to < Math.max(5_000, (range.to - range.from) / 100);
