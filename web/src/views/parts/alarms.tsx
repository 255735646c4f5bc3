// SPDX-License-Identifier: Apache-2.0
// What is wrong now, in one line at the top of the Overview; and the announcer that speaks changes of it once, on any page.
import { computed, effect, signal } from "@preact/signals";
import { fetch_events } from "../../api/client";
import type { BoxEvent } from "../../api/types";
import { age } from "../../lib/format";
import { cause_title, warning_text } from "../../lib/pack_words";
import { describe_alarm } from "../../lib/words";
import { is_battery_stale, is_connected, is_pack, live_events, page_now, state } from "../../state/store";
import { AlertIcon, CheckIcon, ClockIcon, RightIcon } from "./icons";

export const alarms = computed(() => [
  ...new Set([...(state.value.battery?.alarms ?? []), ...(state.value.battery?.faults ?? [])]),
]);
export const warnings = computed(() => {
  const battery = state.value.battery;
  const list = [...(battery?.warnings ?? [])];
  if (battery?.cells?.imbalance_warning && !list.includes("cell_imbalance")) list.push("cell_imbalance");
  return list.filter((name) => !alarms.value.includes(name));
});
// What the modes of a pack warn of, in sentences.
export const mode_warnings = computed(() => (state.value.modes?.warnings ?? []).map(warning_text));

// The newest warning or error of the log, for when nothing is in force: fetched once a connection, then kept by live events.
const fetched_event = signal<BoxEvent | undefined>(undefined);
const is_serious = (event: BoxEvent) => event.level === "warning" || event.level === "error";

const newest_event = computed(() => live_events.value.find(is_serious) ?? fetched_event.value);

effect(() => {
  if (!is_connected.value) return;
  fetch_events({ limit: 100 })
    .then((page) => {
      fetched_event.value = page.events.find(is_serious);
    })
    .catch(() => {
      // The line then tells only of what is in force; the Events page reports the failure itself.
    });
});

const warning_list = () => [...warnings.value.map(describe_alarm), ...mode_warnings.value].join(", ");
const list_text = (names: string[]) => names.map(describe_alarm).join(", ");

export function AlarmLine() {
  const event = newest_event.value;
  const is_alarm = alarms.value.length > 0;
  const is_warning = !is_alarm && warnings.value.length + mode_warnings.value.length > 0;
  if (is_alarm || is_warning) {
    const text = is_alarm ? list_text(alarms.value) : warning_list();
    return (
      <a class="alarm-line" href="#/events" data-tone={is_alarm ? "bad" : "warn"}>
        <AlertIcon />
        <span>
          <strong>{is_alarm ? "Alarm" : "Warning"}:</strong> {text}
          {is_battery_stale.value && " (when last heard)"}
        </span>
        <RightIcon />
      </a>
    );
  }
  if (!state.value.battery && !is_pack.value) return null;
  return (
    <a class="alarm-line" href="#/events" data-tone={event ? "neutral" : "good"}>
      {event ? <ClockIcon /> : <CheckIcon />}
      <span class="one-line">
        {event ? `${age(Math.max(0, page_now.value - Date.parse(event.time)))} ago: ${event.text}` : "No alarms"}
      </span>
      <RightIcon />
    </a>
  );
}

const spoken = computed(() => {
  const safety = state.value.modes?.safety ?? [];
  if (safety.length > 0)
    return `Safe state: ${safety.map((entry) => entry.text ?? cause_title(entry.cause)).join(" ")}`;
  if (!state.value.battery && !is_pack.value) return "";
  if (alarms.value.length > 0) return `Alarm: ${list_text(alarms.value)}`;
  if (warnings.value.length + mode_warnings.value.length > 0) return `Warning: ${warning_list()}`;
  return "";
});

export function Announcer() {
  return (
    <p class="sr-only" role="status" aria-live="assertive" aria-atomic="true" id="announcer">
      {spoken.value}
    </p>
  );
}
