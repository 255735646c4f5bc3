// SPDX-License-Identifier: Apache-2.0
// The battery as an amphora: filled to its state of charge, with the figure written across it. The figure is drawn twice,
// light inside the liquid and dark above it, so that it is legible at every level.
import { format_number } from "../../lib/format";

// The inside of the drawing, in its own units, between an empty and a full vessel.
const kBottom = 236;
const kTop = 40;
const kWaveLength = 100;

const kBody =
  "M81 20C81 40 83 48 78 57C66 72 28 84 28 124C28 170 62 204 86 229V238H114V229C138 204 172 170 172 124C172 84 134 72 122 57C117 48 119 40 119 20Z";

function wave_path(level: number): string {
  let path = `M-${2 * kWaveLength} ${level}`;
  for (let i = 0; i < 5; i += 1) path += "q25 -7 50 0t50 0";
  return `${path}V260H-${2 * kWaveLength}Z`;
}

interface VesselProps {
  soc_percent: number | undefined;
  direction: "in" | "out" | "none";
  is_stale: boolean;
}

function Figure({ text }: { text: string }) {
  return (
    <text class="vessel-figure" x="100" y="143" text-anchor="middle">
      {text}
      {text !== "–" && (
        <tspan class="vessel-percent" dx="3">
          %
        </tspan>
      )}
    </text>
  );
}

export function Vessel({ soc_percent, direction, is_stale }: VesselProps) {
  const fill = soc_percent === undefined ? 0 : Math.min(100, Math.max(0, soc_percent));
  const level = kBottom - (kBottom - kTop) * (fill / 100);
  const text = soc_percent === 100 ? "100" : format_number(soc_percent, 1);
  const label =
    soc_percent === undefined
      ? "State of charge unknown"
      : `State of charge ${text} percent${is_stale ? ", old value" : ""}`;
  return (
    <svg class="vessel" viewBox="14 2 172 250" role="img" aria-label={label} data-direction={direction}>
      <defs>
        <clipPath id="vessel-inside">
          <path d={kBody} />
        </clipPath>
        <clipPath id="vessel-liquid">
          <rect x="0" y={level} width="200" height={260 - level} />
        </clipPath>
      </defs>
      <path class="vessel-handle" d="M80 30C54 22 40 40 48 82M120 30C146 22 160 40 152 82" />
      <path class="vessel-glass" d={kBody} />
      <Figure text={text} />
      <g clip-path="url(#vessel-inside)">
        {soc_percent !== undefined && (
          <>
            <path class="vessel-wave back" d={wave_path(level - 2)} />
            <path class="vessel-wave" d={wave_path(level)} />
          </>
        )}
        <g clip-path="url(#vessel-liquid)" class="on-liquid">
          <Figure text={text} />
        </g>
      </g>
      <path class="vessel-outline" d={kBody} />
      <path class="vessel-lip" d="M70 15H130" />
      <path class="vessel-lip" d="M82 243H118" />
    </svg>
  );
}
