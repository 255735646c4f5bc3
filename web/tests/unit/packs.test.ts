// SPDX-License-Identifier: Apache-2.0
// What the pages of an energy pack are computed with: sums of power, windows of time, the order of shedding, lights, words.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { kModeNames } from "../../src/api/pack_types";
import type { BoxField } from "../../src/api/types";
import { flow_of_all, flow_of_pack } from "../../src/lib/energy_flow";
import { power_in_watts } from "../../src/lib/format";
import { colour_word, describe_indicator, digits_text, is_segment_lit } from "../../src/lib/indicator_words";
import * as words from "../../src/lib/pack_words";
import { moved, order_changes, read_order, with_shed } from "../../src/lib/shed_order";
import * as time from "../../src/lib/window";
import * as store from "../../src/state/store";

const plain = (text: string | undefined) => text?.replaceAll("\u202f", " ");

describe("power flow", () => {
  it("adds up to the watt in every direction", () => {
    // Charging from the sun; discharging into the home; feeding the grid; all from the grid.
    for (const [home_w, battery_w, grid_w] of [
      [820, 1180, 0],
      [1770, -640, 1130],
      [300, -200, -400],
      [500, 0, 500],
    ] as const) {
      const flow = flow_of_pack({ home_w, battery_w, grid_w, solar_w: Math.max(0, home_w + battery_w - grid_w) });
      expect(flow.rest_w).toBe(0);
      expect(flow.in_w).toBe(flow.out_w);
      expect(flow.out_w).toBe(home_w + Math.max(0, battery_w) + Math.max(0, -grid_w));
    }
  });
  it("tells what is lost or unmeasured instead of hiding it", () => {
    expect(flow_of_pack({ home_w: 300, battery_w: 100, grid_w: 450, solar_w: 0 }).rest_w).toBe(50);
    expect(flow_of_pack({ home_w: 300, battery_w: 0, grid_w: 200, solar_w: 0 }).rest_w).toBe(-100);
  });
  it("knows no sum while a part is unknown, and keeps the parts", () => {
    const flow = flow_of_pack({ home_w: 300, grid_w: 200 });
    expect([flow.in_w, flow.out_w, flow.rest_w, flow.solar_w]).toEqual([undefined, undefined, undefined, undefined]);
    expect(flow.home_w).toBe(300);
    expect(flow_of_pack(undefined).home_w).toBeUndefined();
  });
  it("of all packs finds the homes as what the others leave over", () => {
    expect(flow_of_all({ power_w: 1760, solar_w: 4130, grid_w: 0 })).toMatchObject({ home_w: 2370, rest_w: 0 });
    expect(flow_of_all({ power_w: 1760, solar_w: 4130 }).home_w).toBeUndefined();
    expect(flow_of_all({ power_w: 500, solar_w: 0, grid_w: 400 })).toMatchObject({ home_w: 0, rest_w: -100 });
  });
});

it("figures that stand beside their sum are whole watts", () => {
  expect([9_999, -12_345, 99_999].map((value) => power_in_watts(value).text)).toEqual(["9999", "12345", "99999"]);
  expect([power_in_watts(123_456), power_in_watts(undefined)]).toEqual([
    { text: "123.46", unit: "kW" },
    { text: "–", unit: "W" },
  ]);
});

