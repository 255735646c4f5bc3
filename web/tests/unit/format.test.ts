// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { age, count, digits_of_step, duration, format_number, humanise, power, with_unit } from "../../src/lib/format";

const plain = (text: string) => text.replaceAll("\u202f", " ");

describe("numbers", () => {
  it("shows an unknown value as a dash, never as zero", () => {
    for (const unknown of [undefined, null, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(format_number(unknown, 1)).toBe("–");
      expect(with_unit(unknown, 1, "A")).toBe("–");
    }
    expect(power(undefined)).toEqual({ text: "–", unit: "W" });
  });
  it("keeps a true zero, without a sign", () => {
    expect(format_number(0, 1)).toBe("0.0");
    expect(format_number(-0.04, 1)).toBe("0.0");
  });
  it("uses the typographic minus", () => {
    expect(format_number(-12.34, 1)).toBe("\u221212.3");
  });
  it("shows power as whole watts below 10 kW and without a sign", () => {
    expect(power(-1180)).toEqual({ text: "1180", unit: "W" });
    expect(power(9_999)).toEqual({ text: "9999", unit: "W" });
    expect(power(-12_340)).toEqual({ text: "12.34", unit: "kW" });
  });
  it("finds the digits that a step needs", () => {
    expect([1, 0.1, 0.01, 0.001, 0.002, 5].map(digits_of_step)).toEqual([0, 1, 2, 3, 3, 0]);
  });
});

it("sets the thousands of large counters apart", () => {
  expect([0, 9_999, 10_000, 1_234_567].map((value) => plain(count(value)))).toEqual([
    "0",
    "9999",
    "10 000",
    "1 234 567",
  ]);
  expect(count(undefined)).toBe("–");
});

describe("times", () => {
  it("writes spans in their two largest units", () => {
    const cases: [number, string][] = [
      [0, "0 s"],
      [59.4, "59 s"],
      [61, "1 min 1 s"],
      [3_599, "59 min"],
      [3_600, "1 h 00 min"],
      [11_100, "3 h 05 min"],
      [200_000, "2 d 7 h"],
    ];
    for (const [seconds, text] of cases) expect(plain(duration(seconds))).toBe(text);
  });
  it("knows no negative and no unknown span", () => {
    expect(duration(undefined)).toBe("–");
    expect(duration(-1)).toBe("–");
  });
  it("writes ages in one unit", () => {
    expect([0, 59_999, 60_000, 7_200_000, 259_200_000].map((ms) => plain(age(ms)))).toEqual([
      "0 s",
      "59 s",
      "1 min",
      "2 h",
      "3 d",
    ]);
  });
});

it("turns names of the wire into words", () => {
  expect(humanise("over_voltage")).toBe("Over voltage");
  expect(humanise(undefined)).toBe("–");
});
