// SPDX-License-Identifier: Apache-2.0
// The box's lights in words, for those who do not see the drawing; and what a digit's segments mean.
import type { Indicator } from "../api/pack_types";

export const kDark = "#000000";
const kDigits = new Map([
  [0x00, " "],
  [0x3f, "0"],
  [0x06, "1"],
  [0x5b, "2"],
  [0x4f, "3"],
  [0x66, "4"],
  [0x6d, "5"],
  [0x7d, "6"],
  [0x07, "7"],
  [0x7f, "8"],
  [0x6f, "9"],
  [0x40, "-"],
]);

// Segment a is the lowest bit. The point (bit 7) is not part of the sign.
export const is_segment_lit = (mask: number | undefined, segment: number) => (((mask ?? 0) >> segment) & 1) === 1;

export function digits_text(digits: number[] | undefined): string {
  return (digits ?? []).map((mask) => kDigits.get(mask & 0x7f) ?? "?").join("");
}

export function colour_word(colour: string): string {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!match) return "lit";
  const [red, green, blue] = match.slice(1).map((part) => Number.parseInt(part, 16)) as [number, number, number];
  const most = Math.max(red, green, blue);
  if (most === 0) return "off";
  const parts = [red > most / 2, green > most / 2, blue > most / 2];
  const words = ["off", "blue", "green", "turquoise", "red", "purple", "yellow", "white"];
  return words[Number(parts[0]) * 4 + Number(parts[1]) * 2 + Number(parts[2])] ?? "lit";
}

export function describe_indicator(indicator: Indicator | undefined): string {
  if (!indicator) return "The box has not told what its lights show.";
  const lit = (indicator.bar ?? []).filter((colour) => colour.toLowerCase() !== kDark);
  const colours = [...new Set(lit.map(colour_word))].join(" and ");
  const bar = lit.length === 0 ? "bar dark" : `bar ${lit.length} of ${indicator.bar?.length} lit, ${colours}`;
  const digits = digits_text(indicator.digits).trim();
  const shown = digits === "" ? "digits dark" : digits === "---" ? "digits show dashes" : `digits show ${digits}`;
  const leds = (["green", "yellow", "red"] as const).filter((name) => indicator[name]);
  const lights = leds.length === 0 ? "no light on" : `${leds.join(" and ")} light on`;
  return `Lights of the box: ${bar}; ${shown}; ${lights}${indicator.buzzer ? "; buzzer sounds" : ""}.`;
}
