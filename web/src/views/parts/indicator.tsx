// SPDX-License-Identifier: Apache-2.0
// The box's own lights, drawn as they are now: bar of ten pixels, three digits of seven segments, three LEDs, buzzer. The
// colours are the box's, so they are set as attributes of the drawing and not by the theme.
import type { Indicator } from "../../api/pack_types";
import { describe_indicator, is_segment_lit, kDark } from "../../lib/indicator_words";

const kPixelCount = 10;
const kDigitCount = 3;

// Segments a to g of a digit 30 wide and 52 high, then its point.
const kSegments = [
  "M8 4H22L25 7L22 10H8L5 7Z",
  "M26 8L29 11V22L26 25L23 22V11Z",
  "M26 27L29 30V41L26 44L23 41V30Z",
  "M8 42H22L25 45L22 48H8L5 45Z",
  "M4 27L7 30V41L4 44L1 41V30Z",
  "M4 8L7 11V22L4 25L1 22V11Z",
  "M8 23H22L25 26L22 29H8L5 26Z",
  "M30 46h4v4h-4Z",
];

function Digit({ mask, at }: { mask: number | undefined; at: number }) {
  return (
    <g transform={`translate(${12 + at * 40} 10)`}>
      {kSegments.map((path, segment) => (
        <path key={path} class="segment" d={path} data-lit={is_segment_lit(mask, segment) ? "" : undefined} />
      ))}
    </g>
  );
}

function Led({ name, is_on, x }: { name: string; is_on: boolean; x: number }) {
  return (
    <g data-led={name} data-lit={is_on ? "" : undefined}>
      <circle class="led-glow" cx={x} cy="54" r="11" />
      <circle class="led" cx={x} cy="54" r="6" />
    </g>
  );
}

export function IndicatorDrawing({ indicator }: { indicator: Indicator | undefined }) {
  const bar = Array.from({ length: kPixelCount }, (_, i) => indicator?.bar?.[i] ?? kDark);
  return (
    <svg class="indicator" viewBox="0 0 400 72" role="img" aria-label={describe_indicator(indicator)}>
      <rect class="indicator-case" x="1" y="1" width="398" height="70" rx="14" />
      {Array.from({ length: kDigitCount }, (_, i) => (
        <Digit key={`digit-${i + 1}`} mask={indicator?.digits?.[i]} at={i} />
      ))}
      {bar.map((colour, i) => {
        const is_lit = colour.toLowerCase() !== kDark;
        return (
          <rect
            key={`pixel-${i + 1}`}
            class="pixel"
            data-lit={is_lit ? "" : undefined}
            x={146 + i * 24}
            y="16"
            width="20"
            height="18"
            rx="4"
            fill={is_lit ? colour : undefined}
          />
        );
      })}
      <Led name="green" is_on={indicator?.green === true} x={156} />
      <Led name="yellow" is_on={indicator?.yellow === true} x={184} />
      <Led name="red" is_on={indicator?.red === true} x={212} />
      {indicator?.buzzer && <path class="buzzer" d="M346 50h5l7-6v20l-7-6h-5zM363 49q5 5 0 10M368 45q9 9 0 18" />}
    </svg>
  );
}
