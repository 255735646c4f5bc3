// SPDX-License-Identifier: Apache-2.0
// The hero of the Overview: battery, line, inverter, with the live watts on the line. Dots run along the line in the
// direction of the energy, in five speeds. Where motion is not wanted an arrow says the same.

import { duration, format_number, kUnknown, power, with_unit } from "../../lib/format";
import { describe_peer_state } from "../../lib/link_words";
import { describe_activity, describe_phase } from "../../lib/words";
import { battery_age_ms, connection, is_battery_stale, is_receiver, peers, state } from "../../state/store";
import { Card, Unknown, Value } from "./card";
import { type Direction, direction_of, speed_of } from "./flow_figures";
import { Vessel } from "./vessel";

function Line({ direction, speed }: { direction: Direction; speed: number }) {
  // Drawn from the battery (left) to the inverter (right); charging runs the other way.
  return (
    <svg class="flow-line" viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">
      <path class="flow-track" d="M0 12H120" />
      {direction !== "none" && <path class="flow-dots" data-direction={direction} data-speed={speed} d="M0 12H120" />}
    </svg>
  );
}

function Inverter() {
  return (
    <svg class="inverter" viewBox="0 0 90 120" aria-hidden="true">
      <rect class="inverter-case" x="6" y="6" width="78" height="108" rx="14" />
      <rect class="inverter-screen" x="20" y="22" width="50" height="36" rx="7" />
      <path class="inverter-wave" d="M27 40c4-15 14-15 18 0s14 15 18 0" />
      <path class="inverter-vents" d="M24 76h42M24 86h42M24 96h42" />
    </svg>
  );
}

function House() {
  return (
    <svg class="inverter" viewBox="0 0 90 120" aria-hidden="true">
      <path class="house-roof" d="M8 58L45 22l37 36" />
      <path class="inverter-case" d="M18 52v50a6 6 0 0 0 6 6h42a6 6 0 0 0 6-6V52L45 27z" />
      <path class="inverter-screen" d="M38 108V82a4 4 0 0 1 4-4h6a4 4 0 0 1 4 4v26z" />
      <path class="inverter-screen" d="M29 58h12v10H29zM49 58h12v10H49z" />
    </svg>
  );
}

// What is at the far end of the line: the inverter, where this box speaks to one; else the house that the battery feeds,
// with the link over which the battery is known.
function FarEnd() {
  const { inverter, box } = state.value;
  if (box?.role !== "receiver" && (inverter !== undefined || box?.role !== "transmitter")) {
    const phase = describe_phase(inverter);
    return (
      <div class="flow-inverter">
        <Inverter />
        <p class="flow-inverter-name">{inverter?.name ?? "Inverter"}</p>
        <p class="flow-inverter-phase" data-tone={phase.tone}>
          {phase.title}
        </p>
      </div>
    );
  }
  const peer = peers.value[0];
  const status = peer === undefined ? undefined : describe_peer_state(peer.state);
  return (
    <div class="flow-inverter">
      <House />
      <p class="flow-inverter-name">House</p>
      <p class="flow-inverter-phase" data-tone={status?.tone ?? "neutral"}>
        {status === undefined ? "Not paired" : status.title}
      </p>
    </div>
  );
}

function time_text(): { text: string; why?: string } {
  const battery = state.value.battery;
  if (battery?.time_to_full_s !== undefined) return { text: `${duration(battery.time_to_full_s)} to full` };
  if (battery?.time_to_empty_s !== undefined) return { text: `${duration(battery.time_to_empty_s)} to empty` };
  if (battery?.power_w !== undefined && direction_of(battery.power_w) === "none") {
    return { text: battery.activity === "fully_charged" ? "Full" : "Resting" };
  }
  return { text: kUnknown, why: "the time left is not known yet" };
}

export function why_no_battery(): string {
  if (connection.value === "offline") return "the box does not answer";
  if (is_receiver.value) {
    if (!state.value.battery) return "no reading has come from the transmitter yet";
    return state.value.battery.online ? "the transmitter has not reported it" : "the transmitter is away";
  }
  if (!state.value.battery) return "the box has not reported a battery yet";
  if (!state.value.battery.online) return "the BMS does not answer";
  return "the BMS has not reported it";
}

function Watts({ direction }: { direction: Direction }) {
  const power_w = state.value.battery?.power_w;
  const { text, unit } = power(power_w);
  const words = direction === "in" ? "into the battery" : direction === "out" ? "out of the battery" : "";
  return (
    <p class="watts">
      <Value text={text} unit={unit} why={why_no_battery()} />
      <span class="sr-only"> {words}</span>
    </p>
  );
}

export function FlowCard() {
  const battery = state.value.battery;
  const is_stale = is_battery_stale.value;
  const direction = is_stale ? "none" : direction_of(battery?.power_w);
  const time = time_text();
  const arrow = direction === "in" ? "←" : direction === "out" ? "→" : "";
  return (
    <Card
      title="Energy flow"
      id="flow-title"
      class="flow-card"
      is_stale={is_stale}
      age_ms={battery_age_ms.value}
      of_peer={is_receiver.value}
    >
      <div class="flow" data-direction={direction}>
        <Vessel soc_percent={battery?.soc_percent} direction={direction} is_stale={is_stale} />
        <div class="flow-middle">
          <p class="flow-activity">{describe_activity(battery?.activity)}</p>
          <Watts direction={direction} />
          <Line direction={direction} speed={speed_of(battery?.power_w)} />
          <p class="flow-detail">
            <span class="flow-arrow" aria-hidden="true">
              {arrow}
            </span>
            {with_unit(battery?.voltage_v, 2, "V")} · {with_unit(battery?.current_a, 1, "A")}
          </p>
        </div>
        <FarEnd />
      </div>
      <dl class="flow-facts">
        <div class="fact">
          <dt>Stored</dt>
          <dd>
            <Value
              text={format_number(battery?.stored_kwh, 2)}
              unit="kWh"
              why="capacity or state of charge is unknown"
            />
          </dd>
        </div>
        <div class="fact">
          <dt>Time</dt>
          <dd>{time.why === undefined ? time.text : <Unknown why={time.why} />}</dd>
        </div>
        <div class="fact">
          <dt>Health</dt>
          <dd>
            <Value text={format_number(battery?.soh_percent, 1)} unit="%" why="this BMS does not report it" />
          </dd>
        </div>
      </dl>
    </Card>
  );
}
