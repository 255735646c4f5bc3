// SPDX-License-Identifier: Apache-2.0
// What counts as fresh, stale and unknown: the rules that keep an old value from being shown as current.
import { beforeEach, describe, expect, it, vi } from "vitest";
import * as store from "../../src/state/store";

const kNow = 1_800_000_000_000;
const battery = (more: object = {}) => ({ battery: { online: true, age_ms: 100, soc_percent: 50, ...more } });

const saved = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (key: string) => saved.get(key) ?? null,
  setItem: (key: string, value: string) => saved.set(key, value),
  removeItem: (key: string) => saved.delete(key),
});

beforeEach(() => {
  store.reset_store_for_test();
  saved.clear();
});

describe("groups", () => {
  it("a delta replaces whole groups and leaves the others", () => {
    store.apply_state({ ...battery(), mqtt: { enabled: true, queued: 3 } }, kNow);
    store.apply_delta({ battery: { online: true, voltage_v: 52 } }, kNow + 1000);
    expect(store.state.value.battery).toEqual({ online: true, voltage_v: 52 });
    expect(store.state.value.mqtt?.queued).toBe(3);
  });
  it("a whole state forgets groups that it does not have", () => {
    store.apply_state({ ...battery(), mqtt: { enabled: true } }, kNow);
    store.apply_state(battery(), kNow + 1);
    expect(store.state.value.mqtt).toBeUndefined();
    expect(store.group_age_ms("mqtt")).toBeUndefined();
  });
});

describe("age", () => {
  it("adds the age when sent to the time since it arrived", () => {
    store.connection.value = "live";
    store.apply_state(battery({ age_ms: 400 }), kNow);
    store.page_now.value = kNow + 3_000;
    expect(store.battery_age_ms.value).toBe(3_400);
    expect(store.is_battery_stale.value).toBe(false);
  });
  it("is stale once it is too old, even while connected", () => {
    store.connection.value = "live";
    store.apply_state(battery({ age_ms: 100 }), kNow);
    store.page_now.value = kNow + store.kStaleAfterMs;
    expect(store.is_battery_stale.value).toBe(true);
  });
  it("is stale at once when the box says that the BMS is away", () => {
    store.connection.value = "live";
    store.apply_state(battery({ online: false, age_ms: 0 }), kNow);
    expect(store.is_battery_stale.value).toBe(true);
  });
  it("is unknown, not stale, when nothing was ever received", () => {
    expect(store.battery_age_ms.value).toBeUndefined();
    expect(store.is_battery_stale.value).toBe(false);
  });
  it("is stale for every group when the box does not answer", () => {
    store.apply_state({ ...battery(), limits: { ccl_a: 5 } }, kNow);
    store.connection.value = "offline";
    store.page_now.value = kNow + 2_000;
    expect(store.is_group_stale("limits")).toBe(true);
    expect(store.group_age_ms("limits")).toBe(2_000);
    expect(store.is_battery_stale.value).toBe(true);
  });
  it("a span that the box counted goes on, but only while the box answers", () => {
    store.connection.value = "live";
    store.apply_state({ link: { role: "receiver", mode: "plain" } }, kNow);
    store.page_now.value = kNow + 3_000;
    expect(store.running_s("link", 10)).toBe(13);
    expect(store.running_s("link", undefined)).toBeUndefined();
    expect(store.running_s("box", 10)).toBeUndefined();
    expect(store.is_radio_open.value).toBe(true);
    store.connection.value = "offline";
    expect(store.running_s("link", 10)).toBe(10);
  });
  it("a clock of this browser set back makes nothing negative", () => {
    store.apply_state(battery({ age_ms: 100 }), kNow);
    store.page_now.value = kNow - 60_000;
    expect(store.battery_age_ms.value).toBe(100);
  });
});

describe("events", () => {
  const event = (id: number) => ({
    id,
    time: "2026-01-01T00:00:00Z",
    level: "info" as const,
    source: "box",
    code: "x",
    text: "x",
  });
  it("keeps each once, newest first, and a bounded number", () => {
    for (let id = 1; id <= store.kEventCountMax + 10; id += 1) store.add_event(event(id));
    store.add_event(event(store.kEventCountMax + 10));
    expect(store.live_events.value).toHaveLength(store.kEventCountMax);
    expect(store.live_events.value[0]?.id).toBe(store.kEventCountMax + 10);
  });
});

describe("last known values", () => {
  it("come back after a reload, marked as such, with their times", () => {
    store.connection.value = "live";
    store.apply_state(battery(), kNow);
    store.save_last_state(kNow, true);
    store.reset_store_for_test();
    store.load_last_state();
    store.connection.value = "offline";
    store.page_now.value = kNow + 90_000;
    expect(store.is_from_storage.value).toBe(true);
    expect(store.battery_age_ms.value).toBe(90_100);
    expect(store.is_battery_stale.value).toBe(true);
  });
  it("are not overwritten by themselves", () => {
    store.connection.value = "live";
    store.apply_state(battery(), kNow);
    store.save_last_state(kNow, true);
    const text = saved.values().next().value;
    store.reset_store_for_test();
    store.load_last_state();
    store.save_last_state(kNow + 60_000, true);
    expect(saved.values().next().value).toBe(text);
  });
  it("that cannot be read are as if there were none", () => {
    saved.set("amphora.last_state", "{broken");
    store.load_last_state();
    expect(store.is_from_storage.value).toBe(false);
    expect(store.state.value).toEqual({});
  });
});

describe("who may write", () => {
  it("nobody while the box does not answer", () => {
    store.session.value = { login: "none" };
    store.connection.value = "offline";
    expect(store.can_write.value).toBe(false);
  });
  it("an owner, or anyone on a box without login, but no viewer", () => {
    store.connection.value = "live";
    store.session.value = { login: "required", role: "viewer" };
    expect(store.can_write.value).toBe(false);
    store.session.value = { login: "required", user: "admin", role: "owner" };
    expect(store.can_write.value).toBe(true);
    store.session.value = { login: "none" };
    expect(store.can_write.value).toBe(true);
  });
});