describe("windows", () => {
  it("survive reading and writing", () => {
    for (const text of ["22:00-06:00 1-5", "10:00-16:30 6-7", "00:00-00:00 1-7", "05:05-05:06 1,3,5-7"]) {
      const window = time.parse_window(text);
      expect(window && time.format_window(window)).toBe(text);
    }
    expect(time.format_window(time.parse_window("6:00-07:00") as time.Window)).toBe("06:00-07:00 1-7");
  });
  it("are refused when they are none", () => {
    for (const text of ["", "22:00", "24:00-06:00 1", "10:60-11:00 1", "10:00-11:00 0", "10:00-11:00 5-1", "x-y 1"])
      expect(time.parse_window(text), text).toBeUndefined();
  });
  it("keep their times while no day is chosen, and are not taken for every day then", () => {
    const window = time.parse_window("22:00-06:00 1") as time.Window;
    const text = time.format_window({ ...window, days: window.days.map(() => false) });
    expect(time.parse_window(text)).toEqual({ start: 1320, end: 360, days: Array.from({ length: 7 }, () => false) });
    expect(text).toBe("22:00-06:00 -");
  });
  it("are told in words", () => {
    const say = (text: string) => time.describe_window(time.parse_window(text) as time.Window);
    expect(say("22:00-06:00 1-5")).toBe("Mon–Fri 22:00–06:00 of the next day");
    expect(say("10:00-16:30 6-7")).toBe("Sat, Sun 10:00–16:30");
    expect(say("18:00-00:00 1-7")).toBe("Every day 18:00–00:00");
    expect(say("07:00-07:00 3")).toBe("Wed, 24 hours from 07:00");
  });
  it("cover midnight, the end of the week and a whole day in the picture", () => {
    const spans = (text: string) => time.spans_of(time.parse_window(text) as time.Window);
    expect(spans("22:00-06:00 7")).toEqual([
      { day: 6, start: 1320, end: 1440 },
      { day: 0, start: 0, end: 360 },
    ]);
    expect(spans("18:00-00:00 1")).toEqual([{ day: 0, start: 1080, end: 1440 }]);
    const minutes = spans("07:00-07:00 2").reduce((sum, span) => sum + span.end - span.start, 0);
    expect(minutes).toBe(time.kMinutesOfDay);
  });
  it("have times of day that are times of day", () => {
    expect([time.minute_of("05:00"), time.minute_of("24:00"), time.minute_of("")]).toEqual([300, undefined, undefined]);
    expect([time.clock_text(300), time.clock_text(1439), time.clock_text(1440)]).toEqual(["05:00", "23:59", "00:00"]);
  });
});

describe("order of shedding", () => {
  const field = (name: string, value: number): BoxField => ({
    name: `shed_${name}`,
    title: name,
    kind: "number",
    value,
  });
  const fields = [field("inverter_output", 3), field("pool_pump", 2), field("water_heater", 1), field("load_3", 0)];
  it("is read from the numbers and written back as what changed", () => {
    const order = read_order(fields);
    expect(order.first).toEqual(["shed_water_heater", "shed_pool_pump", "shed_inverter_output"]);
    expect(order.never).toEqual(["shed_load_3"]);
    expect(order_changes(fields, order)).toEqual({});
    expect(order_changes(fields, moved(order, "shed_pool_pump", -1))).toEqual({
      shed_pool_pump: 1,
      shed_water_heater: 2,
    });
  });
  it("closes the gap when one is never shed, and takes one in at the end", () => {
    const order = with_shed(read_order(fields), "shed_water_heater", false);
    expect(order_changes(fields, order)).toEqual({ shed_water_heater: 0, shed_pool_pump: 1, shed_inverter_output: 2 });
    expect(order_changes(fields, with_shed(read_order(fields), "shed_load_3", true))).toEqual({ shed_load_3: 4 });
  });
  it("moves nothing beyond its ends", () => {
    const order = read_order(fields);
    expect(moved(order, "shed_water_heater", -1)).toBe(order);
    expect(moved(order, "shed_inverter_output", 1)).toBe(order);
    expect(moved(order, "shed_load_3", 1)).toBe(order);
  });
});

