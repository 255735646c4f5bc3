// SPDX-License-Identifier: Apache-2.0
// Energy in and out for each day, as pairs of bars around a zero line: charged up, discharged down.
import { useState } from "preact/hooks";
import type { HistoryDay } from "../../api/types";
import { long_date, with_unit } from "../../lib/format";
import { TableBehind } from "./card";

const kHeight = 190;
const kMiddle = 88;
const kLength = 78;
const kWidth = 1000;

// "2026-11-20" as a day of the browser's calendar: without the time it would be read as UTC midnight.
const day_time = (date: string) => new Date(`${date}T12:00:00`).getTime();

function Bars({ days, on_pick }: { days: HistoryDay[]; on_pick: (day: HistoryDay | undefined) => void }) {
  const most = Math.max(0.1, ...days.map((day) => Math.max(day.energy_in_kwh ?? 0, day.energy_out_kwh ?? 0)));
  const slot = kWidth / days.length;
  const bar = Math.min(28, slot * 0.62);
  return (
    <svg class="day-chart" viewBox={`0 0 ${kWidth} ${kHeight}`} preserveAspectRatio="none" aria-hidden="true">
      <line class="grid" x1="0" x2={kWidth} y1={kMiddle} y2={kMiddle} />
      {days.map((day, index) => {
        const x = slot * index + (slot - bar) / 2;
        const up = ((day.energy_in_kwh ?? 0) / most) * kLength;
        const down = ((day.energy_out_kwh ?? 0) / most) * kLength;
        return (
          <g key={day.date} class="day" onPointerEnter={() => on_pick(day)} onPointerLeave={() => on_pick(undefined)}>
            <rect class="day-hit" x={slot * index} y="0" width={slot} height={kHeight} />
            <rect class="day-in" x={x} y={kMiddle - 1 - up} width={bar} height={up} />
            <rect class="day-out" x={x} y={kMiddle + 1} width={bar} height={down} />
          </g>
        );
      })}
    </svg>
  );
}

export function DayChart({ days }: { days: HistoryDay[] }) {
  const [picked, set_picked] = useState<HistoryDay | undefined>(undefined);
  const first = days[0];
  const last = days.at(-1);
  if (!first || !last) return <p class="empty">No whole or partial day has been recorded yet.</p>;
  return (
    <div>
      <Bars days={days} on_pick={set_picked} />
      <div class="day-axis" aria-hidden="true">
        <span>{long_date(day_time(first.date))}</span>
        {days.length > 1 && <span>{long_date(day_time(last.date))}</span>}
      </div>
      <p class="chart-readout" aria-hidden="true">
        {picked ? (
          <>
            {long_date(day_time(picked.date))}: <strong>{with_unit(picked.energy_in_kwh, 2, "kWh")}</strong> charged,{" "}
            <strong>{with_unit(picked.energy_out_kwh, 2, "kWh")}</strong> discharged
          </>
        ) : (
          <>
            <i class="key in" /> charged <i class="key out" /> discharged
          </>
        )}
      </p>
      <TableBehind label="Days as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">Day</th>
              <th scope="col" class="number">
                Charged
              </th>
              <th scope="col" class="number">
                Discharged
              </th>
              <th scope="col" class="number">
                SOC
              </th>
              <th scope="col" class="number">
                Largest spread
              </th>
            </tr>
          </thead>
          <tbody>
            {[...days].reverse().map((day) => (
              <tr key={day.date}>
                <th scope="row">{day.date}</th>
                <td class="number">{with_unit(day.energy_in_kwh, 2, "kWh")}</td>
                <td class="number">{with_unit(day.energy_out_kwh, 2, "kWh")}</td>
                <td class="number">
                  {with_unit(day.soc_min_percent, 0, "")}–{with_unit(day.soc_max_percent, 0, "%")}
                </td>
                <td class="number">{with_unit(day.cell_delta_max_mv, 0, "mV")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </TableBehind>
    </div>
  );
}
