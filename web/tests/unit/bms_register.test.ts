// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import type { BmsSetting } from "../../src/api/types";
import { field_value, fields_of, help_of, in_groups, with_field } from "../../src/lib/bms_register";

const low = { name: "charger_type", title: "Charger type", shift: 0, bits: 8, min: 0, max: 2 };
const high = { name: "timeout", title: "Time-out", shift: 8, bits: 8, min: 0, max: 30 };
const setting = (name: string, more: Partial<BmsSetting> = {}): BmsSetting => ({
  register: 1,
  name,
  title: name,
  writable: true,
  kind: "number",
  ...more,
});

it("takes a packed register apart and puts it together without touching the other parts", () => {
  const value = 5 * 256 + 1;
  expect([field_value(value, low), field_value(value, high)]).toEqual([1, 5]);
  expect(with_field(value, high, 30)).toBe(30 * 256 + 1);
  expect(with_field(value, low, 2)).toBe(5 * 256 + 2);
  const top = { ...low, shift: 31, bits: 1, max: 1 };
  expect(field_value(2 ** 31, top)).toBe(1);
  expect(with_field(0, top, 1)).toBe(2 ** 31);
});

it("leaves reserved parts alone, and reads a plain list as one bit each", () => {
  const reserved = { name: "reserved", title: "Reserved", shift: 3, bits: 13, min: 0, max: 0 };
  expect(fields_of(setting("flags", { fields: [low, reserved] }))).toEqual([low]);
  const plain = fields_of(
    setting("flags", {
      choices: [
        { value: 1, text: "A" },
        { value: 4, text: "B" },
      ],
    }),
  );
  expect(plain.map((field) => field.shift)).toEqual([0, 2]);
});

it("groups every setting, unknown ones last", () => {
  const groups = in_groups([setting("brand_new"), setting("over_heat_cutoff"), setting("over_voltage_cutoff")]);
  expect(groups.map(([name]) => name)).toEqual(["Cell voltages", "Temperatures", "Other"]);
  expect(help_of(setting("brand_new"))).toBeUndefined();
  expect(help_of(setting("capacity", { help: "From the box." }))).toContain("From the box.");
});
