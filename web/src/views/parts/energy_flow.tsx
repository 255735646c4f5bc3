// SPDX-License-Identifier: Apache-2.0
// The hero of a pack's Overview: sun, grid and home on one side, the battery on the other, dots on the lines between in the
// direction of the energy. All figures are watts of the same moment and add up: what flows in flows out, or is told as lost.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Load, PackNode } from "../../api/pack_types";
import { type Flow, flow_of_all, flow_of_pack } from "../../lib/energy_flow";
import { duration, format_number, kUnknown, power_in_watts } from "../../lib/format";
import { is_node_old, position_of, relay_title } from "../../lib/pack_words";
import {
  battery_age_ms,
  connection,
  energy_age_ms,
  group_age_ms,
  is_battery_stale,
  is_energy_stale,
  is_group_stale,
  running_s,
  state,
} from "../../state/store";
import { Card, Fact, StaleBadge, Unknown, Value } from "./card";
import { type Direction, direction_of, speed_of } from "./flow_figures";
import { CrownIcon, GridIcon, HomeIcon, PlugIcon, SunIcon } from "./icons";
import { Vessel } from "./vessel";

export const scope = signal<"this" | "all">("this");

export const known_packs = (): PackNode[] => state.value.packs?.nodes ?? [];
export const heard_ms_of = (node: PackNode): number | undefined => {
  const seconds = node.heard_ms === undefined ? undefined : node.heard_ms / 1000;
  const running = node.is_self ? 0 : running_s("packs", seconds);
  return running === undefined ? undefined : running * 1000;
};
const is_all = () => scope.value === "all" && known_packs().length > 1;

function why_unknown(): string {
  if (connection.value === "offline") return "the box does not answer";
  if (state.value.modes?.safety?.some((entry) => entry.cause === "bms_stale")) return "the BMS is silent";
  return "it is not measured, or not told yet";
}

type Line = "sun" | "grid" | "home" | "battery";
// From the far end to the middle, in a drawing of 100 x 180 whose width follows the screen.
const kPaths: Record<Line, string> = {
  sun: "M100 30C70 30 62 40 62 60V70C62 84 58 90 46 90",
  grid: "M100 90H46",
  home: "M100 150C70 150 62 140 62 120V110C62 96 58 90 46 90",
  battery: "M0 90H46",
};

function FlowLine({ of, power_w, is_inward, is_moving }: FlowLineProps) {
  const moves = is_moving && direction_of(power_w) !== "none";
  return (
    <>
      <path class="flow-track" d={kPaths[of]} />
      {moves && (
        <path
          class="flow-dots"
          d={kPaths[of]}
          data-line={of}
          data-to={is_inward ? "middle" : "end"}
          data-speed={speed_of(power_w)}
        />
      )}
    </>
  );
}
interface FlowLineProps {
  of: Line;
  power_w: number | undefined;
  is_inward: boolean; // towards the middle
  is_moving: boolean;
}

function Lines({ flow, is_moving }: { flow: Flow; is_moving: boolean }) {
  const inward = (value: number | undefined) => value !== undefined && value > 0;
  return (
    <svg class="energy-lines" viewBox="0 0 100 180" preserveAspectRatio="none" aria-hidden="true">
      <FlowLine of="battery" power_w={flow.battery_w} is_inward={!inward(flow.battery_w)} is_moving={is_moving} />
      <FlowLine of="sun" power_w={flow.solar_w} is_inward is_moving={is_moving} />
      <FlowLine of="grid" power_w={flow.grid_w} is_inward={inward(flow.grid_w)} is_moving={is_moving} />
      <FlowLine of="home" power_w={flow.home_w} is_inward={false} is_moving={is_moving} />
    </svg>
  );
}

interface NodeProps {
  name: string;
  of: Line;
  icon: ComponentChildren;
  power_w: number | undefined;
  word: string; // says the direction without colour or motion
}

function FlowNode({ name, of, icon, power_w, word }: NodeProps) {
  const { text, unit } = power_in_watts(power_w);
  return (
    <li class="energy-node" data-node={of} data-flows={direction_of(power_w) === "none" ? undefined : ""}>
      <span class="energy-icon">{icon}</span>
      <span class="energy-name">{name}</span>
      <span class="energy-watts">
        <Value text={text} unit={unit} why={why_unknown()} />
      </span>
      <span class="energy-word">{word}</span>
    </li>
  );
}

