// SPDX-License-Identifier: Apache-2.0
// The modes of a pack: switches with their settings, the windows of time, the order of shedding, the counter of the import
// limit, and the relays that all of these ask for. Settings are shared by all packs on the bus. Nothing changes by one tap:
// the second stands under a sentence that says what will happen.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, reset_grid_energy, write_section } from "../api/client";
import { kModeNames, type ModeName } from "../api/pack_types";
import type { BoxField, SectionScope, StateSection } from "../api/types";
import { format_number } from "../lib/format";
import {
  kModeRules,
  type ModeTexts,
  mode_consequence,
  mode_title,
  pack_clock_text,
  reach_text,
} from "../lib/pack_words";
import { describe_window, parse_window, type Window } from "../lib/window";
import {
  changed_elsewhere,
  expect_version,
  load_sections,
  scopes,
  section_key,
  sections_failure,
  watch_sections,
} from "../state/sections";
import { can_write, group_age_ms, is_connected, is_group_stale, state } from "../state/store";
import { mode_warnings } from "./parts/alarms";
import { Card, Failure, Loading, Note, Pill } from "./parts/card";
import { Dialog } from "./parts/dialog";
import { RelaysCard } from "./parts/relay_card";
import { SafetyBanner } from "./parts/safety_banner";
import { field_text, SectionForm } from "./parts/section_form";
import { ShedCard } from "./parts/shed_card";
import { WeekChart } from "./parts/week_chart";
import { WriteNote } from "./settings";

const kScope = "own";
const kFieldsOfMode: Record<ModeName, string[]> = {
  self_consumption: ["soc_low_percent", "soc_high_percent"],
  eco: ["eco_limit_w", "eco_falls_back"],
  time_of_use: [],
  backup: [],
  import_limit: ["import_limit_kwh", "import_reset_minute"],
};
const kFloorFields = ["soc_minimum_percent", "soc_minimum_release_percent"];

type Question = { kind: "mode"; mode: ModeName; on: boolean } | { kind: "reset" };
const question = signal<Question | undefined>(undefined);
const is_busy = signal(false);
const failure = signal<string | undefined>(undefined);

const own_scope = (): SectionScope | undefined => scopes.value?.find((scope) => scope.scope === kScope);
const section_of = (name: string): StateSection | undefined =>
  own_scope()?.sections.find((section) => section.name === name);
const field_of = (section: StateSection | undefined, name: string): BoxField | undefined =>
  section?.fields.find((field) => field.name === name);
const with_fields = (section: StateSection, names: string[]): StateSection => ({
  ...section,
  fields: names.flatMap((name) => field_of(section, name) ?? []),
});
const pack_count = () => state.value.packs?.nodes?.filter((node) => node.type !== "linux-gateway").length;
const is_editable = () => can_write.value && own_scope()?.editable !== false;

async function save(section: string, values: Record<string, unknown>): Promise<string> {
  const answer = await write_section(kScope, section, values);
  expect_version(kScope, section, answer.version);
  await load_sections();
  return "Saved, and in force.";
}

function windows_of(fields: BoxField[] | undefined): Window[] {
  const windows = (fields ?? []).flatMap((field) => parse_window(String(field.value ?? "")) ?? []);
  return windows.filter((window) => window.days.includes(true));
}

function texts_of(fields: BoxField[] | undefined): ModeTexts {
  const text = (name: string) => {
    const field = fields?.find((entry) => entry.name === name);
    return field === undefined ? "its threshold" : field_text(field);
  };
  return {
    soc_low: text("soc_low_percent"),
    soc_high: text("soc_high_percent"),
    eco_limit: text("eco_limit_w"),
    import_limit: text("import_limit_kwh"),
    import_reset: text("import_reset_minute"),
    windows: windows_of(section_of("schedule")?.fields).map(describe_window),
  };
}

// What is set; while the sections are not read yet, what the modes report.
function is_on(mode: ModeName): boolean {
  const set = field_of(section_of("modes"), mode)?.value;
  return typeof set === "boolean" ? set : (state.value.modes?.enabled?.includes(mode) ?? false);
}

function ModeState({ mode }: { mode: ModeName }) {
  const { modes } = state.value;
  if (!modes) return null;
  if (modes.running?.includes(mode)) return <Pill tone="good">Running</Pill>;
  if (modes.enabled?.includes(mode)) return <Pill tone="warn">On, waits</Pill>;
  return is_on(mode) ? <Pill tone="busy">Set, not in force yet</Pill> : null;
}

