// SPDX-License-Identifier: Apache-2.0
// The order in which eco switches loads off, between the box's numbers (0 never, 1 first) and a list that a person sorts.
import type { BoxField } from "../api/types";

const kPrefix = "shed_";

export const is_shed_field = (field: BoxField) => field.name.startsWith(kPrefix);
export const relay_of_field = (name: string) => name.slice(kPrefix.length);

export interface ShedOrder {
  first: string[]; // names of fields, the first to be switched off first
  never: string[];
}

export function read_order(fields: BoxField[]): ShedOrder {
  const shed = fields.filter(is_shed_field);
  const rank = (field: BoxField) => (typeof field.value === "number" ? field.value : 0);
  return {
    first: shed
      .filter((field) => rank(field) > 0)
      .toSorted((a, b) => rank(a) - rank(b))
      .map((field) => field.name),
    never: shed.filter((field) => rank(field) === 0).map((field) => field.name),
  };
}

// The numbers that differ from what the box has.
export function order_changes(fields: BoxField[], order: ShedOrder): Record<string, number> {
  const changes: Record<string, number> = {};
  for (const field of fields.filter(is_shed_field)) {
    const next = order.first.indexOf(field.name) + 1;
    if (next !== field.value) changes[field.name] = next;
  }
  return changes;
}

// One step towards the front (-1) or the back (1).
export function moved(order: ShedOrder, name: string, step: -1 | 1): ShedOrder {
  const first = [...order.first];
  const at = first.indexOf(name);
  const to = at + step;
  if (at < 0 || to < 0 || to >= first.length) return order;
  first.splice(at, 1);
  first.splice(to, 0, name);
  return { ...order, first };
}

export function with_shed(order: ShedOrder, name: string, is_shed: boolean): ShedOrder {
  const without = (list: string[]) => list.filter((entry) => entry !== name);
  return is_shed
    ? { first: [...without(order.first), name], never: without(order.never) }
    : { first: without(order.first), never: [...without(order.never), name] };
}
