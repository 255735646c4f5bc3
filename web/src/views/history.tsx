// SPDX-License-Identifier: Apache-2.0
// Power, charge, voltages and cell spread over time, and energy by day. A range is chosen by buttons, by dragging across a
// chart, or by keyboard with the same buttons; each range is fetched in the resolution it can show.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, fetch_days, fetch_history, history_csv_url } from "../api/client";
import type { History, HistoryDay } from "../api/types";
import { date_and_minute, date_and_time, with_unit } from "../lib/format";
import { is_live, kRangeChoices, type Range, range_until, shifted, zoomed } from "../lib/history_range";
import { is_connected } from "../state/store";
import { Card, Failure, Loading, TableBehind } from "./parts/card";
import { DayChart } from "./parts/day_chart";
import { DownloadIcon, LeftIcon, RightIcon, ZoomInIcon, ZoomOutIcon } from "./parts/icons";
import { lazy } from "./parts/lazy";
import type { Line } from "./parts/line_chart";

const LineChart = lazy(
  () => import("./parts/line_chart").then((module) => module.LineChart),
  <div class="chart-wait" />,
);

const kSeries = ["soc_percent", "power_w", "voltage_v", "cell_min_mv", "cell_max_mv", "temperature_c"];
const kPoints = 600;
const kReloadMs = 10_000;
const kDayCount = 31;

const kDefaultSpanMs = 6 * 3_600_000;
const range = signal<Range>(range_until(Date.now(), kDefaultSpanMs));
const history = signal<History | undefined>(undefined);
const days = signal<HistoryDay[] | undefined>(undefined);
const failure = signal<string | undefined>(undefined);
let newest_request = 0;

const message_of = (error: unknown) => (error instanceof ApiError ? error.message : "The history could not be read.");

async function load(): Promise<void> {
  newest_request += 1;
  const mine = newest_request;
  const { from, to } = range.value;
  try {
    const answer = await fetch_history({ from, to, points: kPoints, series: kSeries });
    if (mine !== newest_request) return; // a later range was asked for meanwhile
    history.value = answer;
    failure.value = undefined;
  } catch (error) {
    if (mine === newest_request) failure.value = message_of(error);
  }
}

async function load_days(): Promise<void> {
  try {
    days.value = (await fetch_days(kDayCount)).days;
  } catch (error) {
    failure.value = message_of(error);
  }
}

function show(next: Range): void {
  range.value = next;
  void load();
}

function follow_clock(): void {
  const now = Date.now();
  const current = range.value;
  if (now - current.to < 3 * kReloadMs || is_live(current, now))
    range.value = range_until(now, current.to - current.from);
  void load();
}

function RangeBar() {
  const now = Date.now();
  const current = range.value;
  const span = current.to - current.from;
  return (
    <div class="range-bar">
      <fieldset class="segmented" aria-label="Span of time">
        {kRangeChoices.map((choice) => (
          <button
            key={choice.name}
            type="button"
            aria-pressed={Math.abs(span - choice.span_ms) < 1_000 && is_live(current, now)}
            aria-label={choice.title}
            onClick={() => show(range_until(Date.now(), choice.span_ms))}
          >
            {choice.name}
          </button>
        ))}
      </fieldset>
      <fieldset class="range-moves" aria-label="Move and zoom">
        <button
          type="button"
          class="icon-button"
          aria-label="Earlier"
          onClick={() => show(shifted(current, -0.5, Date.now()))}
        >
          <LeftIcon />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="Later"
          onClick={() => show(shifted(current, 0.5, Date.now()))}
        >
          <RightIcon />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="Zoom in"
          onClick={() => show(zoomed(current, 0.5, Date.now()))}
        >
          <ZoomInIcon />
        </button>
        <button
          type="button"
          class="icon-button"
          aria-label="Zoom out"
          onClick={() => show(zoomed(current, 2, Date.now()))}
        >
          <ZoomOutIcon />
        </button>
        <a class="button small" download href={history_csv_url({ ...current, series: kSeries })}>
          <DownloadIcon /> CSV
        </a>
      </fieldset>
      <p class="range-text" role="status">
        {date_and_minute(current.from)} to {is_live(current, now) ? "now" : date_and_minute(current.to)}
      </p>
    </div>
  );
}

const volts = (values: (number | null)[] | undefined) => (values ?? []).map((mv) => (mv === null ? null : mv / 1000));

interface Chart {
  id: string;
  title: string;
  lines: Line[];
  range: (min: number, max: number) => [number, number];
}

