// SPDX-License-Identifier: Apache-2.0
// Every cell: voltages live, how far they are apart, which are being balanced, and the temperatures.
import type { Battery, Cells } from "../api/types";
import { format_number, with_unit } from "../lib/format";
import { age_of, is_battery_stale, is_receiver, state } from "../state/store";
import { Card, Note, TableBehind, Value } from "./parts/card";
import { CellChart } from "./parts/cell_chart";
import { why_no_battery } from "./parts/flow";

function Figure({
  label,
  text,
  unit,
  detail,
  tone,
}: {
  label: string;
  text: string;
  unit: string;
  detail?: string | undefined;
  tone?: string;
}) {
  return (
    <div class="figure" data-tone={tone}>
      <dt>{label}</dt>
      <dd>
        <Value text={text} unit={unit} why={why_no_battery()} />
        {detail && <span class="figure-detail">{detail}</span>}
      </dd>
    </div>
  );
}

const volts = (mv: number | undefined) => format_number(mv === undefined ? undefined : mv / 1000, 3);
const cell_name = (index: number | undefined) => (index === undefined ? undefined : `cell ${index + 1}`);

function Figures({ cells }: { cells: Cells | undefined }) {
  const battery = state.value.battery;
  const balancing = cells?.balancing?.filter(Boolean).length;
  return (
    <dl class="figures">
      <Figure
        label="Lowest"
        text={volts(cells?.min_mv ?? battery?.cell_min_mv)}
        unit="V"
        detail={cell_name(cells?.min_index)}
        tone="min"
      />
      <Figure
        label="Highest"
        text={volts(cells?.max_mv ?? battery?.cell_max_mv)}
        unit="V"
        detail={cell_name(cells?.max_index)}
        tone="max"
      />
      <Figure label="Average" text={volts(cells?.average_mv)} unit="V" detail={cells && `${cells.count} cells`} />
      <Figure
        label="Difference"
        text={format_number(cells?.delta_mv, 0)}
        unit="mV"
        tone={cells?.imbalance_warning ? "warn" : ""}
        detail={cells?.imbalance_warning ? "too large" : undefined}
      />
      <Figure
        label="Balancing"
        text={format_number(balancing, 0)}
        unit=""
        detail={balancing === undefined ? undefined : `of ${cells?.count} cells`}
      />
    </dl>
  );
}

function CellTable({ cells }: { cells: Cells }) {
  return (
    <TableBehind label="Cell voltages as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Cell</th>
            <th scope="col" class="number">
              Voltage
            </th>
            <th scope="col" class="number">
              From average
            </th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {cells.mv.map((mv, index) => (
            // The key: a cell is its position in the pack
            <tr key={index}>
              <th scope="row">{index + 1}</th>
              <td class="number">{with_unit(mv / 1000, 3, "V")}</td>
              <td class="number">
                {with_unit(cells.average_mv === undefined ? undefined : mv - cells.average_mv, 0, "mV")}
              </td>
              <td>
                {[
                  index === cells.min_index && "lowest",
                  index === cells.max_index && "highest",
                  cells.balancing?.[index] && "balancing",
                ]
                  .filter(Boolean)
                  .join(", ") || "–"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBehind>
  );
}

interface Sensor {
  name: string;
  value_c: number | null | undefined;
}

function sensors_of(battery: Battery | undefined): Sensor[] {
  const list: Sensor[] = [{ name: "BMS, inside", value_c: battery?.temperature_internal_c }];
  battery?.temperature_external_c?.forEach((value_c, index) => {
    list.push({ name: `Sensor ${index + 1}`, value_c });
  });
  return list;
}

function TemperatureCard({ age_ms }: { age_ms: number | undefined }) {
  const battery = state.value.battery;
  return (
    <Card
      title="Temperatures"
      id="temperatures-title"
      is_stale={is_battery_stale.value}
      age_ms={age_ms}
      of_peer={is_receiver.value}
    >
      <dl class="figures">
        {sensors_of(battery).map((sensor) => (
          <div class="figure" key={sensor.name}>
            <dt>{sensor.name}</dt>
            <dd>
              <Value
                text={format_number(sensor.value_c, 1)}
                unit="°C"
                why={sensor.value_c === null ? "no sensor is connected here" : why_no_battery()}
              />
              {sensor.value_c === null && <span class="figure-detail">no sensor</span>}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

export function CellsPage() {
  const battery = state.value.battery;
  const cells = battery?.cells;
  const age_ms = age_of("battery", cells?.age_ms ?? battery?.age_ms);
  const is_stale = is_battery_stale.value;
  return (
    <div class="stack">
      <Card title="Cell voltages" id="cells-title" is_stale={is_stale} age_ms={age_ms} of_peer={is_receiver.value}>
        {cells?.imbalance_warning && (
          <Note tone="warn">
            The cells have drifted {with_unit(cells.delta_mv, 0, "mV")} apart. Give the battery time at a full charge so
            that the BMS can balance them.
          </Note>
        )}
        <Figures cells={cells} />
        {cells && cells.mv.length > 0 ? (
          <>
            <CellChart cells={cells} />
            <CellTable cells={cells} />
          </>
        ) : (
          <p class="empty">No cell voltages yet: {why_no_battery()}.</p>
        )}
      </Card>
      <TemperatureCard age_ms={age_ms} />
    </div>
  );
}