function grid_word(flow: Flow): string {
  const relay = state.value.modes?.relays?.find((entry) => entry.name === "grid");
  if (!is_all() && relay && position_of(relay) === "open") return "disconnected";
  const direction = direction_of(flow.grid_w);
  return direction === "in" ? "import" : direction === "out" ? "export" : "";
}

function Nodes({ flow }: { flow: Flow }) {
  return (
    <ul class="energy-nodes" aria-label="Power now">
      <FlowNode name="Sun" of="sun" icon={<SunIcon />} power_w={flow.solar_w} word="" />
      <FlowNode name="Grid" of="grid" icon={<GridIcon />} power_w={flow.grid_w} word={grid_word(flow)} />
      <FlowNode name="Home" of="home" icon={<HomeIcon />} power_w={flow.home_w} word="" />
    </ul>
  );
}

const kBatteryWords: Record<Direction, string> = { in: "Charging", out: "Discharging", none: "Resting" };

function BatteryEnd({ flow, soc_percent, is_old }: { flow: Flow; soc_percent: number | undefined; is_old: boolean }) {
  const direction = is_old ? "none" : direction_of(flow.battery_w);
  const { text, unit } = power_in_watts(flow.battery_w);
  return (
    <div class="energy-battery" data-direction={direction} data-stale={is_old ? "" : undefined}>
      <Vessel soc_percent={soc_percent} direction={direction} is_stale={is_old} />
      {is_old && !is_energy_stale.value ? (
        <StaleBadge age_ms={battery_age_ms.value} />
      ) : (
        <p class="energy-battery-text">
          {flow.battery_w !== undefined && <span>{kBatteryWords[direction]} </span>}
          <span class="watts">
            <Value text={text} unit={unit} why={why_unknown()} />
          </span>
        </p>
      )}
    </div>
  );
}

function LoadItem({ load, is_moving }: { load: Load; is_moving: boolean }) {
  const relay = state.value.modes?.relays?.find((entry) => entry.name === load.name);
  const is_off = relay !== undefined && position_of(relay) === "open";
  const { text, unit } = power_in_watts(load.power_w);
  const flows = is_moving && direction_of(load.power_w) !== "none";
  return (
    <li class="load" data-flows={flows ? "" : undefined} data-off={is_off ? "" : undefined}>
      <PlugIcon />
      <span class="load-name">{relay_title(load.name, load.title)}</span>
      <span class="load-watts">{is_off ? "off" : <Value text={text} unit={unit} why="it is not measured" />}</span>
    </li>
  );
}

// Loads are part of what the home takes; the line comes down from there.
function Loads({ is_moving }: { is_moving: boolean }) {
  const loads = state.value.energy?.loads ?? [];
  if (loads.length === 0) return null;
  const flows = is_moving && loads.some((load) => direction_of(load.power_w) !== "none");
  return (
    <div class="energy-loads">
      <svg class="load-line" viewBox="0 0 10 20" preserveAspectRatio="none" aria-hidden="true">
        <path class="flow-track" d="M5 0V20" />
        {flows && <path class="flow-dots" data-line="loads" data-speed="3" d="M5 0V20" />}
      </svg>
      <ul class="loads" aria-label="Of the home's power: loads">
        {loads.map((load) => (
          <LoadItem key={load.name} load={load} is_moving={is_moving} />
        ))}
      </ul>
    </div>
  );
}

function time_text(flow: Flow): { text: string; why?: string } {
  const { energy } = state.value;
  if (energy?.time_to_full_s !== undefined) return { text: `${duration(energy.time_to_full_s)} to full` };
  if (energy?.time_to_empty_s !== undefined) return { text: `${duration(energy.time_to_empty_s)} to empty` };
  if (flow.battery_w !== undefined && direction_of(flow.battery_w) === "none") return { text: "Resting" };
  return { text: kUnknown, why: "the time left is not known yet" };
}

function SumFact({ flow }: { flow: Flow }) {
  if (flow.in_w === undefined || flow.out_w === undefined || flow.rest_w === undefined)
    return (
      <Fact label="In = out">
        <Unknown why="not all of sun, grid, battery and home are known" />
      </Fact>
    );
  const { text, unit } = power_in_watts(Math.max(flow.in_w, flow.out_w));
  const rest = power_in_watts(flow.rest_w);
  return (
    <Fact label="In = out">
      <Value text={text} unit={unit} why="" />
      {flow.rest_w !== 0 && (
        <span class="sum-rest">
          incl. {rest.text} {rest.unit} {flow.rest_w > 0 ? "losses" : "unmeasured"}
        </span>
      )}
    </Fact>
  );
}