function ModeRow({ mode, section }: { mode: ModeName; section: StateSection }) {
  const on = is_on(mode);
  const fields = kFieldsOfMode[mode];
  return (
    <li class="mode" data-mode={mode} data-on={on ? "" : undefined}>
      <div class="mode-head">
        <div>
          <label for={`mode-${mode}`}>{mode_title(mode)}</label>
          <p class="help">{kModeRules[mode]}</p>
        </div>
        <ModeState mode={mode} />
        <input
          id={`mode-${mode}`}
          class="switch"
          type="checkbox"
          role="switch"
          aria-checked={on}
          checked={on}
          disabled={!is_editable()}
          onClick={(event) => {
            // The question decides, not the tap: the switch shows what is in force.
            event.preventDefault();
            failure.value = undefined;
            question.value = { kind: "mode", mode, on: !on };
          }}
        />
      </div>
      {fields.length > 0 && (
        <details class="mode-more">
          <summary>
            {with_fields(section, fields)
              .fields.map((field) => `${field.title}: ${field_text(field)}`)
              .join(" · ")}
          </summary>
          <SectionForm
            id={`modes-${mode}`}
            section={{ ...with_fields(section, fields), title: mode_title(mode).toLowerCase() }}
            can_edit={is_editable()}
            on_save={(values) => save("modes", values)}
            preview={(edited) =>
              [mode_consequence(mode, true, texts_of(edited)), reach_text(pack_count())].filter(Boolean).join(" ")
            }
          />
        </details>
      )}
    </li>
  );
}

function ModesCard({ section }: { section: StateSection }) {
  return (
    <Card
      title="Modes"
      id="modes-title"
      class="modes-card"
      is_stale={is_group_stale("modes")}
      age_ms={group_age_ms("modes")}
      aside={state.value.packs?.settings?.synchronised === false && <Pill tone="busy">Not at all packs yet</Pill>}
    >
      {mode_warnings.value.map((text) => (
        <Note key={text} tone="warn">
          {text}
        </Note>
      ))}
      <ul class="modes">
        {kModeNames.map((mode) => (
          <ModeRow key={mode} mode={mode} section={section} />
        ))}
      </ul>
      <div role="status">
        {changed_elsewhere.value[section_key(kScope, "modes")] && (
          <Note tone="neutral">{changed_elsewhere.value[section_key(kScope, "modes")]}</Note>
        )}
      </div>
    </Card>
  );
}

function ImportCard() {
  const { modes } = state.value;
  const counted = modes?.import?.counted_kwh;
  const limit = modes?.import?.limit_kwh;
  const is_used = modes?.import?.exhausted === true;
  const part = counted === undefined || limit === undefined || limit <= 0 ? 0 : Math.min(100, (counted / limit) * 100);
  const tone = is_used ? "bad" : part > 80 ? "warn" : "good";
  return (
    <Card
      title="Taken from the grid"
      id="import-title"
      class="import-card"
      is_stale={is_group_stale("modes")}
      age_ms={group_age_ms("modes")}
      aside={is_used && <Pill tone="bad">Used up</Pill>}
    >
      {counted === undefined ? (
        <p class="empty">Not counted: power from the grid is not measured.</p>
      ) : (
        <div class="fill" data-tone={tone}>
          <div class="fill-bar">
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              <rect class="fill-level" width={part} height="10" />
            </svg>
          </div>
          <p>
            <strong>{format_number(counted, 2)}</strong> of {format_number(limit, 1)} kWh
            {!modes?.enabled?.includes("import_limit") && "; the limit is off"}
          </p>
        </div>
      )}
      {is_used && (
        <Note tone="warn">
          The grid stays open
          {modes?.import?.until ? ` until ${pack_clock_text(modes.import.until, modes.local_time)}` : ""}, whatever else
          asks for it.
        </Note>
      )}
      <div class="section-actions">
        <button
          type="button"
          class="button small"
          disabled={!can_write.value || counted === undefined}
          onClick={() => {
            failure.value = undefined;
            question.value = { kind: "reset" };
          }}
        >
          Count from zero
        </button>
      </div>
    </Card>
  );
}

function FloorCard({ section }: { section: StateSection }) {
  return (
    <Card title="Lowest charge" id="floor-title" class="setting-card floor-card">
      <SectionForm
        id="modes-floor"
        section={{ ...with_fields(section, kFloorFields), title: "lowest charge" }}
        can_edit={is_editable()}
        on_save={(values) => save("modes", values)}
        preview={() => `The minimum holds at once. ${reach_text(pack_count())}`.trim()}
      />
    </Card>
  );
}

