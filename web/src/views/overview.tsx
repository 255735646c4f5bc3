// SPDX-License-Identifier: Apache-2.0
// The first page: energy flow, charge, limits, who is connected, newest alarm. On a phone of 390 x 844 all of this fits
// without scrolling; what comes after it is detail.
import type { ComponentChildren } from "preact";
import type { Peer } from "../api/types";
import { age, duration, format_number } from "../lib/format";
import { describe_peer_state, kLinkStates, type LinkState, role_of_peers } from "../lib/link_words";
import { describe_link, describe_phase, type Status } from "../lib/words";
import {
  age_of,
  group_age_ms,
  is_battery_stale,
  is_connected,
  is_group_stale,
  is_radio_open,
  is_receiver,
  peers,
  running_s,
  state,
} from "../state/store";
import { AlarmLine } from "./parts/alarms";
import { Card, Fact, Value } from "./parts/card";
import { FlowCard, why_no_battery } from "./parts/flow";
import { BoxIcon, InverterIcon, LinkIcon, NetworkIcon, RadioIcon } from "./parts/icons";
import { LimitsCard } from "./parts/limits";
import { TodayCard } from "./parts/today";

interface StatusRowProps {
  icon: ComponentChildren;
  name: string;
  status: Status;
  detail: string;
}

function StatusRow({ icon, name, status, detail }: StatusRowProps) {
  return (
    <li class="status-row" data-tone={status.tone}>
      <span class="status-icon">{icon}</span>
      <span class="status-name">{name}</span>
      <span class="status-title">{status.title}</span>
      <span class="status-text">{detail || status.text}</span>
    </li>
  );
}

function inverter_detail(): string {
  const inverter = state.value.inverter;
  const status = describe_phase(inverter);
  if (!inverter) return status.text;
  const since = running_s("inverter", inverter.since_s);
  if (inverter.can?.error) return inverter.can.error;
  if (inverter.phase !== "online") return status.text;
  const bus = inverter.can?.interface ?? "CAN";
  return since === undefined ? `on ${bus}` : `on ${bus} for ${duration(since)}`;
}

function link_detail(): string {
  const link = state.value.bms_link;
  if (link?.state !== "connected") return link?.error ?? describe_link(link).text;
  const model = [state.value.battery?.manufacturer, state.value.battery?.model].filter(Boolean).join(" ");
  return model || link.port || "";
}

function box_status(): { status: Status; detail: string } {
  const { box, mqtt, storage } = state.value;
  if (!box) return { status: { tone: "neutral", title: "Unknown", text: "" }, detail: "The box has not told yet." };
  if (!is_connected.value) {
    return {
      status: { tone: "bad", title: "No answer", text: "" },
      detail: `last heard ${age(group_age_ms("box"))} ago`,
    };
  }
  if (storage && !storage.ok) {
    return {
      status: { tone: "warn", title: "Storage", text: "" },
      detail: storage.error ?? "History cannot be kept now.",
    };
  }
  if (mqtt?.enabled && !mqtt.connected) {
    return {
      status: { tone: "warn", title: "MQTT away", text: "" },
      detail: `${mqtt.queued ?? 0} readings are waiting`,
    };
  }
  const detail = `up for ${duration(running_s("box", box.uptime_s))}`;
  return { status: { tone: "good", title: mqtt?.enabled ? "MQTT on" : "Running", text: "" }, detail };
}

// The other box of a radio link: the one that is worst off, if there are several.
function peer_status(): { status: Status; detail: string } {
  const rank = (peer: Peer) => kLinkStates.indexOf(peer.state as LinkState);
  const worst = peers.value.toSorted((a, b) => rank(b) - rank(a))[0];
  if (worst === undefined) {
    return { status: { tone: "neutral", title: "None", text: "" }, detail: "Nothing is paired yet: see Network." };
  }
  const status = describe_peer_state(worst.state);
  const name = worst.name ?? worst.node;
  const since = running_s("link", worst.since_s);
  const heard = running_s("link", worst.last_heard_ms === undefined ? undefined : worst.last_heard_ms / 1000);
  if (worst.state === "connected") return { status, detail: `${name}${since ? `, for ${duration(since)}` : ""}` };
  return { status, detail: `${name}, heard ${heard === undefined ? "never" : `${duration(heard)} ago`}` };
}

