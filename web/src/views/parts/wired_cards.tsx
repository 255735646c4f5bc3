// SPDX-License-Identifier: Apache-2.0
// What is connected by wire: the inverter's bus and the BMS; and how punctual the control loop is.
import type { BmsLink, Control, Inverter } from "../../api/types";
import { humanise, with_unit } from "../../lib/format";
import { describe_link, describe_phase, type Tone } from "../../lib/words";
import { group_age_ms, is_group_stale, running_s } from "../../state/store";
import { Card, Fact, Note, Pill, Unknown } from "./card";
import { Counters } from "./counters";
import { LinkHistory, LinkStates } from "./link_states";

export const kBusTones: Record<string, Tone> = { active: "good", down: "bad", error_passive: "warn", bus_off: "bad" };
export const kBusTexts: Record<string, string> = {
  down: "The interface is down. Set it up with the bit rate of the others on the bus.",
  error_passive: "Many frames fail. Check termination, wiring and bit rate.",
  bus_off: "The controller has left the bus: short circuit, wrong bit rate or nobody else on the line.",
};

export function InverterBusCard({ inverter }: { inverter: Inverter }) {
  const { can } = inverter;
  const state = can?.state;
  const help = can?.error ?? (state === undefined ? undefined : kBusTexts[state]);
  return (
    <Card
      title="Inverter bus"
      id="bus-title"
      is_stale={is_group_stale("inverter")}
      age_ms={group_age_ms("inverter")}
      aside={state && <Pill tone={kBusTones[state] ?? "neutral"}>{humanise(state)}</Pill>}
    >
      {help && <Note tone="bad">{help}</Note>}
      <dl class="facts small-facts">
        <Fact label="Interface">{can?.interface ?? <Unknown why="none is configured" />}</Fact>
        <Fact label="Inverter">{describe_phase(inverter).title}</Fact>
      </dl>
      <Counters
        list={[
          { label: "Frames sent", value: can?.frames_sent },
          { label: "Frames received", value: can?.frames_received },
          { label: "Errors", value: can?.errors, is_bad: true },
          { label: "Dropped", value: can?.dropped, is_bad: true },
          { label: "Keep-alive age", value: with_unit(inverter.keepalive_age_ms, 0, "ms") },
          { label: "Longest gap of limits", value: with_unit(inverter.limit_gap_max_ms, 0, "ms") },
          { label: "Of another battery", value: inverter.foreign_frames, is_bad: true },
          { label: "Withheld", value: inverter.suppressed_frames },
        ]}
      />
    </Card>
  );
}

export function BmsLinkCard({ link }: { link: BmsLink }) {
  const status = describe_link(link);
  return (
    <Card
      title="BMS"
      id="bms-title"
      is_stale={is_group_stale("bms_link")}
      age_ms={group_age_ms("bms_link")}
      aside={<Pill tone={status.tone}>{status.title}</Pill>}
    >
      {link.error && <Note tone="bad">{link.error}</Note>}
      <LinkStates state={link.state} since_s={running_s("bms_link", link.since_s)} text={status.text} />
      <Counters
        list={[
          { label: "Port", value: link.port },
          { label: "Requests", value: link.requests_sent },
          { label: "Replies", value: link.replies_received },
          { label: "Time-outs", value: link.timeouts },
          { label: "Asked again", value: link.retries },
          { label: "Bad checksums", value: link.crc_errors, is_bad: true },
          { label: "Refusals", value: link.refusals },
          { label: "Noise, bytes", value: link.noise_bytes },
          { label: "Implausible values", value: link.implausible_values, is_bad: true },
        ]}
      />
      <section class="part" aria-labelledby="bms-history-title">
        <h3 id="bms-history-title">What happened</h3>
        <LinkHistory changes={link.history ?? []} of="bms" />
      </section>
    </Card>
  );
}

const milliseconds = (us: number | undefined) =>
  us === undefined ? undefined : us < 10_000 ? with_unit(us, 0, "µs") : with_unit(us / 1000, 0, "ms");

export function ControlCard({ control }: { control: Control }) {
  return (
    <Card title="Control loop" id="control-title" is_stale={is_group_stale("control")} age_ms={group_age_ms("control")}>
      <p class="hint">How late the loop that guards the battery wakes up. Nothing else on this box may delay it.</p>
      <Counters
        list={[
          { label: "Delay now", value: milliseconds(control.loop_delay_us_last) },
          { label: "Longest delay", value: milliseconds(control.loop_delay_us_max) },
          { label: "Reports dropped", value: control.reports_dropped, is_bad: true },
          { label: "Events dropped", value: control.events_dropped, is_bad: true },
        ]}
      />
    </Card>
  );
}