function WindowsCard({ section }: { section: StateSection }) {
  const note = changed_elsewhere.value[section_key(kScope, "schedule")];
  const local_time = state.value.modes?.local_time;
  const describe = (fields: BoxField[]) => windows_of(fields).map(describe_window).join("; ") || "no window";
  return (
    <Card
      title="Hours of the inverter output"
      id="windows-title"
      class="setting-card windows-card"
      aside={!is_on("time_of_use") && <Pill tone="neutral">Time of use is off</Pill>}
    >
      <p class="section-help">
        While time of use is on: on inside these hours, off at all other times.
        {local_time !== undefined && ` The pack's clock shows ${pack_clock_text(local_time, local_time)}.`}
        {state.value.modes?.time_known === false && " The pack does not know the time yet; until then it is on."}
      </p>
      <SectionForm
        id="modes-schedule"
        section={{ ...section, title: "hours" }}
        can_edit={is_editable()}
        on_save={(values) => save("schedule", values)}
        note={note}
        preview={(fields) =>
          [
            is_on("time_of_use")
              ? mode_consequence("time_of_use", true, {
                  ...texts_of(undefined),
                  windows: windows_of(fields).map(describe_window),
                })
              : "Kept for when time of use is switched on.",
            reach_text(pack_count()),
          ]
            .filter(Boolean)
            .join(" ")
        }
        picture={(fields) =>
          windows_of(fields).length > 0 && (
            <WeekChart windows={windows_of(fields)} label={`The inverter output is on: ${describe(fields)}`} />
          )
        }
      />
    </Card>
  );
}

async function carry_out(asked: Question): Promise<void> {
  is_busy.value = true;
  try {
    if (asked.kind === "reset") await reset_grid_energy();
    else await save("modes", { [asked.mode]: asked.on });
    failure.value = undefined;
  } catch (error) {
    const text = error instanceof ApiError ? error.message : "Something unexpected happened in this page.";
    failure.value = `Nothing was changed: ${text}`;
  } finally {
    is_busy.value = false;
    question.value = undefined;
  }
}

function QuestionDialog({ asked }: { asked: Question }) {
  const is_safe_state = (state.value.modes?.safety ?? []).length > 0;
  const title =
    asked.kind === "reset"
      ? "Count from zero?"
      : `Switch ${mode_title(asked.mode).toLowerCase()} ${asked.on ? "on" : "off"}?`;
  return (
    <Dialog
      title={title}
      action={asked.kind === "reset" ? "Count from zero" : asked.on ? "Switch on" : "Switch off"}
      is_busy={is_busy.value}
      on_confirm={() => void carry_out(asked)}
      on_close={() => {
        question.value = undefined;
      }}
    >
      {asked.kind === "reset" ? (
        <p>The energy counted so far is forgotten. If the limit was used up, the grid may be used again at once.</p>
      ) : (
        <>
          <p>{mode_consequence(asked.mode, asked.on, texts_of(section_of("modes")?.fields))}</p>
          {is_safe_state && <p>Safety holds the relays now; the modes decide again when it has ended.</p>}
          <p>{reach_text(pack_count())}</p>
        </>
      )}
    </Dialog>
  );
}

export function ModesPage() {
  useEffect(() => watch_sections(), []);
  const modes = section_of("modes");
  const schedule = section_of("schedule");
  const loads = section_of("loads");
  const fitted = (state.value.modes?.relays ?? []).map((relay) => relay.name);
  return (
    <div class="modes-page">
      <div class="modes-top">
        <SafetyBanner />
        <WriteNote />
        {failure.value && <Failure message={failure.value} />}
        {sections_failure.value && is_connected.value && (
          <Failure message={sections_failure.value} on_retry={() => void load_sections()} />
        )}
      </div>
      <div class="stack">
        {modes ? (
          <ModesCard section={modes} />
        ) : (
          !sections_failure.value && (
            <Loading what={is_connected.value ? "Reading the settings." : "The settings are kept on the box."} />
          )
        )}
      </div>
      <div class="stack">
        <ImportCard />
        {modes && <FloorCard section={modes} />}
      </div>
      <RelaysCard />
      {schedule && <WindowsCard section={schedule} />}
      {loads && <ShedCard section={loads} fitted={fitted} on_save={(values) => save("loads", values)} />}
      {question.value && <QuestionDialog asked={question.value} />}
    </div>
  );
}
