// SPDX-License-Identifier: Apache-2.0
// From watts to what the energy flow shows: which way, and how fast the dots run.

// Below this the line stands still: measuring noise around zero is no flow.
const kIdleBelowW = 5;

export type Direction = "in" | "out" | "none";

export function direction_of(power_w: number | undefined): Direction {
  if (power_w === undefined || Math.abs(power_w) < kIdleBelowW) return "none";
  return power_w > 0 ? "in" : "out";
}

// 1 (a trickle) to 5: each step is about three times the power.
export function speed_of(power_w: number | undefined): number {
  const magnitude = Math.abs(power_w ?? 0);
  if (magnitude < 60) return 1;
  if (magnitude < 200) return 2;
  if (magnitude < 700) return 3;
  if (magnitude < 2500) return 4;
  return 5;
}
