// SPDX-License-Identifier: Apache-2.0
// Bars of all cell voltages, up to 192, drawn as SVG in the pixels of its frame. The scale starts near the lowest cell, so
// that millivolts of difference are visible; the axis says so. Lowest and highest are marked by colour and by a letter.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Cells } from "../../api/types";

const kHeight = 260;
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

interface BarsProps {
  cells: Cells;
  width: number;
  picked: number | undefined;
  on_pick: (index: number | undefined) => void;
}

function Bars({ cells, width, picked, on_pick }: BarsProps) {
  const min = cells.min_mv ?? Math.min(...cells.mv);
  const max = cells.max_mv ?? Math.max(...cells.mv);
  const { from, to, ticks } = scale_of(min, max);
  const y_of = (mv: number) => kTop + (kHeight - kTop - kBottom) * (1 - (mv - from) / (to - from));
  const slot = (width - kLeft - kRight) / cells.mv.length;
  const bar = Math.max(1, slot - Math.min(6, slot * 0.28));
  const every = label_every(cells.mv.length, slot);
  const kind_of = (index: number) =>
    index === cells.min_index ? "min" : index === cells.max_index ? "max" : cells.balancing?.[index] ? "balancing" : "";
  return (
    // Pointing only reads out a bar; the table below holds the same
    <svg
      class="cell-chart"
      width={width}
      height={kHeight}
      aria-hidden="true"
      onPointerLeave={() => on_pick(undefined)}
      onPointerMove={(event) => {
        const x = event.clientX - event.currentTarget.getBoundingClientRect().left - kLeft;
        const index = Math.floor(x / slot);
        on_pick(index >= 0 && index < cells.mv.length ? index : undefined);
      }}
    >
      {ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={kLeft} x2={width - kRight} y1={y_of(tick)} y2={y_of(tick)} />
          <text class="axis" x={kLeft - 8} y={y_of(tick) + 4} text-anchor="end">
            {(tick / 1000).toFixed(to - from < 40 ? 3 : 2)}
          </text>
        </g>
      ))}
      {cells.mv.map((mv, index) => {
        const x = kLeft + slot * index + (slot - bar) / 2;
        const y = y_of(mv);
        return (
          // The key: a cell is its position in the pack
          <g key={index} class="bar" data-kind={kind_of(index)} data-picked={picked === index ? "" : undefined}>
            <rect x={x} y={y} width={bar} height={Math.max(0, kHeight - kBottom - y)} rx={Math.min(3, bar / 3)} />
            {cells.balancing?.[index] && bar > 3 && (
              <circle class="balancing-dot" cx={x + bar / 2} cy={y - 6} r="2.5" />
            )}
            {index % every === 0 && (
              <text class="axis" x={x + bar / 2} y={kHeight - 8} text-anchor="middle">
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
