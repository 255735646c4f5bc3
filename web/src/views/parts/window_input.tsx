// SPDX-License-Identifier: Apache-2.0
// One window of time: on which days it begins, from when to when. Its value is the text that the box keeps; "" is no window.
import { clock_text, describe_window, format_window, kDayTitles, minute_of, parse_window } from "../../lib/window";
import type { InputProps } from "./setting_row";

const kNewWindow = "22:00-06:00 1-7";

interface TimeProps {
  label: string;
  minute: number;
  is_disabled: boolean;
  on_input: (minute: number) => void;
}

function Time({ label, minute, is_disabled, on_input }: TimeProps) {
  return (
    <label>
      <span>{label}</span>
      <input
        type="time"
        value={clock_text(minute)}
        disabled={is_disabled}
        onInput={(event) => {
          // Half typed the browser gives "": the last whole time stays meanwhile.
          const next = minute_of(event.currentTarget.value);
          if (next !== undefined) on_input(next);
        }}
      />
    </label>
  );
}

export function WindowInput({ id, value, title, is_disabled, on_input }: InputProps & { title: string }) {
  const window = parse_window(value);
  if (!window) {
    return (
      <button id={id} type="button" class="button small" disabled={is_disabled} onClick={() => on_input(kNewWindow)}>
        Add {title.toLowerCase()}
      </button>
    );
  }
  const toggle = (day: number) =>
    on_input(format_window({ ...window, days: window.days.map((is_on, i) => (i === day ? !is_on : is_on)) }));
  return (
    <fieldset class="window" id={id} aria-labelledby={`${id}-label`} aria-describedby={`${id}-outcome`}>
      <div class="days">
        {kDayTitles.map((name, day) => (
          <button
            key={name}
            type="button"
            class="day"
            aria-pressed={window.days[day] === true}
            aria-label={name}
            disabled={is_disabled}
            onClick={() => toggle(day)}
          >
            {name.slice(0, 2)}
          </button>
        ))}
      </div>
      <div class="times">
        <Time
          label="From"
          minute={window.start}
          is_disabled={is_disabled}
          on_input={(start) => on_input(format_window({ ...window, start }))}
        />
        <Time
          label="To"
          minute={window.end}
          is_disabled={is_disabled}
          on_input={(end) => on_input(format_window({ ...window, end }))}
        />
        <button
          type="button"
          class="button small danger-quiet"
          aria-label={`Remove ${title.toLowerCase()}`}
          disabled={is_disabled}
          onClick={() => on_input("")}
        >
          Remove
        </button>
      </div>
      <p class="allowed">{window.days.includes(true) ? describe_window(window) : "No day is chosen."}</p>
    </fieldset>
  );
}
