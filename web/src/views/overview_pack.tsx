// SPDX-License-Identifier: Apache-2.0
// The first page of an energy pack: where power flows, what the modes decided and why, the other packs, the box's lights.
// On a phone of 390 x 844 all of this fits without scrolling.
import type { Relay } from "../api/pack_types";
import { format_number, humanise, power } from "../lib/format";
import { hindrance_text, holder_title, in_order, master_text, mode_title, position_of } from "../lib/pack_words";
import { group_age_ms, is_group_stale, left_s, state } from "../state/store";
import { AlarmLine } from "./parts/alarms";
import { Card, Pill } from "./parts/card";
import { EnergyFlowCard } from "./parts/energy_flow";
import { direction_of } from "./parts/flow_figures";
import { CrownIcon, RightIcon } from "./parts/icons";
import { IndicatorDrawing } from "./parts/indicator";
import { SafetyBanner } from "./parts/safety_banner";
import { TodayCard } from "./parts/today";

function ModePills() {
  const { modes } = state.value;
  const running = modes?.running ?? [];
  const enabled = in_order(modes?.enabled);
  if (modes === undefined) return <span class="hint">The box has not told yet.</span>;
  if (enabled.length === 0) return <Pill tone="neutral">No mode is on</Pill>;
  return (
    <>
      {enabled.map((name) => (
        <Pill key={name} tone={running.includes(name) ? "good" : "neutral"}>
          {mode_title(name)}
          {!running.includes(name) && " waits"}
        </Pill>
      ))}
    </>
  );
}

// Who holds the grid relay, and why: the decision that matters most, in one line.
function GridLine({ relay }: { relay: Relay }) {
  const hindrance = hindrance_text(relay, left_s("modes", relay.hindered_s));
  return (
    <p class="grid-line" data-tone={relay.mismatch ? "bad" : undefined}>
      <strong>Grid {humanise(position_of(relay)).toLowerCase()}</strong>
      {relay.holder !== undefined &&
        relay.holder !== "default" &&
        `, held by ${holder_title(relay.holder, relay.holder_title)}`}
      {": "}
      {hindrance ?? relay.reason_text ?? humanise(relay.reason)}
    </p>
  );
}

function WhyCard() {
  const { modes } = state.value;
  const grid = modes?.relays?.find((relay) => relay.name === "grid");
  const imported = modes?.import;
  return (
    <Card
      title="Modes"
      id="why-title"
      class="why-card"
      is_stale={is_group_stale("modes")}
      age_ms={group_age_ms("modes")}
      aside={
        <a class="more" href="#/modes">
          Change
          <RightIcon />
        </a>
      }
    >
      <div class="mode-pills">
        <ModePills />
      </div>
      {grid && <GridLine relay={grid} />}
      {modes?.enabled?.includes("import_limit") && imported?.counted_kwh !== undefined && (
        <p class="hint">
          {format_number(imported.counted_kwh, 2)} of {format_number(imported.limit_kwh, 0)} kWh from the grid
          {imported.exhausted && ": used up"}
        </p>
      )}
    </Card>
  );
}

function PacksLine() {
  const { packs } = state.value;
  const aggregate = packs?.aggregate;
  const { text, unit } = power(aggregate?.power_w);
  const direction = direction_of(aggregate?.power_w);
  const count = aggregate?.online;
  const is_alarmed = packs?.nodes?.some((node) => node.alarm || node.duplicate) === true;
  return (
    <a class="packs-line" href="#/network" data-tone={is_alarmed ? "bad" : undefined}>
      <CrownIcon />
      <span>
        <strong>{count === undefined ? "Packs unknown" : `${count} ${count === 1 ? "pack" : "packs"}`}</strong>
        {aggregate?.power_w !== undefined &&
          ` · ${text} ${unit}${direction === "in" ? " charging" : direction === "out" ? " discharging" : ""}`}
        {aggregate?.soc_percent !== undefined && ` · ${format_number(aggregate.soc_percent, 0)} %`}
        {` · ${master_text(packs)}`}
        {is_alarmed && " · alarm"}
      </span>
      <RightIcon />
    </a>
  );
}

export function PackOverview() {
  return (
    <div class="overview pack-overview">
      <div class="overview-top">
        <AlarmLine />
        <SafetyBanner />
      </div>
      <EnergyFlowCard />
      <div class="pack-side">
        <WhyCard />
        <PacksLine />
        <Card title="Lights of the box" id="lights-title" class="lights-card">
          <IndicatorDrawing indicator={state.value.indicator} />
        </Card>
      </div>
      {state.value.battery?.energy_in_kwh !== undefined && <TodayCard />}
    </div>
  );
}
