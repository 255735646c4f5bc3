// SPDX-License-Identifier: Apache-2.0
// The packs on the bus: who this one is among them, who leads, each with its figures, how the bus fares, and which commands
// were taken.
import { signal } from "@preact/signals";
import { ApiError, identify } from "../api/client";
import type { PackBus, PackNode, Packs } from "../api/pack_types";
import { age, duration, format_number, humanise, power, with_unit } from "../lib/format";
import {
  describe_claim,
  describe_node_bms,
  holder_title,
  in_order,
  is_node_old,
  mode_title,
  node_tone,
  node_type,
  relay_title,
} from "../lib/pack_words";
import type { Tone } from "../lib/words";
import { can_write, group_age_ms, is_group_stale, is_pack_network_open, state } from "../state/store";
import { Card, Fact, Failure, Note, Pill, Unknown, Value } from "./parts/card";
import { Counters } from "./parts/counters";
import { heard_ms_of, known_packs } from "./parts/energy_flow";
import { direction_of } from "./parts/flow_figures";
import { CrownIcon } from "./parts/icons";
import { BmsLinkCard, ControlCard, kBusTexts, kBusTones } from "./parts/wired_cards";

const kIdentifySeconds = 10;
const kWhy = "the box has not told yet";

const identify_note = signal<{ is_good: boolean; text: string } | undefined>(undefined);

async function blink(): Promise<void> {
  try {
    await identify(kIdentifySeconds);
    identify_note.value = { is_good: true, text: `The lights of this pack blink for ${kIdentifySeconds} s.` };
  } catch (error) {
    const text = error instanceof ApiError ? error.message : "Something unexpected happened in this page.";
    identify_note.value = { is_good: false, text };
  }
}

function ThisPackCard({ packs }: { packs: Packs }) {
  const { box } = state.value;
  const claim = describe_claim(packs.claim);
  return (
    <Card
      title="This pack"
      id="this-pack-title"
      is_stale={is_group_stale("packs")}
      age_ms={group_age_ms("packs")}
      aside={
        <>
          <Pill tone={claim.tone}>{claim.title}</Pill>
          {packs.security && (
            <Pill tone={packs.security === "sealed" ? "good" : "bad"}>
              {packs.security === "sealed" ? "Commands sealed" : "Commands are not sealed"}
            </Pill>
          )}
          <button type="button" class="button small" disabled={!can_write.value} onClick={() => void blink()}>
            Let it blink
          </button>
        </>
      }
    >
      {is_pack_network_open.value && (
        <Note tone="bad">
          Anyone with access to the bus can switch modes and relays of every pack. This is meant for commissioning only:
          pair the gateway and set the network's security to “sealed”.
        </Note>
      )}
      {claim.text !== "" && <Note tone={claim.tone}>{claim.text}</Note>}
      <dl class="facts identity small-facts">
        <Fact label="Number on the bus">{packs.node ?? <Unknown why="no number is claimed yet" />}</Fact>
        <Fact label="Hardware">
          {packs.hardware ? <span class="node">{packs.hardware}</span> : <Unknown why={kWhy} />}
        </Fact>
        <Fact label="Master">
          {packs.master === undefined ? (
            <Unknown why="no master has been elected yet" />
          ) : packs.is_master ? (
            "this pack"
          ) : (
            `pack ${packs.master}`
          )}
        </Fact>
        <Fact label="Term">{packs.term ?? <Unknown why={kWhy} />}</Fact>
        <Fact label="Settings">
          {packs.settings?.synchronised === undefined ? (
            <Unknown why={kWhy} />
          ) : packs.settings.synchronised ? (
            "the same on all packs"
          ) : (
            <span data-tone="warn">not at all packs yet</span>
          )}
        </Fact>
        <Fact label="Version">{box?.version ?? <Unknown why={kWhy} />}</Fact>
      </dl>
      <div role="status">
        {identify_note.value?.is_good === true && <Note tone="good">{identify_note.value.text}</Note>}
      </div>
      {identify_note.value?.is_good === false && <Failure message={identify_note.value.text} />}
    </Card>
  );
}

function NodePills({ node, is_old }: { node: PackNode; is_old: boolean }) {
  const bms = describe_node_bms(node.bms_state);
  const pills: [Tone, string][] = [];
  if (node.duplicate) pills.push(["bad", "Duplicate hardware"]);
  if (node.alarm) pills.push(["bad", "Alarm"]);
  if (node.warning) pills.push(["warn", "Warning"]);
  if (is_old) pills.push(["warn", "Silent"]);
  if (node.bms_state !== undefined && node.bms_state !== "connected") pills.push([bms.tone, bms.title]);
  if (pills.length === 0) pills.push(["good", "Well"]);
  return (
    <>
      {pills.map(([tone, text]) => (
        <Pill key={text} tone={tone}>
          {text}
        </Pill>
      ))}
    </>
  );
}

