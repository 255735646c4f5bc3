// SPDX-License-Identifier: Apache-2.0
// The week as seven lines of 24 hours, with the windows on them. A picture beside the same windows in words.
import { kDayNames, kMinutesOfDay, spans_of, type Window } from "../../lib/window";

const kRow = 18;
const kLeft = 36;
const kWidth = 300;
const kHours = [0, 6, 12, 18, 24];

const x_of = (minute: number) => kLeft + (minute / kMinutesOfDay) * kWidth;

export function WeekChart({ windows, label }: { windows: Window[]; label: string }) {
  return (
    <svg class="week" viewBox={`0 0 ${kLeft + kWidth + 12} ${7 * kRow + 22}`} role="img" aria-label={label}>
      {kHours.map((hour) => (
        <g key={hour}>
          <path class="week-hour" d={`M${x_of(hour * 60)} 0V${7 * kRow}`} />
          <text class="week-text" x={x_of(hour * 60)} y={7 * kRow + 16} text-anchor="middle">
            {hour}
          </text>
        </g>
      ))}
      {kDayNames.map((name, day) => (
        <g key={name}>
          <text class="week-text" x="0" y={day * kRow + 13}>
            {name}
          </text>
          <path class="week-day" d={`M${kLeft} ${day * kRow + kRow / 2}H${kLeft + kWidth}`} />
        </g>
      ))}
      {windows.flatMap(spans_of).map((span) => (
        <rect
          key={`${span.day} ${span.start} ${span.end}`}
          class="week-span"
          x={x_of(span.start)}
          y={span.day * kRow + 3}
          width={Math.max(1, x_of(span.end) - x_of(span.start))}
          height={kRow - 6}
          rx="3"
        />
      ))}
    </svg>
  );
}
