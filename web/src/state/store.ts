// SPDX-License-Identifier: Apache-2.0
// The one picture of the box that all pages share: the newest state, when each group of it arrived, and how the page is
// connected. Pages only read it. `page_now` ticks once a second, so that ages grow on screen even when nothing arrives.
import { computed, signal } from "@preact/signals";
import { type BoxEvent, type BoxState, type GroupName, kGroupNames, type Session } from "../api/types";

// live: WebSocket; polling: the WebSocket fails but requests are answered; offline: the box does not answer;
// connecting: not known yet.
export type Connection = "connecting" | "live" | "polling" | "offline";

export interface Received {
  state: BoxState;
  at: Partial<Record<GroupName, number>>; // this browser's clock when the group arrived, Unix ms
}

const kSavedKey = "amphora.last_state";
const kSavePeriodMs = 10_000;
export const kEventCountMax = 500;
// The BMS is read every second and the box itself gives up a reading after 5 s. A page adds the network's delays.
export const kStaleAfterMs = 8_000;

export const received = signal<Received>({ state: {}, at: {} });
export const connection = signal<Connection>("connecting");
export const last_message_at = signal<number | undefined>(undefined);
export const page_now = signal(Date.now());
export const session = signal<Session | undefined>(undefined);
export const live_events = signal<BoxEvent[]>([]);
// True until the first message of this visit: what is shown then was saved by an earlier one.
export const is_from_storage = signal(false);

export const state = computed(() => received.value.state);
export const is_connected = computed(() => connection.value === "live" || connection.value === "polling");
export const is_receiver = computed(() => state.value.box?.role === "receiver");
export const is_pack = computed(() => state.value.box?.role === "pack");
export const peers = computed(() => state.value.link?.peers ?? []);
// An unsealed radio can be listened to and fooled: this is told on every page. So is a pack network that takes orders from
// anyone on its bus.
export const is_radio_open = computed(() => state.value.link?.mode === "plain");
export const is_pack_network_open = computed(() => state.value.packs?.security === "plain");

export const can_write = computed(() => {
  const s = session.value;
  return is_connected.value && s !== undefined && (s.login === "none" || s.role === "owner");
});

// A whole state replaces everything: groups that are gone are unknown again.
export function apply_state(next: BoxState, now: number): void {
  merge({ state: {}, at: {} }, next, now);
}

// A delta replaces whole groups. Order is the connection's: the wall clocks of box and browser are never compared, and a
// box whose clock is set back must not freeze the page.
export function apply_delta(delta: BoxState, now: number): void {
  merge(received.value, delta, now);
}

// Takes the groups this page knows, and nothing else of a message.
function merge(base: Received, message: BoxState, now: number): void {
  const state: BoxState = { ...base.state };
  const at = { ...base.at };
  for (const name of kGroupNames) {
    if (message[name] === undefined) continue;
    Object.assign(state, { [name]: message[name] });
    at[name] = now;
  }
  received.value = { state, at };
  last_message_at.value = now;
  page_now.value = now;
  is_from_storage.value = false;
}

export function add_event(event: BoxEvent): void {
  if (live_events.value.some((known) => known.id === event.id)) return;
  live_events.value = [event, ...live_events.value].slice(0, kEventCountMax);
}

// How old a group is now: its age when it was sent, and the time since it arrived here. Undefined: never received.
export function age_of(name: GroupName, age_ms: number | undefined): number | undefined {
  const at = received.value.at[name];
  return at === undefined ? undefined : Math.max(0, page_now.value - at) + (age_ms ?? 0);
}

// While connected, a group without an age of its own is as fresh as the connection: only changed groups are sent.
function connected_age(name: GroupName): number | undefined {
  if (received.value.at[name] === undefined) return undefined;
  if (is_connected.value) return 0;
  return last_message_at.value === undefined ? age_of(name, 0) : Math.max(0, page_now.value - last_message_at.value);
}

export const battery_age_ms = computed(() => age_of("battery", state.value.battery?.age_ms));
export const is_battery_stale = computed(() => {
  const age = battery_age_ms.value;
  if (age === undefined) return false; // unknown, not stale
  return state.value.battery?.online === false || age > kStaleAfterMs || connection.value === "offline";
});

export const energy_age_ms = computed(() => age_of("energy", state.value.energy?.age_ms));
export const is_energy_stale = computed(() => {
  const age = energy_age_ms.value;
  return age !== undefined && (age > kStaleAfterMs || connection.value === "offline");
});

// A span that the box counted when it sent the group, continued by this page's clock while the box answers.
export function running_s(name: GroupName, seconds: number | undefined): number | undefined {
  const at = received.value.at[name];
  if (seconds === undefined || at === undefined) return undefined;
  return is_connected.value ? seconds + Math.max(0, page_now.value - at) / 1000 : seconds;
}

// The same for a span that runs out.
export function left_s(name: GroupName, seconds: number | undefined): number | undefined {
  const at = received.value.at[name];
  if (seconds === undefined || at === undefined) return undefined;
  return is_connected.value ? Math.max(0, seconds - Math.max(0, page_now.value - at) / 1000) : seconds;
}

export function group_age_ms(name: GroupName): number | undefined {
  if (name === "energy") return energy_age_ms.value;
  return name === "battery" ? battery_age_ms.value : connected_age(name);
}
export function is_group_stale(name: GroupName): boolean {
  if (name === "battery") return is_battery_stale.value;
  if (name === "energy") return is_energy_stale.value;
  return received.value.at[name] !== undefined && !is_connected.value;
}

// Last known values survive a closed page, so that an offline phone still shows them, marked with their age.
let saved_at = 0;
export function save_last_state(now: number, force = false): void {
  if (is_from_storage.value || last_message_at.value === undefined) return;
  if (!force && now - saved_at < kSavePeriodMs) return;
  saved_at = now;
  try {
    localStorage.setItem(kSavedKey, JSON.stringify(received.value));
  } catch {
    // A full or refused storage only means that the next offline visit starts empty.
  }
}

export function load_last_state(): void {
  try {
    const text = localStorage.getItem(kSavedKey);
    const saved = text ? (JSON.parse(text) as Received) : undefined;
    if (!saved || typeof saved.state !== "object" || typeof saved.at !== "object") return;
    received.value = saved;
    is_from_storage.value = true;
  } catch {
    // Unreadable: as if nothing had been saved.
  }
}

// After a sign-out nothing of the battery stays in this browser, neither stored nor on its way to be.
export function forget_last_state(): void {
  received.value = { state: {}, at: {} };
  last_message_at.value = undefined;
  live_events.value = [];
  try {
    localStorage.removeItem(kSavedKey);
  } catch {
    // Nothing was stored then.
  }
}

export function reset_store_for_test(): void {
  received.value = { state: {}, at: {} };
  connection.value = "connecting";
  last_message_at.value = undefined;
  live_events.value = [];
  is_from_storage.value = false;
  session.value = undefined;
  saved_at = 0;
}
