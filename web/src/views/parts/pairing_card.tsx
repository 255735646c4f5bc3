// SPDX-License-Identifier: Apache-2.0
// Pairing: the transmitter shows a code of six digits, a person enters it at the receiver. The code comes only in the answer
// to the one who asked for it and is kept nowhere; a page that was reloaded meanwhile asks for a new one.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, enter_pairing_code, show_pairing_code } from "../../api/client";
import type { Link, Pairing } from "../../api/types";
import { duration } from "../../lib/format";
import { describe_pairing_failure } from "../../lib/link_words";
import { can_write, group_age_ms, is_group_stale, page_now, running_s } from "../../state/store";
import { Card, Note } from "./card";

const kCodeDigits = 6;

const code = signal<{ text: string; until: number } | undefined>(undefined);
const typed = signal("");
const problem = signal<string | undefined>(undefined); // at the input
const failure = signal<string | undefined>(undefined); // of a request
const is_busy = signal(false);
// An outcome stays in the box's state; it is news only after this page has seen the pairing under way.
const was_under_way = signal(false);

const message_of = (error: unknown) =>
  error instanceof ApiError ? error.message : "Something unexpected happened in this page.";

async function show_code(): Promise<void> {
  is_busy.value = true;
  failure.value = undefined;
  try {
    const answer = await show_pairing_code();
    code.value = { text: answer.code, until: Date.now() + answer.expires_s * 1000 };
    was_under_way.value = true;
  } catch (error) {
    failure.value = message_of(error);
  } finally {
    is_busy.value = false;
  }
}

const digits_of = (text: string) => text.replaceAll(/[\s-]/g, "");

async function enter_code(): Promise<void> {
  const digits = digits_of(typed.value);
  if (!/^\d+$/.test(digits) || digits.length !== kCodeDigits) {
    problem.value = `The code has ${kCodeDigits} digits.`;
    return;
  }
  is_busy.value = true;
  problem.value = undefined;
  failure.value = undefined;
  try {
    await enter_pairing_code(digits);
    typed.value = "";
    was_under_way.value = true;
  } catch (error) {
    if (error instanceof ApiError && error.problem.field?.endsWith("code")) problem.value = error.message;
    else failure.value = message_of(error);
  } finally {
    is_busy.value = false;
  }
}

const tries_text = (tries: number | undefined) =>
  tries === undefined || tries === 0 ? "" : ` ${tries} ${tries === 1 ? "try is" : "tries are"} left.`;

function Outcome({ pairing }: { pairing: Pairing | undefined }) {
  const tries = pairing?.tries_left;
  return (
    <div role="status" class="pairing-outcome">
      {failure.value && <Note tone="bad">{failure.value}</Note>}
      {!failure.value && pairing?.state === "exchanging" && (
        <Note tone="neutral">The boxes are agreeing on a key. This takes a few seconds.</Note>
      )}
      {!failure.value && pairing?.state === "done" && was_under_way.value && (
        <Note tone="good">Paired. From now on everything between the two boxes is sealed.</Note>
      )}
      {!failure.value && pairing?.state === "showing" && pairing.reason === "wrong_code" && (
        <Note tone="warn">A wrong code was entered at the other box.{tries_text(tries)}</Note>
      )}
      {!failure.value && pairing?.state === "failed" && (
        <Note tone="bad">
          {describe_pairing_failure(pairing.reason)}
          {tries_text(tries)}
        </Note>
      )}
    </div>
  );
}

const kSteps = ["Code entered", "Keys exchanged", "Paired"];

function Progress({ state }: { state: string }) {
  const reached = state === "done" ? 3 : state === "exchanging" ? 1 : 0;
  return (
    <ol class="pairing-steps" aria-label="Progress">
      {kSteps.map((title, index) => (
        <li
          key={title}
          data-step={index < reached ? "done" : index === reached ? "now" : "later"}
          aria-current={index === reached ? "step" : undefined}
        >
          {title}
          <span class="sr-only">{index < reached ? ", done" : index === reached ? ", under way" : ""}</span>
        </li>
      ))}
    </ol>
  );
}

