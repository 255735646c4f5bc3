// SPDX-License-Identifier: Apache-2.0
// The pieces every page is made of: cards that grey out when what they show is old, values that are a dash with a reason
// while unknown, status lines, and tables behind charts.
import type { ComponentChildren } from "preact";
import { age as age_text, kUnknown } from "../../lib/format";
import type { Tone } from "../../lib/words";
import { AlertIcon, CheckIcon, ClockIcon, InfoIcon } from "./icons";

// of_peer: the value was received from another box, which may be away while this one answers.
export function StaleBadge({ age_ms, of_peer }: { age_ms: number | undefined; of_peer?: boolean }) {
  return (
    <span class="stale-badge">
      <ClockIcon />
      {of_peer
        ? `last known, ${age_ms === undefined ? "long" : age_text(age_ms)} ago`
        : age_ms === undefined
          ? "old"
          : `${age_text(age_ms)} old`}
    </span>
  );
}

interface CardProps {
  title: string;
  id: string;
  class?: string;
  is_stale?: boolean;
  age_ms?: number | undefined;
  of_peer?: boolean;
  level?: 2 | 3; // of the heading
  aside?: ComponentChildren;
  children: ComponentChildren;
}

export function Card({ title, id, class: extra, is_stale, age_ms, of_peer, level, aside, children }: CardProps) {
  const Heading = level === 3 ? "h3" : "h2";
  return (
    <section class={`card ${extra ?? ""}`} aria-labelledby={id} data-stale={is_stale ? "" : undefined}>
      <header class="card-head">
        <Heading id={id}>{title}</Heading>
        <div class="card-aside">
          {is_stale && <StaleBadge age_ms={age_ms} of_peer={of_peer ?? false} />}
          {aside}
        </div>
      </header>
      {children}
    </section>
  );
}

// A dash that says why: on hover, and to a screen reader.
export function Unknown({ why }: { why: string }) {
  return (
    <span class="unknown" title={why}>
      <span aria-hidden="true">{kUnknown}</span>
      <span class="sr-only">unknown: {why}</span>
    </span>
  );
}

interface ValueProps {
  text: string;
  unit?: string;
  why: string; // why it would be unknown
}

export function Value({ text, unit, why }: ValueProps) {
  if (text === kUnknown) return <Unknown why={why} />;
  return (
    <span class="value">
      {text}
      {unit !== undefined && unit !== "" && <span class="unit">{`\u202f${unit}`}</span>}
    </span>
  );
}

export function Fact({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const kToneIcon: Record<Tone, () => ComponentChildren> = {
  good: CheckIcon,
  busy: ClockIcon,
  warn: AlertIcon,
  bad: AlertIcon,
  neutral: InfoIcon,
};

export function Pill({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  const ToneIcon = kToneIcon[tone];
  return (
    <span class="pill" data-tone={tone}>
      <ToneIcon />
      {children}
    </span>
  );
}

export function Note({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  const ToneIcon = kToneIcon[tone];
  return (
    <p class="note" data-tone={tone}>
      <ToneIcon />
      <span>{children}</span>
    </p>
  );
}

// The numbers behind a chart, for those who cannot or do not want to read a picture.
export function TableBehind({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <details class="table-behind">
      <summary>{label}</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled area must be reachable by keyboard */}
      <section class="table-scroll" tabIndex={0} aria-label={label}>
        {children}
      </section>
    </details>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      {what}
    </p>
  );
}

export function Failure({ message, on_retry }: { message: string; on_retry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <Note tone="bad">{message}</Note>
      {on_retry && (
        <button type="button" class="button" onClick={on_retry}>
          Try again
        </button>
      )}
    </div>
  );
}
