// SPDX-License-Identifier: Apache-2.0
// Bars of all cell voltages, up to 192, drawn as SVG in the pixels of its frame. The scale starts near the lowest cell, so
// that millivolts of difference are visible; the axis says so. Lowest and highest are marked by colour. Where bars would get
// too thin to tell apart, on a phone, they stand in several rows with one scale.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Cells } from "../../api/types";

const kHeight = 260;
const kRowHeight = 132; // of one of several rows
// Thinner than this a bar and its gap cannot be told apart, or touched.
const kSlotMin = 5;
const kLeft = 52;
const kRight = 8;
const kTop = 18;
const kBottom = 26;
// The smallest span of the scale, so that a well balanced pack looks balanced.
const kSpanMinMv = 40;

export interface Scale {
  from: number;
  to: number;
  ticks: number[];
}

// A scale around the lowest and highest cell with round ticks, a quarter of room below and a tenth above.
export function scale_of(min_mv: number, max_mv: number): Scale {
  const span = Math.max(kSpanMinMv, max_mv - min_mv);
  const middle = (min_mv + max_mv) / 2;
  const low = middle - span * 0.75;
  const high = middle + span * 0.65;
  const raw_step = (high - low) / 4;
  const magnitude = 10 ** Math.floor(Math.log10(raw_step));
  const step = [1, 2, 5, 10].map((n) => n * magnitude).find((n) => n >= raw_step) ?? 10 * magnitude;
  const from = Math.max(0, Math.floor(low / step) * step);
  const to = Math.ceil(high / step) * step;
  const ticks: number[] = [];
  for (let tick = from; tick <= to + step / 2; tick += step) ticks.push(Math.round(tick));
  return { from, to, ticks };
}

function use_width(): [number, { current: HTMLDivElement | null }] {
  const frame = useRef<HTMLDivElement>(null);
  const [width, set_width] = useState(0);
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => set_width(element.clientWidth));
    observer.observe(element);
    set_width(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return [width, frame];
}

// Every n-th cell gets its number under the bar, so that numbers keep apart.
function label_every(count: number, slot: number): number {
  const wanted = Math.ceil(24 / slot);
  return [1, 2, 4, 5, 8, 10, 16, 20, 24, 32, 48, 96].find((n) => n >= wanted) ?? count;
}

// In how many rows the cells stand: as few as keep the bars apart, all of the same length where the count allows it.
export function rows_of(count: number, width: number): number {
  const fitting = Math.max(1, Math.floor((width - kLeft - kRight) / kSlotMin));
  const least = Math.ceil(count / fitting);
  const even = [least, least + 1, least + 2].find((rows) => count % rows === 0);
  return Math.max(1, even ?? least);
}

interface BarsProps {
  cells: Cells;
  width: number;
  picked: number | undefined;
  on_pick: (index: number | undefined) => void;
}

interface RowProps extends BarsProps {
  first: number; // cell at the left end
  length: number; // places in a row; the last row may have empty ones
  height: number;
  scale: Scale;
}

const kind_of = (cells: Cells, index: number) =>
  index === cells.min_index ? "min" : index === cells.max_index ? "max" : cells.balancing?.[index] ? "balancing" : "";

function Row({ cells, width, picked, on_pick, first, length, height, scale }: RowProps) {
  const { from, to, ticks } = scale;
  const y_of = (mv: number) => kTop + (height - kTop - kBottom) * (1 - (mv - from) / (to - from));
  const slot = (width - kLeft - kRight) / length;
  const bar = Math.max(1, slot - Math.min(6, slot * 0.28));
  const every = label_every(length, slot);
  const shown = cells.mv.slice(first, first + length);
  // Of a low row every second tick is enough.
  const shown_ticks = height < kHeight ? ticks.filter((_, i) => i % 2 === 0) : ticks;
  const pick = (event: { clientX: number; currentTarget: Element }) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left - kLeft;
    const at = Math.floor(x / slot);
    on_pick(at >= 0 && at < shown.length ? first + at : undefined);
  };
  return (
    // Pointing only reads out a bar; the table below holds the same
    <svg
      class="cell-chart"
      width={width}
      height={height}
      aria-hidden="true"
      onPointerLeave={() => on_pick(undefined)}
      onPointerDown={pick}
      onPointerMove={pick}
    >
      {shown_ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={kLeft} x2={width - kRight} y1={y_of(tick)} y2={y_of(tick)} />
          <text class="axis" x={kLeft - 8} y={y_of(tick) + 4} text-anchor="end">
            {(tick / 1000).toFixed(to - from < 40 ? 3 : 2)}
          </text>
        </g>
      ))}
      {shown.map((mv, at) => {
        const index = first + at;
        const x = kLeft + slot * at + (slot - bar) / 2;
        const y = y_of(mv);
        return (
          // The key: a cell is its position in the pack
          <g key={index} class="bar" data-kind={kind_of(cells, index)} data-picked={picked === index ? "" : undefined}>
            <rect x={x} y={y} width={bar} height={Math.max(0, height - kBottom - y)} rx={Math.min(3, bar / 3)} />
            {cells.balancing?.[index] && bar > 3 && (
              <circle class="balancing-dot" cx={x + bar / 2} cy={y - 6} r={Math.min(2.5, bar / 2)} />
            )}
            {at % every === 0 && (
              <text class="axis" x={x + bar / 2} y={height - 8} text-anchor="middle">
                {index + 1}
              </text>
            )}
          </g>
        );
      })}
      {cells.average_mv !== undefined && (
        <line class="average" x1={kLeft} x2={width - kRight} y1={y_of(cells.average_mv)} y2={y_of(cells.average_mv)} />
      )}
    </svg>
  );
}

function Bars(props: BarsProps) {
  const { cells, width } = props;
  const scale = scale_of(cells.min_mv ?? Math.min(...cells.mv), cells.max_mv ?? Math.max(...cells.mv));
  const rows = rows_of(cells.mv.length, width);
  const length = Math.ceil(cells.mv.length / rows);
  const height = rows === 1 ? kHeight : kRowHeight;
  return (
    <>
      {Array.from({ length: rows }, (_, row) => (
        <Row key={row} {...props} first={row * length} length={length} height={height} scale={scale} />
      ))}
    </>
  );
}

export function CellChart({ cells }: { cells: Cells }) {
  const [width, frame] = use_width();
  const [picked, set_picked] = useState<number | undefined>(undefined);
  const mv = picked === undefined ? undefined : cells.mv[picked];
  return (
    <div>
      <div class="chart-frame" ref={frame}>
        {width > 0 && <Bars cells={cells} width={width} picked={picked} on_pick={set_picked} />}
      </div>
      <p class="chart-readout" aria-hidden="true">
        {mv === undefined || picked === undefined ? (
          <>
            <i class="key min" /> lowest <i class="key max" /> highest <i class="key average" /> average{" "}
            {cells.balancing?.some(Boolean) && (
              <>
                <i class="key balancing" /> balancing
              </>
            )}
          </>
        ) : (
          <>
            Cell {picked + 1}: <strong>{(mv / 1000).toFixed(3)} V</strong>
            {cells.average_mv !== undefined &&
              ` (${mv - cells.average_mv >= 0 ? "+" : "−"}${Math.abs(mv - cells.average_mv)} mV from average)`}
            {cells.balancing?.[picked] && ", balancing"}
          </>
        )}
      </p>
    </div>
  );
}
