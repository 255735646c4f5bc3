// SPDX-License-Identifier: Apache-2.0
// The settings of this box, one form for each section. A section is saved as a whole: the box takes all of it or nothing.
// Secrets can be set, never read: the page only knows whether one is stored.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, fetch_box_settings, write_box_settings } from "../api/client";
import type { BoxField, BoxSection } from "../api/types";
import { parse_number, range_text, to_input } from "../lib/setting_input";
import { can_write, is_connected } from "../state/store";
import { Card, Failure, Loading, Note } from "./parts/card";
import {
  ChoiceInput,
  NumberInput,
  type Outcome,
  SecretInput,
  SettingRow,
  SwitchInput,
  TextInput,
} from "./parts/setting_row";

type Draft = string | boolean;

const sections = signal<BoxSection[] | undefined>(undefined);
const failure = signal<string | undefined>(undefined);
const drafts = signal<Record<string, Draft>>({}); // by "section.field"
const refusals = signal<Record<string, string>>({}); // by "section.field", as the box said
const outcomes = signal<Record<string, Outcome>>({}); // by section
const busy_section = signal<string | undefined>(undefined);

const key_of = (section: BoxSection, field: BoxField) => `${section.name}.${field.name}`;

async function load(): Promise<void> {
  try {
    sections.value = (await fetch_box_settings()).sections;
    failure.value = undefined;
  } catch (error) {
    failure.value = error instanceof ApiError ? error.message : "The settings could not be read.";
  }
}

function stored_draft(field: BoxField): Draft {
  if (field.kind === "bool") return field.value === true;
  if (field.kind === "number") return to_input(typeof field.value === "number" ? field.value : undefined, field.step);
  return field.kind === "secret" || field.value === undefined ? "" : String(field.value);
}

// The value to send for a draft, or why it cannot be sent.
function value_of(field: BoxField, draft: Draft): { value: unknown } | { error: string } {
  if (field.kind === "number") return parse_number(String(draft), field);
  if (field.kind === "choice") {
    return { value: field.choices?.find((choice) => String(choice.value) === draft)?.value ?? draft };
  }
  return { value: draft };
}

function set_draft(section: BoxSection, field: BoxField, draft: Draft): void {
  const key = key_of(section, field);
  const next = { ...drafts.value, [key]: draft };
  if (draft === stored_draft(field)) delete next[key];
  drafts.value = next;
  const { [key]: _refusal, ...others } = refusals.value;
  refusals.value = others;
  const { [section.name]: _outcome, ...rest } = outcomes.value;
  outcomes.value = rest;
}

const changed_fields = (section: BoxSection) =>
  section.fields.filter((field) => key_of(section, field) in drafts.value);

function error_of(section: BoxSection, field: BoxField): string | undefined {
  const key = key_of(section, field);
  const draft = drafts.value[key];
  if (draft === undefined) return undefined;
  const checked = value_of(field, draft);
  return "error" in checked ? checked.error : refusals.value[key];
}

function forget_drafts(section: BoxSection): void {
  const next = { ...drafts.value };
  for (const field of section.fields) delete next[key_of(section, field)];
  drafts.value = next;
}

// "values.charge_current_max_a" or "charge_current_max_a": the last part names the field.
function refuse(section: BoxSection, error: ApiError): void {
  const name = error.problem.field?.split(".").at(-1);
  const field = section.fields.find((entry) => entry.name === name);
  if (field) refusals.value = { ...refusals.value, [key_of(section, field)]: error.message };
  const text = field ? "Nothing was saved: see the marked field." : `Nothing was saved: ${error.message}`;
  outcomes.value = { ...outcomes.value, [section.name]: { is_good: false, text } };
}

async function save(section: BoxSection): Promise<void> {
  const values: Record<string, unknown> = {};
  for (const field of changed_fields(section)) {
    const checked = value_of(field, drafts.value[key_of(section, field)] ?? "");
    if ("value" in checked) values[field.name] = checked.value;
  }
  busy_section.value = section.name;
  try {
    const answer = await write_box_settings(section.name, values);
    forget_drafts(section);
    const text = answer.restart_needed ? "Saved. In force after the next start of the box." : "Saved, and in force.";
    outcomes.value = { ...outcomes.value, [section.name]: { is_good: true, text } };
    await load();
  } catch (error) {
    if (error instanceof ApiError) refuse(section, error);
  } finally {
    busy_section.value = undefined;
  }
}

function FieldRow({ section, field }: { section: BoxSection; field: BoxField }) {
  const id = `box-${section.name}-${field.name}`;
  const draft = drafts.value[key_of(section, field)];
  const error = error_of(section, field);
  const shown = draft ?? stored_draft(field);
  const is_disabled = !can_write.value || busy_section.value === section.name;
  const on_input = (next: Draft) => set_draft(section, field, next);
  const common = { id, is_disabled, is_invalid: error !== undefined, on_input, value: String(shown) };
  const is_stored = field.kind === "secret" && field.is_set === true;
  return (
    <SettingRow
      id={id}
      title={field.title}
      help={field.help}
      allowed={field.kind === "number" ? range_text(field) : is_stored ? "one is stored; it is never shown" : ""}
      is_changed={draft !== undefined}
      error={error}
    >
      {field.kind === "number" && <NumberInput {...common} unit={field.unit} />}
      {field.kind === "text" && <TextInput {...common} />}
      {field.kind === "secret" && <SecretInput {...common} placeholder={is_stored ? "unchanged" : "none"} />}
      {field.kind === "choice" && <ChoiceInput {...common} choices={field.choices ?? []} />}
      {field.kind === "bool" && (
        <SwitchInput id={id} is_on={shown === true} is_disabled={is_disabled} on_input={on_input} />
      )}
    </SettingRow>
  );
}

function SectionCard({ section }: { section: BoxSection }) {
  const changed = changed_fields(section);
  const has_error = changed.some((field) => {
    const checked = value_of(field, drafts.value[key_of(section, field)] ?? "");
    return "error" in checked;
  });
  const outcome = outcomes.value[section.name];
  return (
    <Card title={section.title} id={`section-${section.name}`} class="setting-card">
      {section.help && <p class="section-help">{section.help}</p>}
      {section.restart_needed && <Note tone="neutral">Saved changes are waiting for the next start of the box.</Note>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (changed.length > 0 && !has_error) void save(section);
        }}
      >
        {section.fields.map((field) => (
          <FieldRow key={field.name} section={section} field={field} />
        ))}
        <div class="section-actions">
          <div role="status">{outcome && <Note tone={outcome.is_good ? "good" : "bad"}>{outcome.text}</Note>}</div>
          {changed.length > 0 && (
            <>
              <button type="button" class="button" onClick={() => forget_drafts(section)}>
                Discard
              </button>
              <button
                type="submit"
                class="button primary"
                disabled={has_error || !can_write.value || busy_section.value !== undefined}
              >
                Save {section.title}
              </button>
            </>
          )}
        </div>
      </form>
    </Card>
  );
}

export function BoxSettingsView() {
  const connected = is_connected.value;
  useEffect(() => {
    if (connected) void load();
  }, [connected]);
  if (failure.value && !sections.value) return <Failure message={failure.value} on_retry={() => void load()} />;
  if (!sections.value)
    return <Loading what={connected ? "Reading the settings." : "The settings are kept on the box."} />;
  return (
    <>
      {sections.value.map((section) => (
        <SectionCard key={section.name} section={section} />
      ))}
    </>
  );
}
