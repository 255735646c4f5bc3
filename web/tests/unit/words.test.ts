// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { describe_alarm, describe_by, describe_link, describe_phase, describe_reason } from "../../src/lib/words";
import { direction_of, speed_of } from "../../src/views/parts/flow_figures";

it("explains limits in plain words, and a newer name as it stands", () => {
  expect(describe_reason("cell_voltage_high")).toBe("a cell is nearly full");
  expect(describe_reason("moon_phase")).toBe("moon phase");
  expect(describe_by("configuration")).toBe("your settings");
  expect(describe_by(undefined)).toBeUndefined();
  expect(describe_alarm("new_alarm")).toBe("New alarm");
});

it("has a tone for every phase and link state of the contract", () => {
  for (const phase of [
    "waiting_for_battery",
    "announcing",
    "online",
    "lost",
    "silent",
    "battery_stale",
    "battery_lost",
    "fault",
    "implausible",
    "bus_off",
  ]) {
    expect(describe_phase({ phase }).tone, phase).not.toBe("neutral");
  }
  for (const state of ["connected", "degraded", "failing", "disconnected"]) {
    expect(describe_link({ state }).tone, state).not.toBe("neutral");
  }
  expect(describe_phase(undefined).title).toBe("Unknown");
});

it("shows noise around zero as no flow, and the sign as direction", () => {
  expect(direction_of(undefined)).toBe("none");
  expect(direction_of(-4)).toBe("none");
  expect(direction_of(5)).toBe("in");
  expect(direction_of(-5)).toBe("out");
  expect([10, 100, -500, 1_000, -9_000].map(speed_of)).toEqual([1, 2, 3, 4, 5]);
});
