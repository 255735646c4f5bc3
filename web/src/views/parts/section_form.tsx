// SPDX-License-Identifier: Apache-2.0
// The form of one section of settings, made from the descriptions of its fields. A section is saved as a whole: the box
// takes all of it or nothing. What was typed stays until it is saved or discarded, also if the section is read again
// meanwhile; a value that changed under an edit is told at its field. Secrets can be set, never read.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ApiError } from "../../api/client";
import type { BoxField } from "../../api/types";
import { check_ip, is_minute_of_day, parse_number, range_text, to_short_input } from "../../lib/setting_input";
import { clock_text, describe_window, minute_of, parse_window } from "../../lib/window";
import { is_pack } from "../../state/store";
import { Note } from "./card";
import {
  ChoiceInput,
  ClockInput,
  NumberInput,
  type Outcome,
  SecretInput,
  SettingRow,
  SwitchInput,
  TextInput,
} from "./setting_row";
import { WindowInput } from "./window_input";

type Value = string | boolean;
interface Draft {
  value: Value;
  base: Value; // what the box had when typing began
}

export interface FormSection {
  name: string;
  title: string;
  fields: BoxField[];
}

// All by the id of a field or of a form, which is unique on the page.
const drafts = signal<Record<string, Draft>>({});
const refusals = signal<Record<string, string>>({});
const outcomes = signal<Record<string, Outcome>>({});
const busy_form = signal<string | undefined>(undefined);

function stored_value(field: BoxField): Value {
  if (field.kind === "bool") return field.value === true;
  if (is_minute_of_day(field)) return typeof field.value === "number" ? clock_text(field.value) : "";
  if (field.kind === "number")
    return to_short_input(typeof field.value === "number" ? field.value : undefined, field.step);
  return field.kind === "secret" || field.value === undefined ? "" : String(field.value);
}

// A value as a person reads it, for what is shown outside of an input.
export function field_text(field: BoxField): string {
  if (field.kind === "secret") return field.is_set ? "stored, never shown" : "none";
  if (field.value === undefined || field.value === "") return "–";
  if (field.kind === "bool") return field.value === true ? "on" : "off";
  if (field.kind === "window") {
    const window = parse_window(String(field.value));
    return window ? describe_window(window) : String(field.value);
  }
  if (is_minute_of_day(field)) return String(stored_value(field));
  if (field.kind === "choice")
    return field.choices?.find((choice) => choice.value === field.value)?.text ?? String(field.value);
  const text = String(stored_value(field));
  return field.unit ? `${text}\u202f${field.unit}` : text;
}

// The value to send for what was typed, or why it cannot be sent.
function checked(field: BoxField, value: Value): { value: unknown } | { error: string } {
  if (is_minute_of_day(field)) {
    const minute = minute_of(String(value));
    return minute === undefined ? { error: "Enter a time, such as 05:00." } : { value: minute };
  }
  if (field.kind === "number") return parse_number(String(value), field);
  if (field.kind === "window" && value !== "" && !parse_window(String(value))?.days.includes(true))
    return { error: "Choose at least one day and both times, or remove the window." };
  if (field.kind === "ip") return check_ip(String(value));
  if (field.kind === "choice")
    return { value: field.choices?.find((choice) => String(choice.value) === value)?.value ?? value };
  return { value };
}

function without<T>(record: Record<string, T>, key: string): Record<string, T> {
  const { [key]: _removed, ...rest } = record;
  return rest;
}

const field_id = (form_id: string, field: BoxField) => `${form_id}-${field.name}`;

// The fields as they would be after saving: stored, or typed where what was typed can be sent.
function edited_fields(form_id: string, section: FormSection): BoxField[] {
  return section.fields.map((field) => {
    const draft = drafts.value[field_id(form_id, field)];
    const result = draft === undefined ? undefined : checked(field, draft.value);
    return result && "value" in result ? { ...field, value: result.value as string | number | boolean } : field;
  });
}

// Of unused windows one is enough: it is where the next one is added.
function shown_fields(form_id: string, section: FormSection): BoxField[] {
  const is_unused = (field: BoxField) =>
    field.kind === "window" && field.value === "" && drafts.value[field_id(form_id, field)] === undefined;
  const first_unused = section.fields.find(is_unused);
  return section.fields.filter((field) => field === first_unused || !is_unused(field));
}

function changed_fields(form_id: string, section: FormSection): BoxField[] {
  return section.fields.filter((field) => {
    const draft = drafts.value[field_id(form_id, field)];
    return draft !== undefined && draft.value !== stored_value(field);
  });
}

function set_draft(form_id: string, field: BoxField, value: Value): void {
  const id = field_id(form_id, field);
  const stored = stored_value(field);
  const base = drafts.value[id]?.base ?? stored;
  drafts.value = value === stored ? without(drafts.value, id) : { ...drafts.value, [id]: { value, base } };
  refusals.value = without(refusals.value, id);
  outcomes.value = without(outcomes.value, form_id);
}

function forget_drafts(form_id: string, section: FormSection): void {
  const next = { ...drafts.value };
  for (const field of section.fields) delete next[field_id(form_id, field)];
  drafts.value = next;
}

// "values.charge_current_max_a" or "charge_current_max_a": the last part names the field.
function refuse(form_id: string, section: FormSection, error: unknown): void {
  const message = error instanceof ApiError ? error.message : "Something unexpected happened in this page.";
  const name = error instanceof ApiError ? error.problem.field?.split(".").at(-1) : undefined;
  const field = section.fields.find((entry) => entry.name === name);
  if (field) refusals.value = { ...refusals.value, [field_id(form_id, field)]: message };
  const text = field ? "Nothing was saved: see the marked field." : `Nothing was saved: ${message}`;
  outcomes.value = { ...outcomes.value, [form_id]: { is_good: false, text } };
}