function PackRow({ node }: { node: PackNode }) {
  const is_old = is_node_old(node, heard_ms_of(node));
  const { text, unit } = power_in_watts(node.power_w);
  const direction = direction_of(node.power_w);
  const percent = Math.min(100, Math.max(0, node.soc_percent ?? 0));
  return (
    <li class="pack-row" data-direction={is_old ? "none" : direction} data-stale={is_old ? "" : undefined}>
      <span class="pack-name">
        <span class="pack-word">Pack </span>
        {node.node}
        {node.is_master && (
          <span class="pack-crown" title="Master">
            <CrownIcon />
            <span class="sr-only"> master</span>
          </span>
        )}
      </span>
      <svg class="pack-bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="pack-level" width={percent} height="8" />
      </svg>
      <span class="pack-soc">
        <Value text={format_number(node.soc_percent, 0)} unit="%" why="it has not told" />
      </span>
      <span class="pack-watts">
        <Value text={text} unit={unit} why="it has not told" />
        <span class="sr-only">{direction === "in" ? " charging" : direction === "out" ? " discharging" : ""}</span>
      </span>
    </li>
  );
}

function ScopeSwitch() {
  if (known_packs().length < 2) return null;
  const all = is_all();
  return (
    <fieldset class="segmented" aria-label="Which packs">
      <button type="button" aria-pressed={!all} onClick={() => (scope.value = "this")}>
        This pack
      </button>
      <button type="button" aria-pressed={all} onClick={() => (scope.value = "all")}>
        All packs
      </button>
    </fieldset>
  );
}

function PackFacts({ flow }: { flow: Flow }) {
  const { energy, battery } = state.value;
  const time = time_text(flow);
  return (
    <dl class="flow-facts">
      <Fact label="Stored">
        <Value
          text={format_number(energy?.stored_kwh ?? battery?.stored_kwh, 2)}
          unit="kWh"
          why="capacity or state of charge is unknown"
        />
        {energy?.soc_source === "voltage" && <span class="sum-rest">estimated by voltage</span>}
      </Fact>
      <Fact label="Time">{time.why === undefined ? time.text : <Unknown why={time.why} />}</Fact>
      <SumFact flow={flow} />
    </dl>
  );
}

function AllFacts({ flow }: { flow: Flow }) {
  const aggregate = state.value.packs?.aggregate;
  return (
    <dl class="flow-facts">
      <Fact label="Packs online">
        {aggregate?.online === undefined ? (
          <Unknown why="not told yet" />
        ) : (
          `${aggregate.online} of ${aggregate.known ?? known_packs().length}`
        )}
      </Fact>
      <Fact label="Charge, weighted">
        <Value text={format_number(aggregate?.soc_percent, 1)} unit="%" why="not told yet" />
      </Fact>
      <SumFact flow={flow} />
    </dl>
  );
}

const kRowsMax = 4; // more packs are written shorter on a phone

export function EnergyFlowCard() {
  const { energy, battery, packs } = state.value;
  const all = is_all();
  const flow = all ? flow_of_all(packs?.aggregate) : flow_of_pack(energy);
  const is_stale = all ? is_group_stale("packs") : is_energy_stale.value;
  const soc = all ? packs?.aggregate?.soc_percent : (energy?.soc_percent ?? battery?.soc_percent);
  const packs_only = known_packs().filter((node) => node.type !== "linux-gateway");
  const is_battery_old = is_stale || (!all && is_battery_stale.value);
  return (
    <Card
      title="Energy flow"
      id="flow-title"
      class="flow-card energy-card"
      is_stale={is_stale}
      age_ms={all ? group_age_ms("packs") : energy_age_ms.value}
      aside={<ScopeSwitch />}
    >
      <div class="energy-flow">
        <BatteryEnd flow={flow} soc_percent={soc} is_old={is_battery_old} />
        <Lines flow={flow} is_moving={!is_stale} />
        <Nodes flow={flow} />
        {!all && <Loads is_moving={!is_stale} />}
      </div>
      {all && (
        <ul class="pack-rows" aria-label="Packs" data-many={packs_only.length > kRowsMax ? "" : undefined}>
          {packs_only.map((node) => (
            <PackRow key={node.node} node={node} />
          ))}
        </ul>
      )}
      {all ? <AllFacts flow={flow} /> : <PackFacts flow={flow} />}
    </Card>
  );
}