describe("lights", () => {
  it("are told in words, dark ones too", () => {
    const bar = ["#0000ff", "#00ff00", "#00ff00", ...Array.from({ length: 7 }, () => "#000000")];
    expect(describe_indicator({ bar, digits: [0, 0x6d, 0x4f], green: true, yellow: false, red: false })).toBe(
      "Lights of the box: bar 3 of 10 lit, blue and green; digits show 53; green light on.",
    );
    expect(describe_indicator({ bar: [], digits: [0x40, 0x40, 0x40], red: true, yellow: true, buzzer: true })).toBe(
      "Lights of the box: bar dark; digits show dashes; yellow and red light on; buzzer sounds.",
    );
    expect(describe_indicator({ digits: [0, 0, 0] })).toMatch(/bar dark; digits dark; no light on/);
    expect(describe_indicator(undefined)).toMatch(/not told/);
  });
  it("has every digit and segment", () => {
    expect(digits_text([0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f, 0x40, 0x86])).toBe("0123456789-1");
    expect([0, 1, 6, 7].map((segment) => is_segment_lit(0xc1, segment))).toEqual([true, false, true, true]);
    expect(is_segment_lit(undefined, 0)).toBe(false);
  });
  it("names colours", () => {
    expect(["#00ff00", "#400000", "#0000FF", "#ffff00", "#000000", "red"].map(colour_word)).toEqual([
      "green",
      "red",
      "blue",
      "yellow",
      "off",
      "lit",
    ]);
  });
});

describe("words", () => {
  const texts: words.ModeTexts = {
    soc_low: "10 %",
    soc_high: "50 %",
    eco_limit: "5000 W",
    import_limit: "10 kWh",
    import_reset: "05:00",
    windows: [],
  };
  it("say for every mode what switching it does, with its own figures", () => {
    for (const mode of kModeNames) {
      expect(words.mode_consequence(mode, true, texts).length, mode).toBeGreaterThan(20);
      expect(words.mode_consequence(mode, false, texts)).not.toBe(words.mode_consequence(mode, true, texts));
      expect(words.mode_title(mode)).not.toContain("_");
    }
    expect(words.mode_consequence("self_consumption", true, texts)).toContain(
      "falls to 10 % and opens when it reaches 50 %",
    );
    expect(words.mode_consequence("import_limit", true, texts)).toMatch(/10 kWh .* until 05:00/);
  });
  it("warn before time of use is switched on without a window", () => {
    expect(words.mode_consequence("time_of_use", true, texts)).toContain("Set a window first");
    expect(words.mode_consequence("time_of_use", true, { ...texts, windows: ["Mon 10:00–11:00"] })).toContain(
      "Mon 10:00",
    );
  });
  it("name whom a change reaches", () => {
    expect([words.reach_text(undefined), words.reach_text(1)]).toEqual(["", ""]);
    expect(words.reach_text(3)).toContain("All 3 packs");
  });
  it("tell why a relay is not where it should be, and for how long", () => {
    const relay = { name: "grid", requested: "open", commanded: "closed", hindrance: "minimum_on" };
    expect(plain(words.hindrance_text(relay, 42))).toMatch(
      /^Should be open: it was closed only just now.*, 42 s more\.$/,
    );
    expect(words.hindrance_text({ ...relay, hindrance: "none" }, 0)).toBeUndefined();
    expect(words.hindrance_text({ name: "grid" }, undefined)).toBeUndefined();
    expect(words.hindrance_text({ name: "grid", hindrance: "moon_phase" }, undefined)).toBe("Moon phase.");
  });
  it("believe the contact, not the command", () => {
    const relay = { name: "grid", commanded: "open", measured: "closed", mismatch: true };
    expect(words.position_status(relay)).toMatchObject({ tone: "bad", title: "Closed" });
    expect(words.position_status({ name: "grid", commanded: "open" }).title).toBe("Open");
    expect(words.position_status({ name: "grid" }).title).toBe("Unknown");
  });
  it("say what an order by hand does", () => {
    expect(plain(words.order_consequence({ name: "pool_pump" }, "open", 90))).toBe(
      "Pool pump is opened for 1 h 30 min.",
    );
    expect(words.order_consequence({ name: "grid" }, "open", 10)).toContain("battery and sun alone");
    expect(words.order_consequence({ name: "load_3" }, "auto", undefined)).toContain("load 3 again");
  });
  it("tell times by the pack's clock, wherever the browser is", () => {
    const now = "2026-11-21T14:03:00+01:00";
    expect(words.pack_clock_text(now, now)).toBe("14:03");
    expect(words.pack_clock_text("2026-11-22T05:00:00+01:00", now)).toBe("05:00 tomorrow");
    expect(words.pack_clock_text("2026-12-01T05:00:00+01:00", "2026-11-30T23:59:59+01:00")).toBe("05:00 tomorrow");
    expect(words.pack_clock_text("2026-11-24T05:00:00+01:00", now)).toBe("05:00 on 2026-11-24");
    expect(words.pack_clock_text("2026-11-24T05:00:00+01:00", undefined)).toBe("05:00 (2026-11-24)");
    expect(words.pack_clock_text("soon", now)).toBe("soon");
  });
  it("tell the limits of the safe state", () => {
    expect(words.safe_state_text({})).toBe("Grid closed, loads off.");
    expect(words.safe_state_text({ inverter_request: { may_charge: false, may_discharge: true } })).toContain(
      "Charging is",
    );
    expect(words.safe_state_text({ inverter_request: { may_charge: false, may_discharge: false } })).toContain(
      "and discharging",
    );
  });
  it("judge a node: alarm before silence before well", () => {
    const node = { node: 9 };
    expect(words.node_tone({ ...node, alarm: true }, 40_000)).toBe("bad");
    expect(words.node_tone({ ...node, duplicate: true }, 0)).toBe("bad");
    expect(words.node_tone(node, 40_000)).toBe("warn");
    expect(words.node_tone(node, 900)).toBe("good");
    expect(words.is_node_old({ ...node, is_self: true }, 90_000)).toBe(false);
  });
  it("have a tone for every claim state and BMS state of the wire, and show newer names as they stand", () => {
    for (const claim of ["claimed", "waiting", "listening", "duplicate", "no_free_node"])
      expect(words.describe_claim(claim).tone, claim).not.toBe("neutral");
    for (const bms of ["never", "connected", "stale", "fault"])
      expect(words.describe_node_bms(bms).tone, bms).not.toBe("neutral");
    expect(words.describe_claim("dreaming").title).toBe("Dreaming");
    expect(words.mode_title("storm_watch")).toBe("Storm watch");
    expect(words.warning_text({ code: "new_warning" })).toBe("New warning");
    expect(words.in_order(["storm_watch", "backup", "self_consumption"])).toEqual([
      "self_consumption",
      "backup",
      "storm_watch",
    ]);
  });
});

