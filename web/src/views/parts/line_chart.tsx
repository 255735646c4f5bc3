// SPDX-License-Identifier: Apache-2.0
// One uPlot chart: lines over time, with a shared cursor and drag to zoom. uPlot is loaded with the History page only.
// Colours come from the style sheet's tokens, and the chart is rebuilt when they change; new values only redraw it, so a
// drag under way survives them.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { format_number, minute_of_day, short_date, time_of_day } from "../../lib/format";
import { colour, colour_epoch } from "../../lib/theme";

export interface Line {
  label: string;
  token: string; // colour token of the style sheet
  unit: string;
  digits: number;
  values: (number | null)[];
  is_filled?: boolean;
  scale?: string;
}

interface LineChartProps {
  time: number[]; // Unix ms
  lines: Line[];
  from: number;
  to: number;
  sync_key: string;
  height: number;
  range: (min: number, max: number) => [number, number];
  on_zoom: (from: number, to: number) => void;
}

const kFont = '12px "Figtree Variable", system-ui, sans-serif';

function series_of(line: Line): uPlot.Series {
  const stroke = colour(line.token);
  const series: uPlot.Series = {
    label: line.label,
    stroke,
    width: 1.75,
    points: { show: false },
    spanGaps: false,
    value: (_plot, value) =>
      value === null || value === undefined ? "–" : `${format_number(value, line.digits)} ${line.unit}`,
  };
  if (line.is_filled) series.fill = `${stroke}22`;
  return series;
}

// In the reader's own way of writing times. A label at midnight is the day that begins there.
function time_labels(_plot: uPlot, ticks: number[], _axis: number, _space: number, increment_s: number): string[] {
  return ticks.map((tick) => {
    const date = new Date(tick * 1000);
    const is_midnight = date.getHours() === 0 && date.getMinutes() === 0;
    if (increment_s >= 86_400 || is_midnight) return short_date(tick * 1000);
    return increment_s < 60 ? time_of_day(tick * 1000) : minute_of_day(tick * 1000);
  });
}

function options_of(newest: { current: LineChartProps }, width: number): uPlot.Options {
  const props = newest.current;
  const grid = { stroke: colour("line"), width: 1 };
  const axis = { stroke: colour("ink-2"), grid, ticks: { show: false }, font: kFont };
  return {
    width,
    height: props.height,
    cursor: {
      sync: { key: props.sync_key, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
    },
    legend: { live: true, markers: { width: 2 } },
    scales: {
      x: { time: true, range: () => [newest.current.from / 1000, newest.current.to / 1000] },
      y: { range: (_plot, min, max) => newest.current.range(min ?? 0, max ?? 0) },
    },
    axes: [
      { ...axis, space: 64, size: 30, values: time_labels },
      { ...axis, size: 52, values: (_plot, ticks) => ticks.map((tick) => `${+tick.toFixed(3)}`) },
    ],
    series: [
      { value: (_plot, value) => (value === null ? "–" : new Date(value * 1000).toLocaleString()) },
      ...props.lines.map(series_of),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 8) return;
          const from = plot.posToVal(plot.select.left, "x") * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, "x") * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          newest.current.on_zoom(from, to);
        },
      ],
    },
  };
}

function data_of(props: LineChartProps): uPlot.AlignedData {
  return [props.time.map((ms) => ms / 1000), ...props.lines.map((line) => line.values)];
}

export function LineChart(props: LineChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const newest = useRef(props);
  newest.current = props;
  const epoch = colour_epoch.value;
  // Built anew when the colours change, not for new values
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const built = new uPlot(options_of(newest, element.clientWidth), data_of(newest.current), element);
    plot.current = built;
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width > 0 && width !== built.width) built.setSize({ width, height: newest.current.height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      built.destroy();
      plot.current = undefined;
    };
  }, [epoch]);
  // `lines` is derived from the same answer as `time`
  useEffect(() => {
    plot.current?.setData(data_of(newest.current));
  }, [props.time, props.from, props.to]);
  return <div class="line-chart" ref={frame} aria-hidden="true" />;
}
