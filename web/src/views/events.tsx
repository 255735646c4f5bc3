// SPDX-License-Identifier: Apache-2.0
// The box's log: newest first, filtered by level, source and words, growing live at its top and by request at its end.
import { signal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";
import { ApiError, type EventFilter, fetch_events } from "../api/client";
import { type BoxEvent, type EventLevel, kEventLevels, kEventSources } from "../api/types";
import { humanise, long_date, time_of_day } from "../lib/format";
import { describe_source, type Tone } from "../lib/words";
import { is_connected, is_pack, live_events, state } from "../state/store";
import { Card, Failure, Loading, Pill } from "./parts/card";

const kPageSize = 100;
const kTypingPauseMs = 250;

const level = signal<EventLevel | "">("");
const source = signal("");
const words = signal("");
const events = signal<BoxEvent[] | undefined>(undefined);
const next_before = signal<number | undefined>(undefined);
const failure = signal<string | undefined>(undefined);
let newest_request = 0;

const kLevelTone: Record<EventLevel, Tone> = { info: "neutral", notice: "busy", warning: "warn", error: "bad" };
const kLevelChoice: Record<EventLevel, string> = {
  info: "All levels",
  notice: "Notice or worse",
  warning: "Warning or worse",
  error: "Errors only",
};

export function does_match(event: BoxEvent, least: EventLevel | "", from: string, text: string): boolean {
  if (least !== "" && kEventLevels.indexOf(event.level) < kEventLevels.indexOf(least)) return false;
  if (from !== "" && event.source !== from) return false;
  const wanted = text.trim().toLowerCase();
  return wanted === "" || `${event.text} ${event.code}`.toLowerCase().includes(wanted);
}

function filter_of(before?: number): EventFilter {
  const filter: EventFilter = { limit: kPageSize, level: level.value, source: source.value, q: words.value.trim() };
  if (before !== undefined) filter.before = before;
  return filter;
}

async function load(before?: number): Promise<void> {
  newest_request += 1;
  const mine = newest_request;
  try {
    const page = await fetch_events(filter_of(before));
    if (mine !== newest_request) return; // the filter changed meanwhile
    events.value = before === undefined ? page.events : [...(events.value ?? []), ...page.events];
    next_before.value = page.events.length > 0 ? page.next_before : undefined;
    failure.value = undefined;
  } catch (error) {
    if (mine === newest_request)
      failure.value = error instanceof ApiError ? error.message : "The events could not be read.";
  }
}

// Live events that the fetched list does not have yet, before it.
function all_events(): BoxEvent[] {
  const fetched = events.value ?? [];
  const known = new Set(fetched.map((event) => event.id));
  const fresh = live_events.value.filter(
    (event) => !known.has(event.id) && does_match(event, level.value, source.value, words.value),
  );
  return [...fresh, ...fetched].sort((a, b) => b.id - a.id);
}

// Sources that only some boxes have.
const kPackSources = ["energy", "packnet", "pack"];
function has_source(name: string): boolean {
  if (name === "link") return state.value.link !== undefined;
  return is_pack.value || !kPackSources.includes(name);
}

let typing_timer: number | undefined;
function handle_words(text: string): void {
  words.value = text;
  window.clearTimeout(typing_timer);
  typing_timer = window.setTimeout(() => void load(), kTypingPauseMs);
}

function Filters() {
  return (
    <search>
      <form class="filters" aria-label="Filter events" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>Level</span>
          <select
            value={level.value}
            onChange={(event) => {
              level.value = event.currentTarget.value as EventLevel | "";
              void load();
            }}
          >
            {kEventLevels.map((name) => (
              <option key={name} value={name === "info" ? "" : name}>
                {kLevelChoice[name]}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Source</span>
          <select
            value={source.value}
            onChange={(event) => {
              source.value = event.currentTarget.value;
              void load();
            }}
          >
            <option value="">All sources</option>
            {kEventSources.filter(has_source).map((name) => (
              <option key={name} value={name}>
                {describe_source(name)}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          <span>Words</span>
          <input
            type="search"
            value={words.value}
            placeholder="for example: limit"
            onInput={(event) => handle_words(event.currentTarget.value)}
          />
        </label>
      </form>
    </search>
  );
}

function text_of(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function EventRow({ event }: { event: BoxEvent }) {
  const details = Object.entries(event.data ?? {});
  return (
    <li class="event" data-level={event.level}>
      <time class="event-time" dateTime={event.time}>
        {time_of_day(event.time)}
      </time>
      <Pill tone={kLevelTone[event.level] ?? "neutral"}>{humanise(event.level)}</Pill>
      <span class="event-source">{describe_source(event.source)}</span>
      <div class="event-text">
        <p>{event.text}</p>
        {details.length > 0 && (
          <details>
            <summary>Details</summary>
            <dl class="event-data">
              <dt>Code</dt>
              <dd>{event.code}</dd>
              {details.map(([key, value]) => (
                <Fragment key={key}>
                  <dt>{humanise(key)}</dt>
                  <dd>{text_of(value)}</dd>
                </Fragment>
              ))}
            </dl>
          </details>
        )}
      </div>
    </li>
  );
}

function days_of(list: BoxEvent[]): [string, BoxEvent[]][] {
  const days = new Map<string, BoxEvent[]>();
  for (const event of list) {
    const day = long_date(event.time);
    days.set(day, [...(days.get(day) ?? []), event]);
  }
  return [...days];
}

function EventList() {
  const list = all_events();
  if (list.length === 0) return <p class="empty">No event matches.</p>;
  return (
    <>
      {days_of(list).map(([day, of_day]) => (
        <section key={day} class="event-day" aria-label={day}>
          <h3>{day}</h3>
          <ul class="events">
            {of_day.map((event) => (
              <EventRow key={event.id} event={event} />
            ))}
          </ul>
        </section>
      ))}
      {next_before.value !== undefined && (
        <button type="button" class="button wide" onClick={() => void load(next_before.value)}>
          Show older events
        </button>
      )}
    </>
  );
}

export function EventsPage() {
  const connected = is_connected.value;
  useEffect(() => {
    if (connected) void load();
  }, [connected]);
  return (
    <Card title="Events" id="events-title" class="events-card">
      <Filters />
      {failure.value && <Failure message={failure.value} on_retry={() => void load()} />}
      {events.value || live_events.value.length > 0 ? (
        <EventList />
      ) : (
        !failure.value && (
          <Loading what={connected ? "Reading the events." : "The log is kept on the box, which does not answer."} />
        )
      )}
    </Card>
  );
}
