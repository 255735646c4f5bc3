// SPDX-License-Identifier: Apache-2.0
// The relays of a pack: where each is, where it should be, who holds it and why, what keeps it from there and for how long,
// what others ask; and orders by hand. An order takes two taps: choose, then confirm under the sentence that says what it does.
import { signal } from "@preact/signals";
import { ApiError, order_relay } from "../../api/client";
import type { Relay, RelayOrder } from "../../api/pack_types";
import { duration, humanise, power } from "../../lib/format";
import {
  hindrance_text,
  holder_title,
  order_consequence,
  position_of,
  position_status,
  relay_title,
  wants_text,
} from "../../lib/pack_words";
import { can_write, group_age_ms, is_group_stale, left_s, running_s, state } from "../../state/store";
import { Card, Failure, Note, Pill, Value } from "./card";

interface Choice {
  relay: string;
  order: RelayOrder;
}

const kSpans: [number, string][] = [
  [10, "10 min"],
  [30, "30 min"],
  [60, "1 h"],
  [240, "4 h"],
  [1440, "1 day"],
  [10_080, "7 days"],
];
const kOrders: [RelayOrder, string][] = [
  ["open", "Open"],
  ["closed", "Closed"],
  ["auto", "Auto"],
];

const choice = signal<Choice | undefined>(undefined);
const kMinutesAtFirst = 30;
const minutes = signal(kMinutesAtFirst);
const is_busy = signal(false);
const outcome = signal<{ relay: string; is_good: boolean; text: string } | undefined>(undefined);

async function send({ relay, order }: Choice): Promise<void> {
  is_busy.value = true;
  try {
    await order_relay(relay, order, order === "auto" ? undefined : minutes.value);
    outcome.value = { relay, is_good: true, text: order === "auto" ? "Back to automatic." : "Ordered." };
  } catch (error) {
    const text = error instanceof ApiError ? error.message : "Something unexpected happened in this page.";
    outcome.value = { relay, is_good: false, text: `Refused: ${text}` };
  } finally {
    choice.value = undefined;
    is_busy.value = false;
  }
}

function Confirm({ relay, chosen }: { relay: Relay; chosen: Choice }) {
  const is_timed = chosen.order !== "auto";
  const id = `order-${relay.name}-minutes`;
  return (
    <div class="order-confirm">
      <p aria-live="polite">{order_consequence(relay, chosen.order, is_timed ? minutes.value : undefined)}</p>
      {is_timed && (
        <label for={id}>
          <span>For</span>
          <select
            id={id}
            value={String(minutes.value)}
            onChange={(event) => {
              minutes.value = Number(event.currentTarget.value);
            }}
          >
            {kSpans.map(([value, text]) => (
              <option key={value} value={String(value)}>
                {text}
              </option>
            ))}
          </select>
        </label>
      )}
      <div class="order-buttons">
        <button type="button" class="button small" disabled={is_busy.value} onClick={() => (choice.value = undefined)}>
          Cancel
        </button>
        <button
          type="button"
          class="button small primary"
          disabled={is_busy.value || !can_write.value}
          onClick={() => void send(chosen)}
        >
          {chosen.order === "auto" ? "End the order" : `Set ${chosen.order}`}
        </button>
      </div>
    </div>
  );
}

function Order({ relay }: { relay: Relay }) {
  const chosen = choice.value?.relay === relay.name ? choice.value : undefined;
  const now: RelayOrder = relay.manual === undefined ? "auto" : relay.manual.position === "open" ? "open" : "closed";
  const shown = chosen?.order ?? now;
  const title = relay_title(relay.name, relay.title);
  const told = outcome.value?.relay === relay.name ? outcome.value : undefined;
  return (
    <div class="relay-order">
      <fieldset class="segmented" aria-label={`${title} by hand`}>
        {kOrders.map(([order, text]) => (
          <button
            key={order}
            type="button"
            aria-pressed={shown === order}
            disabled={!can_write.value || is_busy.value}
            onClick={() => {
              outcome.value = undefined;
              minutes.value = kMinutesAtFirst;
              choice.value = order === now ? undefined : { relay: relay.name, order };
            }}
          >
            {text}
          </button>
        ))}
      </fieldset>
      {chosen && <Confirm relay={relay} chosen={chosen} />}
      {told?.is_good === false && <Failure message={told.text} />}
      <div role="status">{told?.is_good === true && <Note tone="good">{told.text}</Note>}</div>
    </div>
  );
}

