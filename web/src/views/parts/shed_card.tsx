// SPDX-License-Identifier: Apache-2.0
// The order in which eco switches loads off, sorted by hand.
import { signal } from "@preact/signals";
import { ApiError } from "../../api/client";
import type { StateSection } from "../../api/types";
import { relay_title } from "../../lib/pack_words";
import { moved, order_changes, read_order, relay_of_field, type ShedOrder, with_shed } from "../../lib/shed_order";
import { can_write } from "../../state/store";
import { Card, Failure, Note } from "./card";
import { DownIcon, UpIcon } from "./icons";

const draft = signal<ShedOrder | undefined>(undefined);
const is_busy = signal(false);
const failure = signal<string | undefined>(undefined);
const success = signal<string | undefined>(undefined);

function change(order: ShedOrder): void {
  draft.value = order;
  failure.value = success.value = undefined;
}

type Save = (values: Record<string, unknown>) => Promise<string>;

async function save(changes: Record<string, number>, on_save: Save): Promise<void> {
  is_busy.value = true;
  try {
    success.value = await on_save(changes);
    draft.value = undefined;
  } catch (error) {
    failure.value = `Nothing was saved: ${error instanceof ApiError ? error.message : "something unexpected happened."}`;
  } finally {
    is_busy.value = false;
  }
}

const title_of = (name: string) => relay_title(relay_of_field(name));

interface ListProps {
  order: ShedOrder;
  is_disabled: boolean;
}

function ShedList({ order, is_disabled }: ListProps) {
  return (
    <ol class="shed">
      {order.first.map((name, i) => (
        <li key={name}>
          <span class="shed-name">{title_of(name)}</span>
          <button
            type="button"
            class="icon-button"
            aria-label={`${title_of(name)}: earlier`}
            disabled={is_disabled || i === 0}
            onClick={() => change(moved(order, name, -1))}
          >
            <UpIcon />
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label={`${title_of(name)}: later`}
            disabled={is_disabled || i === order.first.length - 1}
            onClick={() => change(moved(order, name, 1))}
          >
            <DownIcon />
          </button>
          <button
            type="button"
            class="button small"
            aria-label={`${title_of(name)}: never`}
            disabled={is_disabled}
            onClick={() => change(with_shed(order, name, false))}
          >
            Never
          </button>
        </li>
      ))}
    </ol>
  );
}

// Relays that are not fitted on this pack are left out, unless they have a place in the order.
function NeverList({ order, is_disabled, fitted }: ListProps & { fitted: string[] }) {
  const never = order.never.filter((name) => fitted.includes(relay_of_field(name)));
  if (never.length === 0) return null;
  return (
    <ul class="shed-never" aria-label="Never switched off">
      {never.map((name) => (
        <li key={name}>
          <span class="shed-name">{title_of(name)}</span>
          <button
            type="button"
            class="button small"
            aria-label={`${title_of(name)}: switch off too`}
            disabled={is_disabled}
            onClick={() => change(with_shed(order, name, true))}
          >
            Add
          </button>
        </li>
      ))}
    </ul>
  );
}

export function ShedCard({ section, fitted, on_save }: { section: StateSection; fitted: string[]; on_save: Save }) {
  const order = draft.value ?? read_order(section.fields);
  const changes = order_changes(section.fields, order);
  const is_changed = Object.keys(changes).length > 0;
  const is_disabled = !can_write.value || is_busy.value;
  return (
    <Card title="Switched off first" id="shed-title" class="shed-card">
      <p class="section-help">While eco is on and the home takes too much, from the top down.</p>
      {order.first.length === 0 && <p class="empty">Nothing is ever switched off.</p>}
      <ShedList order={order} is_disabled={is_disabled} />
      <NeverList order={order} is_disabled={is_disabled} fitted={fitted} />
      {failure.value && <Failure message={failure.value} />}
      <div role="status">
        {is_changed && (
          <Note tone="neutral">
            {order.first.length === 0
              ? "Eco will switch nothing off."
              : `Eco will switch off ${order.first.map((name) => title_of(name).toLowerCase()).join(", then ")}.`}
          </Note>
        )}
        {success.value && !is_changed && <Note tone="good">{success.value}</Note>}
      </div>
      {is_changed && (
        <div class="section-actions">
          <button type="button" class="button" onClick={() => (draft.value = undefined)}>
            Discard
          </button>
          <button
            type="button"
            class="button primary"
            disabled={is_disabled}
            onClick={() => void save(changes, on_save)}
          >
            Save order
          </button>
        </div>
      )}
    </Card>
  );
}
