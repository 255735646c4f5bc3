// SPDX-License-Identifier: Apache-2.0
// What a person typed against what a setting allows. The box checks everything again; this only answers sooner, in the
// same words, at the field.
import { digits_of_step, format_number, with_unit } from "./format";

export interface NumberRule {
  min?: number;
  max?: number;
  step?: number;
  unit?: string;
}

// A number of minutes that stands for a time of day, by the wire's naming.
export const is_minute_of_day = (field: { kind: string; name: string }) =>
  field.kind === "number" && field.name.endsWith("_minute");

export type Parsed = { value: number } | { error: string };

export function range_text(rule: NumberRule): string {
  const digits = digits_of_step(rule.step);
  const unit = rule.unit ?? "";
  const text = (value: number) => format_number(value, digits);
  if (rule.min !== undefined && rule.max !== undefined) {
    return `${text(rule.min)} to ${with_unit(rule.max, digits, unit)}`;
  }
  if (rule.min !== undefined) return `at least ${with_unit(rule.min, digits, unit)}`;
  if (rule.max !== undefined) return `at most ${with_unit(rule.max, digits, unit)}`;
  return "";
}

// Accepts a decimal point or comma and the typographic minus. The step is not enforced except for its digits: a BMS
// rounds 0.01 A, but 1.0005 typed for 1.000 is a mistake to tell.
export function parse_number(typed: string, rule: NumberRule): Parsed {
  const text = typed.trim().replace(",", ".").replace("\u2212", "-");
  if (text === "") return { error: "Enter a number." };
  if (!/^[+-]?\d+(\.\d*)?$/.test(text)) return { error: `“${typed.trim()}” is not a number.` };
  const value = Number(text);
  const allowed = range_text(rule);
  if ((rule.min !== undefined && value < rule.min) || (rule.max !== undefined && value > rule.max)) {
    return { error: `${with_unit(value, digits_needed(text), rule.unit ?? "")} is outside the range ${allowed}.` };
  }
  const digits = digits_of_step(rule.step);
  if (rule.step !== undefined && digits_needed(text) > digits) {
    return { error: digits === 0 ? "Only whole numbers are possible." : `At most ${digits} decimals are possible.` };
  }
  return { value };
}

function digits_needed(text: string): number {
  return text.split(".")[1]?.replace(/0+$/, "").length ?? 0;
}

// An address of the Internet Protocol, version 4. Empty is left to the box: some addresses may be absent.
export function check_ip(typed: string): { value: string } | { error: string } {
  const text = typed.trim();
  const is_byte = (part: string) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255;
  const parts = text.split(".");
  if (text === "" || (parts.length === 4 && parts.every(is_byte))) return { value: text };
  return { error: `“${text}” is not an address: four numbers from 0 to 255 with dots between them.` };
}

// How a stored value stands in its input.
export function to_input(value: number | undefined, step: number | undefined): string {
  return value === undefined ? "" : value.toFixed(digits_of_step(step));
}

// The same without zeros at the end, for values whose step is finer than people set them: 37, not 37.000.
export function to_short_input(value: number | undefined, step: number | undefined): string {
  return value === undefined ? "" : String(Number(to_input(value, step)));
}

// Whether two values are the same at the resolution of the setting.
export function is_same(a: number | undefined, b: number | undefined, step: number | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Math.abs(a - b) < (step ?? 1e-9) / 2;
}
