// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { check_ip, is_same, parse_number, range_text, to_input, to_short_input } from "../../src/lib/setting_input";

const kVoltage = { min: 1.2, max: 4.5, step: 0.001, unit: "V" };
const error_of = (typed: string, rule = kVoltage) => {
  const parsed = parse_number(typed, rule);
  return "error" in parsed ? parsed.error.replaceAll("\u202f", " ") : undefined;
};

describe("parse_number", () => {
  it("takes both ends of the range", () => {
    expect(parse_number("1.2", kVoltage)).toEqual({ value: 1.2 });
    expect(parse_number("4.500", kVoltage)).toEqual({ value: 4.5 });
  });
  it("takes a decimal comma, spaces and the typographic minus", () => {
    expect(parse_number(" 4,15 ", kVoltage)).toEqual({ value: 4.15 });
    expect(parse_number("\u22125", { min: -40, max: 10, step: 1 })).toEqual({ value: -5 });
  });
  it("names the range when outside of it", () => {
    expect(error_of("5")).toBe("5 V is outside the range 1.200 to 4.500 V.");
    expect(error_of("1.1999")).toContain("outside the range");
  });
  it("refuses what is not a number", () => {
    expect(error_of("")).toBe("Enter a number.");
    for (const typed of ["4.1V", "1e3", "--1", "0x10", "NaN", "4.1.5"])
      expect(error_of(typed)).toContain("is not a number");
  });
  it("refuses more decimals than the setting can hold", () => {
    expect(error_of("4.1505")).toBe("At most 3 decimals are possible.");
    expect(error_of("2.5", { min: 1, max: 9, step: 1, unit: "A" })).toBe("Only whole numbers are possible.");
    expect(parse_number("4.1500000", kVoltage)).toEqual({ value: 4.15 });
  });
});

it("describes one-sided ranges", () => {
  expect(range_text({ min: 3, step: 1 })).toBe("at least 3");
  expect(range_text({ max: 3, step: 1 })).toBe("at most 3");
  expect(range_text({})).toBe("");
});

it("compares at the resolution of the setting", () => {
  expect(is_same(4.15, 4.1500001, 0.001)).toBe(true);
  expect(is_same(4.15, 4.151, 0.001)).toBe(false);
  expect(is_same(undefined, 4.15, 0.001)).toBe(false);
  expect(is_same(undefined, undefined, 1)).toBe(true);
});

it("writes stored values with the digits of the step", () => {
  expect(to_input(4.2, 0.001)).toBe("4.200");
  expect(to_input(undefined, 0.001)).toBe("");
  expect(to_short_input(37, 0.001)).toBe("37");
  expect(to_short_input(3.45, 0.001)).toBe("3.45");
  expect(to_short_input(undefined, 0.001)).toBe("");
});

it("takes an address of four numbers, and leaves an empty one to the box", () => {
  expect(check_ip(" 192.168.1.20 ")).toEqual({ value: "192.168.1.20" });
  expect(check_ip("0.0.0.0")).toEqual({ value: "0.0.0.0" });
  expect(check_ip("")).toEqual({ value: "" });
  for (const typed of ["192.168.1", "192.168.1.256", "192.168.01.2", "1.2.3.4.5", "broker.home", "1.2.3.-4", "::1"])
    expect(check_ip(typed), typed).toHaveProperty("error");
});