const volts = (mv: number | undefined) => (mv === undefined ? undefined : mv / 1000);

function NodeFacts({ node }: { node: PackNode }) {
  const { text, unit } = power(node.power_w);
  const direction = direction_of(node.power_w);
  const grid = power(node.grid_w);
  const home = power(node.home_w);
  const solar = power(node.solar_w);
  const why = "it has not told";
  const cells =
    node.cell_min_mv === undefined && node.cell_max_mv === undefined
      ? undefined
      : `${format_number(volts(node.cell_min_mv), 3)} to ${format_number(volts(node.cell_max_mv), 3)}`;
  return (
    <dl class="facts small-facts node-facts">
      <Fact label="Charge">
        <Value text={format_number(node.soc_percent, 1)} unit="%" why={why} />
      </Fact>
      <Fact label={direction === "in" ? "Charging" : direction === "out" ? "Discharging" : "Battery"}>
        <Value text={text} unit={unit} why={why} />
      </Fact>
      <Fact label="Sun">
        <Value text={solar.text} unit={solar.unit} why={why} />
      </Fact>
      <Fact label="Grid">
        <Value text={grid.text} unit={grid.unit} why={why} />
      </Fact>
      <Fact label="Home">
        <Value text={home.text} unit={home.unit} why={why} />
      </Fact>
      <Fact label="Pack">
        <Value text={format_number(node.voltage_v, 2)} unit="V" why={why} />
      </Fact>
      <div class="fact wide">
        <dt>Cells</dt>
        <dd>{cells === undefined ? <Unknown why={why} /> : <Value text={cells} unit="V" why={why} />}</dd>
      </div>
      <Fact label="Warmest">
        <Value text={format_number(node.temperature_max_c, 1)} unit="°C" why={why} />
      </Fact>
    </dl>
  );
}

function NodeRelays({ node }: { node: PackNode }) {
  const relays = node.relays ?? [];
  if (relays.length === 0) return null;
  return (
    <ul class="node-relays" aria-label="Relays">
      {relays.map((relay) => (
        <li key={relay.name} data-open={relay.position === "open" ? "" : undefined}>
          {relay_title(relay.name)} <strong>{relay.position ?? "unknown"}</strong>
          {relay.holder !== undefined && relay.holder !== "default" && ` (${holder_title(relay.holder)})`}
        </li>
      ))}
    </ul>
  );
}

function NodeCard({ node }: { node: PackNode }) {
  const heard = heard_ms_of(node);
  const is_old = is_node_old(node, heard);
  const modes = in_order(node.modes);
  const is_battery = node.type !== "linux-gateway";
  return (
    <section
      class="card node-card"
      aria-labelledby={`node-${node.node}`}
      data-stale={is_old ? "" : undefined}
      data-tone={node_tone(node, heard)}
      data-pack={node.node}
    >
      <header class="card-head">
        <h3 id={`node-${node.node}`}>
          {is_battery ? "Pack" : "Gateway"} {node.node}
          {node.is_master && (
            <span class="pack-crown" title="Master">
              <CrownIcon />
              <span class="sr-only"> master</span>
            </span>
          )}
          {node.is_self && <span class="tag">this one</span>}
        </h3>
        <div class="card-aside">
          <NodePills node={node} is_old={is_old} />
        </div>
      </header>
      <p class="node-line">
        {node_type(node.type)}
        {node.firmware !== undefined && ` ${node.firmware}`}
        {node.is_self ? "" : `, heard ${heard === undefined ? "never" : `${age(heard)} ago`}`}
        {node.uptime_s !== undefined && `, up for ${duration(node.uptime_s)}`}
      </p>
      {is_battery && (
        <>
          <NodeFacts node={node} />
          <p class="node-modes">
            {node.modes === undefined
              ? "Modes not told."
              : modes.length === 0
                ? "No mode is on."
                : modes.map(mode_title).join(", ")}
          </p>
          <NodeRelays node={node} />
        </>
      )}
    </section>
  );
}

