// SPDX-License-Identifier: Apache-2.0
// Where power comes from and where it goes, so that the figures on the screen add up to the watt: what flows in, what flows
// out, and what is left between the two (losses of the inverter, and what measuring misses).
import type { Aggregate, Energy } from "../api/pack_types";

export interface Flow {
  solar_w: number | undefined;
  grid_w: number | undefined; // positive on import
  battery_w: number | undefined; // positive while charging
  home_w: number | undefined;
  in_w: number | undefined;
  out_w: number | undefined;
  rest_w: number | undefined; // in - out
}

const rounded = (value: number | undefined) => (value === undefined ? undefined : Math.round(value));

function with_sums(flow: Pick<Flow, "solar_w" | "grid_w" | "battery_w" | "home_w">): Flow {
  const { solar_w, grid_w, battery_w, home_w } = flow;
  if (solar_w === undefined || grid_w === undefined || battery_w === undefined || home_w === undefined)
    return { ...flow, in_w: undefined, out_w: undefined, rest_w: undefined };
  const in_w = Math.max(0, solar_w) + Math.max(0, grid_w) + Math.max(0, -battery_w);
  const out_w = Math.max(0, home_w) + Math.max(0, battery_w) + Math.max(0, -grid_w);
  return { ...flow, in_w, out_w, rest_w: in_w - out_w };
}

export function flow_of_pack(energy: Energy | undefined): Flow {
  return with_sums({
    solar_w: rounded(energy?.solar_w),
    grid_w: rounded(energy?.grid_w),
    battery_w: rounded(energy?.battery_w),
    home_w: rounded(energy?.home_w),
  });
}

// Of all packs together. Where the homes' power is not told, it is what the other three leave over.
export function flow_of_all(aggregate: Aggregate | undefined): Flow {
  const solar_w = rounded(aggregate?.solar_w);
  const grid_w = rounded(aggregate?.grid_w);
  const battery_w = rounded(aggregate?.power_w);
  const is_known = solar_w !== undefined && grid_w !== undefined && battery_w !== undefined;
  const home_w = rounded(aggregate?.home_w) ?? (is_known ? Math.max(0, solar_w + grid_w - battery_w) : undefined);
  return with_sums({ solar_w, grid_w, battery_w, home_w });
}