function Asks({ relay }: { relay: Relay }) {
  // The one that holds the relay stands above already; the default asks always, and for nothing.
  const asks = (relay.asks ?? []).filter((ask) => ask.holder !== relay.holder && ask.holder !== "default");
  if (asks.length === 0) return null;
  return (
    <details class="asks">
      <summary>
        {asks.length} {asks.length === 1 ? "other asks" : "others ask"}
      </summary>
      <ul>
        {asks.map((ask) => (
          <li key={ask.holder}>
            <strong>{holder_title(ask.holder)}</strong> wants it {wants_text(ask.wants)}.{" "}
            {ask.reason_text ?? (ask.reason ? humanise(ask.reason) : "")}
          </li>
        ))}
      </ul>
    </details>
  );
}

function RelayFacts({ relay }: { relay: Relay }) {
  const since = running_s("modes", relay.switched_s);
  const { text, unit } = power(relay.power_w);
  return (
    <p class="relay-facts">
      <span>
        requested {relay.requested ?? "nothing yet"}, measured {relay.measured ?? "not"}
      </span>
      {relay.power_w !== undefined && (
        <span>
          <Value text={text} unit={unit} why="" />
        </span>
      )}
      {since !== undefined && <span>for {duration(since)}</span>}
      {relay.switches_last_hour !== undefined && <span>switched {relay.switches_last_hour} × in the last hour</span>}
    </p>
  );
}

function RelayRow({ relay }: { relay: Relay }) {
  const status = position_status(relay);
  const hindrance = hindrance_text(relay, left_s("modes", relay.hindered_s));
  const is_held_back = relay.requested !== undefined && relay.requested !== position_of(relay);
  const id = `relay-${relay.name}`;
  const left = left_s("modes", relay.manual?.left_s);
  return (
    <li class="relay" aria-labelledby={id} data-relay={relay.name}>
      <div class="relay-head">
        <h3 id={id}>{relay_title(relay.name, relay.title)}</h3>
        <Pill tone={status.tone}>{status.title}</Pill>
        {is_held_back && <span class="relay-requested">requested: {relay.requested}</span>}
      </div>
      <div class="relay-why">
        <p>
          {relay.holder !== "default" && (
            <>
              <strong>{holder_title(relay.holder, relay.holder_title)}</strong>
              {": "}
            </>
          )}
          {relay.reason_text ?? humanise(relay.reason)}
        </p>
        {relay.error && <Note tone="bad">{relay.error}</Note>}
        {relay.mismatch && <Note tone="bad">{status.text}</Note>}
        {hindrance && <Note tone="warn">{hindrance}</Note>}
        {relay.manual && (
          <p class="hint">
            Ordered {relay.manual.position}
            {left !== undefined && `, ${duration(left)} left`}
          </p>
        )}
        <RelayFacts relay={relay} />
        <Asks relay={relay} />
      </div>
      <Order relay={relay} />
    </li>
  );
}

export function RelaysCard() {
  const relays = state.value.modes?.relays ?? [];
  return (
    <Card
      title="Relays"
      id="relays-title"
      class="relays-card"
      is_stale={is_group_stale("modes")}
      age_ms={group_age_ms("modes")}
    >
      {relays.length === 0 ? (
        <p class="empty">The box has not told of its relays yet.</p>
      ) : (
        <ul class="relays">
          {relays.map((relay) => (
            <RelayRow key={relay.name} relay={relay} />
          ))}
        </ul>
      )}
    </Card>
  );
}