type Save = (values: Record<string, unknown>) => Promise<string>;

async function save(form_id: string, section: FormSection, on_save: Save): Promise<void> {
  const values: Record<string, unknown> = {};
  for (const field of changed_fields(form_id, section)) {
    const result = checked(field, drafts.value[field_id(form_id, field)]?.value ?? "");
    if ("value" in result) values[field.name] = result.value;
  }
  busy_form.value = form_id;
  try {
    const text = await on_save(values);
    forget_drafts(form_id, section);
    outcomes.value = { ...outcomes.value, [form_id]: { is_good: true, text } };
  } catch (error) {
    refuse(form_id, section, error);
  } finally {
    busy_form.value = undefined;
  }
}

// Whole bounds are written as such, however fine the step: 0 to 100 %, not 0.00 to 100.00 %.
function short_range(field: BoxField): string {
  const is_whole = Number.isInteger(field.min ?? 0) && Number.isInteger(field.max ?? 0);
  return range_text(is_whole ? { ...field, step: 1 } : field);
}

// Where the input writes what the box keeps by itself, how it is written helps nobody.
const help_text = (field: BoxField) => (field.kind === "window" || is_minute_of_day(field) ? undefined : field.help);

function allowed_text(field: BoxField): string {
  if (field.shared === true)
    return is_pack.value
      ? "all packs share this: change it under “All packs”"
      : "both boxes share this: change it under “Both sides”";
  if (field.kind === "number") return is_minute_of_day(field) ? "by the local clock" : short_range(field);
  if (field.kind === "secret") return field.is_set === true ? "one is stored; it is never shown" : "";
  return field.kind === "ip" ? "for example 192.168.1.20" : "";
}

function FieldRow({ form_id, field, can_edit }: { form_id: string; field: BoxField; can_edit: boolean }) {
  const id = field_id(form_id, field);
  const stored = stored_value(field);
  const draft = drafts.value[id];
  const is_changed = draft !== undefined && draft.value !== stored;
  const result = is_changed ? checked(field, draft.value) : undefined;
  const error = result && "error" in result ? result.error : is_changed ? refusals.value[id] : undefined;
  const is_overtaken = is_changed && draft.base !== stored && field.kind !== "secret";
  const shown = draft?.value ?? stored;
  const is_disabled = !can_edit || field.writable === false || busy_form.value === form_id;
  const on_input = (value: Value) => set_draft(form_id, field, value);
  const common = { id, is_disabled, is_invalid: error !== undefined, on_input, value: String(shown) };
  return (
    <SettingRow
      id={id}
      title={field.title}
      help={help_text(field)}
      allowed={allowed_text(field)}
      is_changed={is_changed}
      is_group={field.kind === "window"}
      error={error}
      outcome={
        is_overtaken
          ? { is_good: false, text: `Changed meanwhile to ${field_text(field)}. Saving replaces that.` }
          : undefined
      }
    >
      {field.kind === "number" &&
        (is_minute_of_day(field) ? <ClockInput {...common} /> : <NumberInput {...common} unit={field.unit} />)}
      {field.kind === "window" && <WindowInput {...common} title={field.title} />}
      {field.kind === "text" && <TextInput {...common} />}
      {field.kind === "ip" && <TextInput {...common} input_mode="decimal" />}
      {field.kind === "secret" && (
        <SecretInput {...common} placeholder={field.is_set === true ? "unchanged" : "none"} />
      )}
      {field.kind === "choice" && <ChoiceInput {...common} choices={field.choices ?? []} />}
      {field.kind === "bool" && (
        <SwitchInput id={id} is_on={shown === true} is_disabled={is_disabled} on_input={on_input} />
      )}
    </SettingRow>
  );
}

interface FormProps {
  id: string; // also the beginning of the ids of its fields
  section: FormSection;
  can_edit: boolean;
  on_save: Save; // gives the sentence that tells of the success
  note?: string | undefined; // shown while this form has nothing of its own to tell
  // What saving will do, shown before it; and what stands above the buttons, drawn from the edited values.
  preview?: (fields: BoxField[]) => string | undefined;
  picture?: (fields: BoxField[]) => ComponentChildren;
}

export function SectionForm({ id, section, can_edit, on_save, note, preview, picture }: FormProps) {
  const changed = changed_fields(id, section);
  const has_error = changed.some((field) => "error" in checked(field, drafts.value[field_id(id, field)]?.value ?? ""));
  const own = outcomes.value[id];
  const outcome = own?.is_good === true && note !== undefined ? undefined : own;
  const edited = preview || picture ? edited_fields(id, section) : [];
  const consequence = changed.length > 0 && !has_error ? preview?.(edited) : undefined;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (changed.length > 0 && !has_error && can_edit) void save(id, section, on_save);
      }}
    >
      {shown_fields(id, section).map((field) => (
        <FieldRow key={field.name} form_id={id} field={field} can_edit={can_edit} />
      ))}
      {picture?.(edited)}
      <div class="section-actions">
        <div role="status">
          {consequence !== undefined && <Note tone="neutral">{consequence}</Note>}
          {outcome ? (
            <Note tone={outcome.is_good ? "good" : "bad"}>{outcome.text}</Note>
          ) : (
            note !== undefined && <Note tone="neutral">{note}</Note>
          )}
        </div>
        {changed.length > 0 && (
          <>
            <button type="button" class="button" onClick={() => forget_drafts(id, section)}>
              Discard
            </button>
            <button
              type="submit"
              class="button primary"
              disabled={has_error || !can_edit || busy_form.value !== undefined}
            >
              Save {section.title}
            </button>
          </>
        )}
      </div>
    </form>
  );
}
