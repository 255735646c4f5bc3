// SPDX-License-Identifier: Apache-2.0
// The state sections: when they are read again, what counts as offline, and what is told of changes made elsewhere.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { SectionScope } from "../../src/api/types";
import * as sections from "../../src/state/sections";
import * as store from "../../src/state/store";

const kPeer = "02:00:00:00:00:01";
const kNow = 1_800_000_000_000;
let version = 3;
let origin_is_self = true;
let requests = 0;
let answers: (() => void)[] = [];
let is_held = false;

const scope = (more: Partial<SectionScope> = {}): SectionScope => ({
  scope: kPeer,
  title: "Transmitter",
  online: true,
  editable: true,
  sections: [{ name: "battery", title: "Battery", version, origin: kPeer, origin_is_self, fields: [] }],
  ...more,
});

vi.stubGlobal("document", { visibilityState: "visible" });
vi.stubGlobal("fetch", async () => {
  requests += 1;
  const body = JSON.stringify({ scopes: [scope()] });
  if (is_held) await new Promise<void>((resolve) => answers.push(resolve));
  return new Response(body, { status: 200 });
});

const link = (state: string, more: object = {}) => ({
  link: { role: "receiver", mode: "sealed", peers: [{ node: kPeer, state, ...more }] },
});
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

beforeEach(() => {
  store.reset_store_for_test();
  sections.scopes.value = undefined;
  sections.changed_elsewhere.value = {};
  [version, origin_is_self, requests, answers, is_held] = [3, true, 0, [], false];
});

let stop: (() => void) | undefined;
afterEach(() => {
  stop?.();
  stop = undefined;
});

it("are read once connected, and again on a new revision or another state of the link, and not otherwise", async () => {
  stop = sections.watch_sections();
  await settled();
  expect(requests).toBe(0);
  store.connection.value = "live";
  store.apply_state({ ...link("connected"), sections: { revision: 1 } }, kNow);
  await settled();
  const first = requests;
  expect(first).toBeGreaterThan(0);
  store.apply_delta({ ...link("connected", { last_heard_ms: 7 }) }, kNow);
  await settled();
  expect(requests).toBe(first);
  store.apply_delta({ sections: { revision: 2 } }, kNow);
  await settled();
  expect(requests).toBe(first + 1);
  store.apply_delta(link("disconnected"), kNow);
  await settled();
  expect(requests).toBe(first + 2);
});

it("an answer that a later one has overtaken is not shown", async () => {
  is_held = true;
  const old = sections.load_sections();
  version = 4;
  const newer = sections.load_sections();
  answers[1]?.();
  await newer;
  answers[0]?.();
  await old;
  expect(sections.scopes.value?.[0]?.sections[0]?.version).toBe(4);
});

it("a change made elsewhere is told, one's own is not", async () => {
  await sections.load_sections();
  const key = sections.section_key(kPeer, "battery");
  version = 4;
  sections.expect_version(kPeer, "battery", 4);
  await sections.load_sections();
  expect(sections.changed_elsewhere.value[key]).toBeUndefined();
  version = 5;
  await sections.load_sections();
  expect(sections.changed_elsewhere.value[key]).toBe("Changed just now in another browser.");
  version = 6;
  origin_is_self = false;
  await sections.load_sections();
  expect(sections.changed_elsewhere.value[key]).toBe(`Changed just now by ${kPeer}.`);
});

it("a peer is offline if either the sections or the link say so; one's own sections never are by the link", () => {
  store.connection.value = "live";
  store.apply_state(link("connected"), kNow);
  expect(sections.is_scope_offline(scope())).toBe(false);
  expect(sections.is_scope_offline(scope({ online: false }))).toBe(true);
  store.apply_delta(link("disconnected"), kNow);
  expect(sections.is_scope_offline(scope())).toBe(true);
  expect(sections.is_scope_offline(scope({ scope: "own" }))).toBe(false);
});

it("the age of the last beacon goes on between messages", () => {
  store.connection.value = "live";
  store.apply_state(link("disconnected", { beacon_age_s: 40 }), kNow);
  store.page_now.value = kNow + 5_000;
  expect(sections.beacon_age_s(scope())).toBe(45);
});