function AggregateCard({ packs }: { packs: Packs }) {
  const { aggregate } = packs;
  const values: [string, number | undefined][] = [
    [direction_of(aggregate?.power_w) === "out" ? "Discharging" : "Charging", aggregate?.power_w],
    ["Sun", aggregate?.solar_w],
    ["Grid", aggregate?.grid_w],
  ];
  return (
    <Card
      title="All packs together"
      id="aggregate-title"
      is_stale={is_group_stale("packs")}
      age_ms={group_age_ms("packs")}
    >
      <dl class="facts small-facts">
        <Fact label="Online">
          {aggregate?.online === undefined ? (
            <Unknown why="no master has told it yet" />
          ) : (
            `${aggregate.online} of ${aggregate.known ?? known_packs().length}`
          )}
        </Fact>
        <Fact label="Charge, weighted">
          <Value text={format_number(aggregate?.soc_percent, 1)} unit="%" why="no master has told it yet" />
        </Fact>
        {values.map(([label, value]) => {
          const { text, unit } = power(value);
          return (
            <Fact key={label} label={label}>
              <Value text={text} unit={unit} why="no master has told it yet" />
            </Fact>
          );
        })}
      </dl>
    </Card>
  );
}

function PackBusCard({ bus }: { bus: PackBus }) {
  const help = bus.error ?? (bus.state === undefined ? undefined : kBusTexts[bus.state]);
  const load = bus.load_percent;
  const tone = load === undefined || load < 15 ? "good" : load < 40 ? "warn" : "bad";
  return (
    <Card
      title="Bus of the packs"
      id="pack-bus-title"
      is_stale={is_group_stale("packs")}
      age_ms={group_age_ms("packs")}
      aside={bus.state && <Pill tone={kBusTones[bus.state] ?? "neutral"}>{humanise(bus.state)}</Pill>}
    >
      {help && <Note tone="bad">{help}</Note>}
      <div class="fill" data-tone={tone}>
        <div class="fill-bar">
          <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
            <rect class="fill-level" width={Math.min(100, load ?? 0)} height="10" />
          </svg>
        </div>
        <p>
          Load: <strong>{with_unit(load, 1, "%")}</strong>
        </p>
      </div>
      <Counters
        list={[
          { label: "Interface", value: bus.interface },
          { label: "Frames sent", value: bus.frames_sent },
          { label: "Frames received", value: bus.frames_received },
          { label: "Errors", value: bus.errors, is_bad: true },
          { label: "Dropped", value: bus.dropped, is_bad: true, help: "Not sent: the queue was full" },
          { label: "Bus-off", value: bus.bus_off, is_bad: true, help: "Times the controller left the bus" },
          { label: "Malformed", value: bus.malformed, is_bad: true, help: "Received, but no frame of ours" },
        ]}
      />
    </Card>
  );
}

function CommandsCard({ packs }: { packs: Packs }) {
  const { commands } = packs;
  return (
    <Card
      title="Commands over the bus"
      id="commands-title"
      is_stale={is_group_stale("packs")}
      age_ms={group_age_ms("packs")}
    >
      <Counters
        list={[
          { label: "Accepted", value: commands?.accepted },
          { label: "Refused", value: commands?.refused, help: "Understood, but not possible" },
          {
            label: "Not authentic",
            value: commands?.not_authentic,
            is_bad: true,
            help: "The seal was wrong or missing",
          },
          { label: "Replayed", value: commands?.replayed, is_bad: true, help: "Genuine, but sent again" },
        ]}
      />
    </Card>
  );
}

export function PackNetworkPage() {
  const { packs, bms_link, control } = state.value;
  if (!packs)
    return (
      <Card title="Packs" id="no-packs-title">
        <p class="empty">The box has not told of its pack network yet.</p>
      </Card>
    );
  const nodes = known_packs();
  return (
    <div class="network">
      <ThisPackCard packs={packs} />
      {nodes.length > 1 && <AggregateCard packs={packs} />}
      <section class="nodes" aria-labelledby="nodes-title">
        <h2 id="nodes-title">
          {nodes.length} {nodes.length === 1 ? "node" : "nodes"} on the bus
        </h2>
        {nodes.length === 0 && <p class="empty">Nobody is heard; this pack leads itself.</p>}
        <div class="node-grid">
          {nodes.map((node) => (
            <NodeCard key={node.node} node={node} />
          ))}
        </div>
      </section>
      <div class="stack">
        {packs.bus && <PackBusCard bus={packs.bus} />}
        <CommandsCard packs={packs} />
        {control && <ControlCard control={control} />}
      </div>
      <div class="stack">{bms_link && <BmsLinkCard link={bms_link} />}</div>
    </div>
  );
}
