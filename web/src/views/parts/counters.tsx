// SPDX-License-Identifier: Apache-2.0
// Small figures in a grid: counters and their like. An unknown one is a dash with its reason.
import { count, kUnknown } from "../../lib/format";
import { Unknown } from "./card";

export interface Counter {
  label: string;
  value: number | string | undefined;
  help?: string;
  is_bad?: boolean; // above zero means that something was lost
}

function text_of(value: number | string | undefined): string {
  return typeof value === "number" ? count(value) : (value ?? kUnknown);
}

export function Counters({ list }: { list: Counter[] }) {
  return (
    <dl class="counters">
      {list.map(({ label, value, help, is_bad }) => (
        <div class="counter" key={label} data-tone={is_bad && value !== 0 && value !== undefined ? "warn" : undefined}>
          <dt title={help}>{label}</dt>
          <dd>{text_of(value) === kUnknown ? <Unknown why="not told by the box" /> : text_of(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