function RadioRow() {
  const { link } = state.value;
  const radio = link?.radio;
  const is_up = radio?.state === "up";
  const where = radio?.channel === undefined ? "" : `channel ${radio.channel} on ${radio.interface ?? "the radio"}`;
  const status: Status =
    radio === undefined
      ? { tone: "neutral", title: "Unknown", text: "The box has not told yet." }
      : !is_up
        ? { tone: "bad", title: "Down", text: radio.error ?? "See Network." }
        : is_radio_open.value
          ? { tone: "bad", title: "Not sealed", text: where }
          : { tone: "good", title: "Sealed", text: where };
  return <StatusRow icon={<RadioIcon />} name="Radio" status={status} detail="" />;
}

function StatusCard() {
  const box = box_status();
  const { box: own, inverter, bms_link, link } = state.value;
  const has_inverter = !is_receiver.value && (inverter !== undefined || own?.role !== "transmitter");
  const peer = peer_status();
  const rows = is_receiver.value ? 3 : 2 + (has_inverter ? 1 : 0) + (link ? 1 : 0);
  return (
    <Card
      title="Connections"
      id="status-title"
      class="status-card"
      is_stale={is_group_stale("box")}
      age_ms={group_age_ms("box")}
    >
      <ul class="status-list" data-count={rows}>
        {has_inverter && (
          <StatusRow
            icon={<InverterIcon />}
            name="Inverter"
            status={describe_phase(inverter)}
            detail={inverter_detail()}
          />
        )}
        {!is_receiver.value && (
          <StatusRow icon={<LinkIcon />} name="BMS" status={describe_link(bms_link)} detail={link_detail()} />
        )}
        {link && (
          <StatusRow icon={<NetworkIcon />} name={role_of_peers(link.role)} status={peer.status} detail={peer.detail} />
        )}
        {is_receiver.value && <RadioRow />}
        <StatusRow icon={<BoxIcon />} name="Box" status={box.status} detail={box.detail} />
      </ul>
    </Card>
  );
}

// In place of limits, where this box sets none: how the battery's cells and temperatures are.
function StateCard() {
  const battery = state.value.battery;
  const cells = battery?.cells;
  const why = why_no_battery();
  const volts = (mv: number | undefined) => format_number(mv === undefined ? undefined : mv / 1000, 3);
  return (
    <Card
      title="Cells and temperatures"
      id="state-title"
      class="limits-card"
      is_stale={is_battery_stale.value}
      age_ms={age_of("battery", cells?.age_ms ?? battery?.age_ms)}
      of_peer={is_receiver.value}
    >
      <dl class="facts state-facts">
        <Fact label="Lowest cell">
          <Value text={volts(cells?.min_mv ?? battery?.cell_min_mv)} unit="V" why={why} />
        </Fact>
        <Fact label="Highest cell">
          <Value text={volts(cells?.max_mv ?? battery?.cell_max_mv)} unit="V" why={why} />
        </Fact>
        <Fact label="Difference">
          <Value text={format_number(cells?.delta_mv, 0)} unit="mV" why={why} />
        </Fact>
        <Fact label="Coldest">
          <Value text={format_number(battery?.temperature_min_c, 1)} unit="°C" why={why} />
        </Fact>
        <Fact label="Warmest">
          <Value text={format_number(battery?.temperature_max_c, 1)} unit="°C" why={why} />
        </Fact>
        <Fact label="Cells">
          <Value text={format_number(cells?.count, 0)} why={why} />
        </Fact>
      </dl>
    </Card>
  );
}

export function Overview() {
  const has_limits = state.value.limits !== undefined || state.value.box?.role !== "transmitter";
  return (
    <div class="overview">
      <AlarmLine />
      <FlowCard />
      {has_limits && !is_receiver.value ? <LimitsCard /> : <StateCard />}
      <StatusCard />
      <TodayCard />
    </div>
  );
}
