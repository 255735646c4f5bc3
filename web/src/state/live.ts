// SPDX-License-Identifier: Apache-2.0
// The page's one live connection. It holds a WebSocket to /ws/live while it can; while it cannot, it reads the state by
// request and tries the WebSocket again with growing, jittered waits. What arrives is applied once per animation frame,
// newest last, so a slow phone skips pictures instead of falling behind.
//
// Not done here: anything about single pages. A message that cannot be read is dropped and counted.

import { batch } from "@preact/signals";
import { backoff_ms } from "../api/backoff";
import { ApiError, fetch_session, fetch_state } from "../api/client";
import type { BoxEvent, BoxState } from "../api/types";
import {
  add_event,
  apply_delta,
  apply_state,
  connection,
  last_message_at,
  page_now,
  save_last_state,
  session,
} from "./store";

const kPollPeriodMs = 2_000;
// The state changes at least once a second. A connection that says nothing for this long is taken for dead.
const kSilenceMaxMs = 10_000;
// A WebSocket that neither opens nor fails within this time is given up.
const kOpenTimeoutMs = 8_000;

type Message = BoxState & { type?: string; event?: BoxEvent };

let socket: WebSocket | undefined;
let attempt = 0;
let reconnect_timer: number | undefined;
let opened_at = 0;
let is_polling = false;
let last_poll_at = 0;
let is_running = false;
let waiting: Message[] = [];
let is_flush_planned = false;
export let unreadable_count = 0;

function flush(): void {
  is_flush_planned = false;
  const messages = waiting;
  waiting = [];
  const now = Date.now();
  batch(() => {
    for (const message of messages) {
      if (message.type === "event" && message.event) add_event(message.event);
      else if (message.type === "delta") apply_delta(message, now);
      else if (message.type === "state") apply_state(message, now);
    }
    // Together with the values: a page that says "live" without them would call a battery unknown.
    if (socket) connection.value = "live";
  });
  save_last_state(now);
}

function plan_flush(): void {
  if (is_flush_planned) return;
  is_flush_planned = true;
  // A hidden page gets no animation frames; its values must be current all the same when it is looked at again.
  if (document.visibilityState === "visible") requestAnimationFrame(flush);
  else setTimeout(flush, 200);
}

function handle_message(text: unknown): void {
  if (typeof text !== "string") return;
  try {
    const message = JSON.parse(text) as Message;
    // Whatever is waiting is older than a whole state.
    if (message.type === "state") waiting = waiting.filter((known) => known.type === "event");
    waiting.push(message);
  } catch {
    unreadable_count += 1;
    return;
  }
  attempt = 0;
  plan_flush();
}

function close_socket(): void {
  const old = socket;
  socket = undefined;
  if (!old) return;
  old.onopen = old.onmessage = old.onclose = old.onerror = null;
  old.close();
}

function handle_lost(): void {
  close_socket();
  if (!is_running) return;
  if (connection.value === "live") connection.value = "connecting";
  void poll();
  window.clearTimeout(reconnect_timer);
  reconnect_timer = window.setTimeout(open_socket, backoff_ms(attempt, Math.random()));
  attempt += 1;
}

function open_socket(): void {
  if (!is_running || socket) return;
  const url = new URL("/ws/live", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  opened_at = Date.now();
  const next = new WebSocket(url);
  socket = next;
  next.onmessage = (event) => handle_message(event.data);
  next.onclose = handle_lost;
  next.onerror = handle_lost;
}

// The WebSocket was faster than a request, and is newer.
const is_overtaken = () => !is_running || connection.value === "live" || is_flush_planned;

// Reads the state once by request. Tells at the same time whether the box is away or only the WebSocket is.
async function poll(): Promise<void> {
  if (is_polling) return;
  is_polling = true;
  last_poll_at = Date.now();
  try {
    const state = await fetch_state();
    if (is_overtaken()) return;
    apply_state(state, Date.now());
    save_last_state(Date.now());
    connection.value = "polling";
  } catch (error) {
    if (is_overtaken()) return;
    if (error instanceof ApiError && error.status === 401) await handle_signed_out();
    else connection.value = "offline";
  } finally {
    is_polling = false;
  }
}

// The session ended: by its age, by a restart of the box, or by a sign-out in another tab.
async function handle_signed_out(): Promise<void> {
  try {
    session.value = await fetch_session();
  } catch {
    connection.value = "offline";
  }
}

function tick(): void {
  const now = Date.now();
  page_now.value = now;
  if (!is_running) return;
  const silent_ms = now - Math.max(last_message_at.value ?? 0, opened_at);
  if (socket && silent_ms > (connection.value === "live" ? kSilenceMaxMs : kOpenTimeoutMs)) handle_lost();
  if (connection.value !== "live" && now - last_poll_at >= kPollPeriodMs) void poll();
}

function reconnect_now(): void {
  if (!is_running || connection.value === "live") return;
  attempt = 0;
  window.clearTimeout(reconnect_timer);
  close_socket();
  open_socket();
}

window.setInterval(tick, 1_000);
// A phone that wakes up or finds its network again should not wait for the back-off.
window.addEventListener("online", reconnect_now);
window.addEventListener("offline", () => {
  if (is_running) handle_lost();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") reconnect_now();
});
window.addEventListener("pagehide", () => save_last_state(Date.now(), true));

export function start_live(): void {
  if (is_running) return;
  is_running = true;
  attempt = 0;
  open_socket();
}

export function stop_live(): void {
  is_running = false;
  window.clearTimeout(reconnect_timer);
  close_socket();
}
