// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import type { StateSection } from "../../src/api/types";
import * as words from "../../src/lib/link_words";

const kNow = new Date(2026, 10, 21, 14, 30).getTime();
const section = (more: Partial<StateSection>): StateSection => ({
  name: "battery",
  title: "Battery",
  fields: [],
  ...more,
});

describe("sync state", () => {
  it("says how far both sides agree", () => {
    const title = (more: Partial<StateSection>) => words.describe_sync(section(more), "the receiver", kNow).title;
    expect(title({ sync: "synchronised" })).toBe("Synchronised");
    expect(title({ sync: "waiting_for_peer" })).toBe("Waiting for peer");
    expect(title({ sync: "local" })).toBe("Local");
    expect(title({ sync: "brand_new" })).toBe("Brand new");
  });
  it("says whose change won a conflict, and when", () => {
    const conflict_at = new Date(kNow - 60_000).toISOString();
    const lost = words.describe_sync(
      section({ sync: "conflict_resolved", conflict_at, origin_is_self: false }),
      "the receiver",
      kNow,
    );
    expect(lost.title).toMatch(/^Conflict resolved: theirs \(\d+:29/);
    expect(lost.text).toContain("made at the receiver");
    const won = words.describe_sync(section({ sync: "conflict_resolved", origin_is_self: true }), "the receiver", kNow);
    expect(won.title).toBe("Conflict resolved: ours");
  });
});

describe("times", () => {
  it("names the day unless it is today, and nothing that is no time", () => {
    expect(words.short_time(new Date(kNow - 1_000).toISOString(), kNow)).not.toContain(",");
    expect(words.short_time(new Date(kNow - 86_400_000).toISOString(), kNow)).toContain(",");
    expect(words.short_time("soon", kNow)).toBe("–");
  });
});

describe("the link", () => {
  it("has a tone for every state and a sentence for every reason, in the words of its kind", () => {
    for (const state of words.kLinkStates) expect(words.describe_peer_state(state).tone, state).not.toBe("neutral");
    const change = (reason?: string) => ({ time: "", from: "connected", to: "failing", ...(reason ? { reason } : {}) });
    for (const reason of ["sign_of_life", "silence", "reported", "never_seen"]) {
      expect(words.describe_change(change(reason), "peer"), reason).not.toContain("_");
      expect(words.describe_change(change(reason), "bms"), reason).not.toContain("_");
    }
    expect(words.describe_change(change("silence"), "bms")).not.toBe(words.describe_change(change("silence"), "peer"));
    expect(words.describe_change(change("new_reason"), "peer")).toBe("new reason");
    expect(words.describe_change(change(), "peer")).toBe("no reason was told");
  });
  it("calls the other side by its name, else by what it is to this box", () => {
    const peer = { node: "02:00:00:00:00:02", state: "connected" };
    expect(words.name_of_peer({ ...peer, name: "Garage" }, "receiver")).toBe("Garage");
    expect(words.name_of_peer(peer, "receiver")).toBe("Transmitter 02:00:00:00:00:02");
    expect(words.name_of_peer({ ...peer, name: "" }, "transmitter")).toBe("Receiver 02:00:00:00:00:02");
  });
  it("explains each kind of rejected frame", () => {
    for (const name of words.kRejectedNames) expect(words.kRejected[name].text.length).toBeGreaterThan(20);
  });
  it("puts the strength of a signal into a word", () => {
    expect([-40, -70, -80, -95].map(words.describe_rssi)).toEqual(["strong", "good", "weak", "very weak"]);
    expect(words.describe_rssi(undefined)).toBeUndefined();
  });
});

describe("the radio", () => {
  it("says what to do about an error, and nothing while all is well", () => {
    expect(words.radio_advice({ state: "up" })).toBeUndefined();
    const advice = (error: string) => words.radio_advice({ state: "down", error });
    expect(advice("wlan1: Operation not permitted")).toContain("CAP_NET_RAW");
    expect(advice("wlan1: No such device")).toContain("plugged in");
    expect(advice("wlan1: Device or resource busy")).toContain("Another program");
    expect(advice("wlan1: channel 13 is not allowed by the regulatory domain")).toContain("regulatory domain");
    expect(advice("wlan1: interface type is not monitor")).toContain("monitor");
    expect(advice("something new")).toContain("restart the service");
    expect(words.radio_advice({ state: "down" })).toContain("restart the service");
    expect(words.radio_advice({ state: "up", error: "wlan1: send failed" })).toBeDefined();
  });
  it("tells what a driver's send status is worth", () => {
    expect(words.describe_send_status("real")?.tone).toBe("good");
    for (const name of ["always_acked", "always_failed", "none"])
      expect(words.describe_send_status(name)?.tone, name).toBe("warn");
    expect(words.describe_send_status(undefined)).toBeUndefined();
  });
});

it("tells why pairing failed, and what to do then", () => {
  for (const reason of ["wrong_code", "expired", "too_many_tries"])
    expect(words.describe_pairing_failure(reason)).not.toContain("Pairing failed:");
  expect(words.describe_pairing_failure("sun_spots")).toBe("Pairing failed: sun spots. Try again.");
  expect(words.describe_pairing_failure(undefined)).toContain("Try again");
});

it("names roles, and the second role of a gateway with a radio", () => {
  expect(words.describe_role("bms-gateway")).toBe("BMS gateway");
  expect(words.describe_role("bms-gateway", { role: "transmitter", mode: "sealed" })).toBe(
    "BMS gateway and transmitter",
  );
  expect(words.describe_role("receiver", { role: "receiver", mode: "sealed" })).toBe("Receiver");
});