function charts_of(answer: History): Chart[] {
  const s = answer.series;
  const padded =
    (least: number) =>
    (min: number, max: number): [number, number] => {
      const room = Math.max(least, (max - min) * 0.1);
      return [min - room, max + room];
    };
  const power_range = (min: number, max: number): [number, number] => {
    const room = Math.max(20, (max - min) * 0.1);
    return [Math.min(0, min - room), Math.max(0, max + room)];
  };
  return [
    {
      id: "power",
      title: "Power",
      range: power_range,
      lines: [{ label: "Power", token: "clay", unit: "W", digits: 0, values: s.power_w ?? [], is_filled: true }],
    },
    {
      id: "soc",
      title: "State of charge",
      range: () => [0, 100],
      lines: [{ label: "SOC", token: "charge", unit: "%", digits: 1, values: s.soc_percent ?? [], is_filled: true }],
    },
    {
      id: "voltage",
      title: "Battery voltage",
      range: padded(0.2),
      lines: [{ label: "Voltage", token: "info", unit: "V", digits: 2, values: s.voltage_v ?? [] }],
    },
    {
      id: "cells",
      title: "Lowest and highest cell",
      range: padded(0.01),
      lines: [
        { label: "Highest", token: "discharge", unit: "V", digits: 3, values: volts(s.cell_max_mv) },
        { label: "Lowest", token: "info", unit: "V", digits: 3, values: volts(s.cell_min_mv) },
      ],
    },
  ];
}

const kTableRows = 60;

function HistoryTable({ answer }: { answer: History }) {
  const every = Math.max(1, Math.ceil(answer.time.length / kTableRows));
  const rows = answer.time.map((time, index) => ({ time, index })).filter(({ index }) => index % every === 0);
  const at = (name: string, index: number) => answer.series[name]?.[index];
  return (
    <TableBehind label="These values as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col" class="number">
              Power
            </th>
            <th scope="col" class="number">
              SOC
            </th>
            <th scope="col" class="number">
              Voltage
            </th>
            <th scope="col" class="number">
              Lowest cell
            </th>
            <th scope="col" class="number">
              Highest cell
            </th>
            <th scope="col" class="number">
              Temperature
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map(({ time, index }) => (
            <tr key={time}>
              <th scope="row">{date_and_time(time)}</th>
              <td class="number">{with_unit(at("power_w", index), 0, "W")}</td>
              <td class="number">{with_unit(at("soc_percent", index), 1, "%")}</td>
              <td class="number">{with_unit(at("voltage_v", index), 2, "V")}</td>
              <td class="number">{with_unit(at("cell_min_mv", index), 0, "mV")}</td>
              <td class="number">{with_unit(at("cell_max_mv", index), 0, "mV")}</td>
              <td class="number">{with_unit(at("temperature_c", index), 1, "°C")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableBehind>
  );
}

function Charts({ answer }: { answer: History }) {
  if (answer.time.length === 0) return <p class="empty">Nothing was recorded in this span.</p>;
  return (
    <div class="charts">
      {charts_of(answer).map((chart) => (
        <figure key={chart.id} class="chart">
          <figcaption>
            {chart.title} <span class="unit">{chart.lines[0]?.unit}</span>
          </figcaption>
          <LineChart
            time={answer.time}
            lines={chart.lines}
            from={range.value.from}
            to={range.value.to}
            sync_key="history"
            height={190}
            range={chart.range}
            on_zoom={(from, to) => show({ from, to: Math.min(to, Date.now()) })}
          />
        </figure>
      ))}
    </div>
  );
}

export function HistoryPage() {
  const connected = is_connected.value;
  useEffect(() => {
    if (!connected) return;
    follow_clock();
    void load_days();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && is_live(range.value, Date.now())) follow_clock();
    }, kReloadMs);
    return () => clearInterval(timer);
  }, [connected]);
  const answer = history.value;
  return (
    <div class="stack">
      <Card title="History" id="history-title" class="history-card">
        <RangeBar />
        {failure.value && <Failure message={failure.value} on_retry={() => void load()} />}
        {answer ? (
          <Charts answer={answer} />
        ) : (
          !failure.value && (
            <Loading
              what={connected ? "Reading the history." : "The history is kept on the box, which does not answer."}
            />
          )
        )}
        <p class="hint">Drag across a chart to look closer.</p>
        {answer && <HistoryTable answer={answer} />}
      </Card>
      <Card title="Energy by day" id="days-title">
        {days.value ? <DayChart days={days.value} /> : <Loading what="No days to show yet." />}
      </Card>
    </div>
  );
}
