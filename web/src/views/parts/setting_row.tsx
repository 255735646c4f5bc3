// SPDX-License-Identifier: Apache-2.0
// One setting on a settings page: its name, what it does, its input, what is allowed, and how the last write of it ended.
import type { ComponentChildren } from "preact";
import type { BmsField, Choice } from "../../api/types";
import { field_value, with_field } from "../../lib/bms_register";
import { with_unit } from "../../lib/format";
import { AlertIcon, CheckIcon } from "./icons";

export interface Outcome {
  is_good: boolean;
  text: string;
}

interface RowProps {
  id: string;
  title: string;
  help?: string | undefined;
  allowed?: string | undefined;
  tag?: string | undefined; // small print beside the title: a register number
  is_changed: boolean;
  error?: string | undefined;
  outcome?: Outcome | undefined;
  is_group?: boolean; // several boxes to tick instead of one input
  children: ComponentChildren;
}

export function SettingRow({
  id,
  title,
  help,
  allowed,
  tag,
  is_changed,
  error,
  outcome,
  is_group,
  children,
}: RowProps) {
  const name = (
    <>
      {title}
      {tag && <span class="tag">{tag}</span>}
    </>
  );
  return (
    <div class="setting" data-changed={is_changed ? "" : undefined} data-error={error ? "" : undefined}>
      <div class="setting-name">
        {is_group ? <span id={`${id}-label`}>{name}</span> : <label for={id}>{name}</label>}
        {help && (
          <p class="help" id={`${id}-help`}>
            {help}
          </p>
        )}
      </div>
      <div class="setting-input">
        {children}
        {allowed && (
          <p class="allowed" id={`${id}-allowed`}>
            {allowed}
          </p>
        )}
      </div>
      <div class="setting-outcome" aria-live="polite" id={`${id}-outcome`}>
        {error ? (
          <p class="field-error">
            <AlertIcon />
            {error}
          </p>
        ) : (
          outcome && (
            <p class={outcome.is_good ? "field-good" : "field-error"}>
              {outcome.is_good ? <CheckIcon /> : <AlertIcon />}
              {outcome.text}
            </p>
          )
        )}
      </div>
    </div>
  );
}

export interface InputProps {
  id: string;
  value: string;
  is_disabled: boolean;
  is_invalid: boolean;
  on_input: (value: string) => void;
}

const described_by = (id: string) => `${id}-help ${id}-allowed ${id}-outcome`;

export function NumberInput({
  id,
  value,
  unit,
  is_disabled,
  is_invalid,
  on_input,
}: InputProps & { unit?: string | undefined }) {
  return (
    <span class="number-input">
      <input
        id={id}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        value={value}
        disabled={is_disabled}
        aria-invalid={is_invalid}
        aria-describedby={described_by(id)}
        onInput={(event) => on_input(event.currentTarget.value)}
      />
      {unit && <span class="input-unit">{unit}</span>}
    </span>
  );
}

export function ClockInput({ id, value, is_disabled, is_invalid, on_input }: InputProps) {
  return (
    <input
      id={id}
      type="time"
      value={value}
      disabled={is_disabled}
      aria-invalid={is_invalid}
      aria-describedby={described_by(id)}
      onInput={(event) => on_input(event.currentTarget.value)}
    />
  );
}

export function TextInput({
  id,
  value,
  is_disabled,
  is_invalid,
  on_input,
  input_mode,
}: InputProps & { input_mode?: "text" | "decimal" }) {
  return (
    <input
      id={id}
      type="text"
      inputMode={input_mode ?? "text"}
      autocomplete="off"
      spellcheck={false}
      value={value}
      disabled={is_disabled}
      aria-invalid={is_invalid}
      aria-describedby={described_by(id)}
      onInput={(event) => on_input(event.currentTarget.value)}
    />
  );
}

interface SecretProps extends InputProps {
  placeholder: string;
}

export function SecretInput({ id, value, is_disabled, is_invalid, on_input, placeholder }: SecretProps) {
  return (
    <input
      id={id}
      type="password"
      autocomplete="new-password"
      value={value}
      placeholder={placeholder}
      disabled={is_disabled}
      aria-invalid={is_invalid}
      aria-describedby={described_by(id)}
      onInput={(event) => on_input(event.currentTarget.value)}
    />
  );
}

export function ChoiceInput({
  id,
  value,
  is_disabled,
  is_invalid,
  on_input,
  choices,
}: InputProps & { choices: Choice[] }) {
  const is_known = choices.some((choice) => String(choice.value) === value);
  return (
    <select
      id={id}
      value={value}
      disabled={is_disabled}
      aria-invalid={is_invalid}
      aria-describedby={described_by(id)}
      onChange={(event) => on_input(event.currentTarget.value)}
    >
      {!is_known && <option value={value}>{value === "" ? "unknown" : `${value} (not in the list)`}</option>}
      {choices.map((choice) => (
        <option key={choice.value} value={String(choice.value)}>
          {choice.text}
        </option>
      ))}
    </select>
  );
}

interface FlagsProps {
  id: string;
  value: number; // of the whole register
  fields: BmsField[];
  is_disabled: boolean;
  on_input: (value: number) => void;
}

// A small number is chosen from a list: a part of a register has no text of its own that could be half typed.
function field_choices(field: BmsField): Choice[] {
  if (field.choices) return field.choices;
  const count = field.max - field.min + 1;
  return Array.from({ length: count }, (_, i) => ({
    value: field.min + i,
    text: with_unit(field.min + i, 0, field.unit ?? ""),
  }));
}

// The parts of a packed register: a box for a single bit, a list for anything larger.
export function FlagsInput({ id, value, fields, is_disabled, on_input }: FlagsProps) {
  return (
    <fieldset class="flags" aria-labelledby={`${id}-label`} id={id}>
      {fields.map((field) => {
        const part = field_value(value, field);
        if (field.bits === 1) {
          return (
            <label key={field.name}>
              <input
                type="checkbox"
                checked={part === 1}
                disabled={is_disabled}
                onChange={(event) => on_input(with_field(value, field, event.currentTarget.checked ? 1 : 0))}
              />
              {field.title}
            </label>
          );
        }
        return (
          <label key={field.name} class="flags-part">
            <span>{field.title}</span>
            <select
              value={String(part)}
              disabled={is_disabled}
              onChange={(event) => on_input(with_field(value, field, Number(event.currentTarget.value)))}
            >
              {field_choices(field).map((choice) => (
                <option key={choice.value} value={String(choice.value)}>
                  {choice.text}
                </option>
              ))}
            </select>
          </label>
        );
      })}
    </fieldset>
  );
}

export function SwitchInput({
  id,
  is_on,
  is_disabled,
  on_input,
}: {
  id: string;
  is_on: boolean;
  is_disabled: boolean;
  on_input: (is_on: boolean) => void;
}) {
  return (
    <input
      id={id}
      type="checkbox"
      role="switch"
      aria-checked={is_on}
      class="switch"
      checked={is_on}
      disabled={is_disabled}
      aria-describedby={described_by(id)}
      onChange={(event) => on_input(event.currentTarget.checked)}
    />
  );
}