describe("age of a pack's figures", () => {
  const kNow = 1_800_000_000_000;
  beforeEach(store.reset_store_for_test);
  afterEach(store.reset_store_for_test);
  it("grows between messages, and makes them old", () => {
    store.connection.value = "live";
    store.apply_state({ box: { name: "a", role: "pack", version: "1" }, energy: { age_ms: 2_000, home_w: 1 } }, kNow);
    expect([store.is_pack.value, store.energy_age_ms.value, store.is_energy_stale.value]).toEqual([true, 2_000, false]);
    store.page_now.value = kNow + 6_500;
    expect([store.energy_age_ms.value, store.is_energy_stale.value]).toEqual([8_500, true]);
    store.apply_delta({ energy: { age_ms: 100, home_w: 2 } }, kNow + 7_000);
    expect(store.is_energy_stale.value).toBe(false);
    store.connection.value = "offline";
    expect(store.is_energy_stale.value).toBe(true);
  });
  it("a span that runs out stops at zero, and stands still while the box is away", () => {
    store.connection.value = "live";
    store.apply_state({ modes: {} }, kNow);
    store.page_now.value = kNow + 5_000;
    expect(store.left_s("modes", 12)).toBe(7);
    expect(store.left_s("modes", 3)).toBe(0);
    store.connection.value = "offline";
    expect(store.left_s("modes", 12)).toBe(12);
    expect(store.left_s("packs", 12)).toBeUndefined();
  });
  it("an open pack network is told, a sealed or absent one is not", () => {
    store.apply_state({ packs: { security: "plain" } }, kNow);
    expect(store.is_pack_network_open.value).toBe(true);
    store.apply_state({ packs: { security: "sealed" } }, kNow);
    expect(store.is_pack_network_open.value).toBe(false);
    store.apply_state({}, kNow);
    expect(store.is_pack_network_open.value).toBe(false);
  });
});