function CodeFigure({ text, left_s }: { text: string; left_s: number }) {
  const spoken = text.split("").join(" ");
  return (
    <div class="code-box">
      <p class="code-hint">Enter this code at the receiver, on its Network page:</p>
      <p class="code" role="img" aria-label={`Code: ${spoken}`}>
        <span>{text.slice(0, 3)}</span>
        <span>{text.slice(3)}</span>
      </p>
      <p class="code-left">
        Valid for <strong>{duration(left_s)}</strong>
      </p>
    </div>
  );
}

function ShowCode({ pairing }: { pairing: Pairing | undefined }) {
  const own = code.value;
  const is_showing = pairing?.state === "showing";
  const left_s = own === undefined ? 0 : Math.max(0, Math.ceil((own.until - page_now.value) / 1000));
  // A wrong code may leave tries: then the same code goes on.
  const has_failed = pairing?.state === "failed" && (pairing.tries_left ?? 0) === 0;
  const is_over = pairing?.state === "exchanging" || pairing?.state === "done" || has_failed;
  // The box's word counts: a code that was used, refused too often or replaced elsewhere is not shown any longer.
  const was_showing = useRef(false);
  useEffect(() => {
    if (is_showing) was_showing.current = true;
    else if (was_showing.current && is_over) {
      was_showing.current = false;
      code.value = undefined;
    }
  }, [is_showing, is_over]);
  const is_own = own !== undefined && left_s > 0;
  return (
    <>
      {is_own && <CodeFigure text={own.text} left_s={left_s} />}
      {own !== undefined && left_s === 0 && <Note tone="warn">{describe_pairing_failure("expired")}</Note>}
      {!is_own && is_showing && (
        <Note tone="neutral">
          A code is shown in another browser, valid for {duration(left_of(pairing))}. A new one replaces it.
        </Note>
      )}
      <button
        type="button"
        class="button primary"
        disabled={!can_write.value || is_busy.value}
        onClick={() => void show_code()}
      >
        {is_own || is_showing ? "Show a new code" : "Pair a receiver"}
      </button>
    </>
  );
}

// What is left of a code by the box's count, continued by this page's clock.
function left_of(pairing: Pairing | undefined): number | undefined {
  const passed = running_s("link", 0);
  if (pairing?.expires_s === undefined || passed === undefined) return undefined;
  return Math.max(0, pairing.expires_s - passed);
}

function EnterCode({ pairing }: { pairing: Pairing | undefined }) {
  const is_exchanging = pairing?.state === "exchanging";
  const is_disabled = !can_write.value || is_busy.value || is_exchanging;
  return (
    <>
      <form
        class="code-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!is_disabled) void enter_code();
        }}
      >
        <label for="pairing-code">Code shown by the transmitter</label>
        <div class="code-entry">
          <input
            id="pairing-code"
            type="text"
            inputMode="numeric"
            autocomplete="one-time-code"
            maxLength={kCodeDigits + 2}
            value={typed.value}
            disabled={is_disabled}
            aria-invalid={problem.value !== undefined}
            aria-describedby="pairing-code-problem"
            onInput={(event) => {
              typed.value = event.currentTarget.value;
              problem.value = undefined;
            }}
          />
          <button type="submit" class="button primary" disabled={is_disabled}>
            {is_exchanging ? "Pairing" : "Pair"}
          </button>
        </div>
        <p class="field-error" id="pairing-code-problem" aria-live="polite">
          {problem.value}
        </p>
      </form>
      {(is_exchanging || (pairing?.state === "done" && was_under_way.value)) && (
        <Progress state={pairing?.state ?? ""} />
      )}
    </>
  );
}

export function PairingCard({ link }: { link: Link }) {
  const { pairing } = link;
  const is_transmitter = link.role === "transmitter";
  useEffect(() => {
    if (pairing?.state === "exchanging") was_under_way.value = true;
  }, [pairing?.state]);
  return (
    <Card
      title="Pairing"
      id="pairing-title"
      class="pairing-card"
      is_stale={is_group_stale("link")}
      age_ms={group_age_ms("link")}
    >
      <p class="hint">
        {is_transmitter
          ? "Pairing gives two boxes a common key. It is done once; afterwards nobody else can listen or interfere."
          : "Open the transmitter's page, choose “Pair a receiver” under Network, and enter here the code that it shows."}
      </p>
      {is_transmitter ? <ShowCode pairing={pairing} /> : <EnterCode pairing={pairing} />}
      <Outcome pairing={pairing} />
    </Card>
  );
}
