// SPDX-License-Identifier: Apache-2.0
// What the battery has taken in and given out today and in all.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { fetch_days } from "../../api/client";
import type { HistoryDay } from "../../api/types";
import { format_number } from "../../lib/format";
import { is_connected, page_now, state } from "../../state/store";
import { Card, Fact, Value } from "./card";

// Days are counted in the box's time zone, which may differ from this browser's. Yesterday is never shown as today.
function is_today(date: string): boolean {
  const now = new Date(page_now.value);
  const here = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  return date === here.toISOString().slice(0, 10) || date === now.toISOString().slice(0, 10);
}

const today = signal<HistoryDay | undefined>(undefined);

export function TodayCard() {
  const connected = is_connected.value;
  useEffect(() => {
    if (!connected) return;
    const load = () => {
      fetch_days(1)
        .then((answer) => {
          today.value = answer.days.findLast((day) => is_today(day.date));
        })
        .catch(() => {
          // The card keeps its dashes; the History page reports the failure itself.
        });
    };
    load();
    const timer = setInterval(load, 60_000);
    return () => clearInterval(timer);
  }, [connected]);
  const battery = state.value.battery;
  const why = "no history of today yet";
  return (
    <Card title="Today" id="today-title" class="today-card">
      <dl class="facts">
        <Fact label="Charged">
          <Value text={format_number(today.value?.energy_in_kwh, 2)} unit="kWh" why={why} />
        </Fact>
        <Fact label="Discharged">
          <Value text={format_number(today.value?.energy_out_kwh, 2)} unit="kWh" why={why} />
        </Fact>
        <Fact label="Charged in all">
          <Value text={format_number(battery?.energy_in_kwh, 1)} unit="kWh" why="not counted yet" />
        </Fact>
        <Fact label="Discharged in all">
          <Value text={format_number(battery?.energy_out_kwh, 1)} unit="kWh" why="not counted yet" />
        </Fact>
        <Fact label="Cell spread">
          <Value text={format_number(battery?.cells?.delta_mv, 0)} unit="mV" why="no cell voltages yet" />
        </Fact>
        <Fact label="Cycles">
          <Value text={format_number(battery?.cycle_count, 0)} why="this BMS does not report it" />
        </Fact>
      </dl>
    </Card>
  );
}
