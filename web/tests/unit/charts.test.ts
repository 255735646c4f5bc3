// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { backoff_ms, kBackoffMaxMs } from "../../src/api/backoff";
import { is_live, kRangeChoices, kSpanMinMs, range_until, shifted, zoomed } from "../../src/lib/history_range";
import { rows_of, scale_of } from "../../src/views/parts/cell_chart";

describe("back-off", () => {
  it("doubles, is jittered by half, and ends at its largest wait", () => {
    expect(backoff_ms(0, 0)).toBe(250);
    expect(backoff_ms(0, 0.999_999)).toBe(500);
    expect(backoff_ms(3, 0)).toBe(2_000);
    expect(backoff_ms(1_000, 0.999_999)).toBe(kBackoffMaxMs);
  });
});

describe("range of the history", () => {
  const now = 1_800_000_000_000;
  it("zooms around its middle", () => {
    expect(zoomed({ from: now - 4_000_000, to: now - 2_000_000 }, 0.5, now)).toEqual({
      from: now - 3_500_000,
      to: now - 2_500_000,
    });
  });
  it("never goes beyond now, nor below its smallest span", () => {
    const wide = zoomed(range_until(now, 3_600_000), 2, now);
    expect(wide).toEqual({ from: now - 7_200_000, to: now });
    expect(shifted(wide, 0.5, now)).toEqual(wide);
    const narrow = zoomed({ from: now - 1_000, to: now }, 0.5, now);
    expect(narrow.to - narrow.from).toBe(kSpanMinMs);
  });
  it("is live only at its end", () => {
    for (const choice of kRangeChoices) {
      const range = range_until(now, choice.span_ms);
      expect(is_live(range, now)).toBe(true);
      expect(is_live(shifted(range, -0.5, now), now)).toBe(false);
    }
  });
});

describe("scale of the cell chart", () => {
  it("holds every cell between its ends, with few round ticks", () => {
    for (const [min, max] of [
      [3_300, 3_301],
      [2_900, 3_650],
      [3_980, 3_990],
      [0, 5],
      [3_303, 3_369],
    ] as const) {
      const scale = scale_of(min, max);
      expect(scale.from).toBeLessThanOrEqual(min);
      expect(scale.to).toBeGreaterThan(max);
      expect(scale.ticks.length).toBeGreaterThanOrEqual(3);
      expect(scale.ticks.length).toBeLessThanOrEqual(8);
      expect(scale.from).toBeGreaterThanOrEqual(0);
    }
  });
});

describe("rows of the cell chart", () => {
  it("keeps bars apart on a phone, in rows of one length", () => {
    const kPhoneChart = 332;
    expect(rows_of(16, kPhoneChart)).toBe(1);
    expect(rows_of(96, kPhoneChart)).toBe(2);
    expect(rows_of(192, kPhoneChart)).toBe(4);
    expect(rows_of(192, 1_150)).toBe(1);
  });
  it("has at least one row, however narrow or empty", () => {
    expect(rows_of(0, 300)).toBe(1);
    expect(rows_of(4, 10)).toBe(4);
    for (let count = 1; count <= 192; count += 1) {
      const rows = rows_of(count, 332);
      expect(Math.ceil(count / rows) * rows).toBeGreaterThanOrEqual(count);
      expect(Math.ceil(count / rows) * 5).toBeLessThanOrEqual(332 - 60);
    }
  });
});
