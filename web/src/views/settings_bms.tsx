// SPDX-License-Identifier: Apache-2.0
// The settings inside the BMS. Changes are collected, shown once more as old and new, then written by the box, which reads
// each one back. Whatever the outcome, the settings are read again afterwards: the page shows what is on the BMS.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, fetch_bms_settings, send_bms_command, write_bms_settings } from "../api/client";
import type { BmsSetting, BmsSettings, BmsWriteOutcome, BmsWriteResult, Choice } from "../api/types";
import { field_value, fields_of, help_of, in_groups } from "../lib/bms_register";
import { date_and_time, digits_of_step, humanise, with_unit } from "../lib/format";
import { is_same, parse_number, range_text, to_input } from "../lib/setting_input";
import { can_write, is_connected } from "../state/store";
import { Card, Failure, Loading, Note } from "./parts/card";
import { Dialog } from "./parts/dialog";
import { ChoiceInput, FlagsInput, NumberInput, type Outcome, SettingRow } from "./parts/setting_row";

const kRereadMs = 2_000; // while the box itself is still reading

const settings = signal<BmsSettings | undefined>(undefined);
const failure = signal<string | undefined>(undefined);
const drafts = signal<Record<number, string>>({}); // by register, as typed
const outcomes = signal<Record<number, Outcome>>({});
const general = signal<Outcome | undefined>(undefined);
const is_reviewing = signal(false);
const is_busy = signal(false);
const command = signal<BmsCommand | undefined>(undefined);

interface BmsCommand {
  name: string;
  title: string;
  text: string;
  is_dangerous: boolean;
}

const kCommands: BmsCommand[] = [
  {
    name: "clear_events",
    title: "Clear the BMS's events",
    text: "The event list inside the BMS is emptied. The log of this box stays.",
    is_dangerous: false,
  },
  {
    name: "clear_statistics",
    title: "Clear the BMS's statistics",
    text: "Largest currents, counts of cut-offs and charges inside the BMS start again at zero.",
    is_dangerous: false,
  },
  {
    name: "reset",
    title: "Restart the BMS",
    text: "The BMS switches off and on again. Charging and discharging stop meanwhile, and the house may lose its supply for a moment.",
    is_dangerous: true,
  },
];

const message_of = (error: unknown) =>
  error instanceof ApiError ? error.message : "Something unexpected happened in this page.";

async function load(): Promise<void> {
  try {
    settings.value = await fetch_bms_settings();
    failure.value = undefined;
  } catch (error) {
    failure.value = message_of(error);
  }
}

function show_choice(choices: Choice[] | undefined, value: number): string {
  return choices?.find((choice) => Number(choice.value) === value)?.text ?? String(value);
}

function show_value(setting: BmsSetting, value: number | undefined): string {
  if (value === undefined) return "–";
  if (setting.kind === "choice") return show_choice(setting.choices, value);
  if (setting.kind === "number") return with_unit(value, digits_of_step(setting.step), setting.unit ?? "");
  const parts = fields_of(setting).map((field) => {
    const part = field_value(value, field);
    const text =
      field.bits === 1
        ? part === 1
          ? "on"
          : "off"
        : field.choices
          ? show_choice(field.choices, part)
          : with_unit(part, 0, field.unit ?? "");
    return `${field.title}: ${text}`;
  });
  return parts.join(", ");
}

interface Change {
  setting: BmsSetting;
  value?: number;
  error?: string;
}

function change_of(setting: BmsSetting): Change | undefined {
  const draft = drafts.value[setting.register];
  if (draft === undefined) return undefined;
  if (setting.kind !== "number") return { setting, value: Number(draft) };
  const parsed = parse_number(draft, setting);
  if ("error" in parsed) return { setting, error: parsed.error };
  return is_same(parsed.value, setting.value, setting.step) ? undefined : { setting, value: parsed.value };
}

const all_changes = () => (settings.value?.settings ?? []).flatMap((setting) => change_of(setting) ?? []);

function handle_input(setting: BmsSetting, typed: string): void {
  const next = { ...drafts.value, [setting.register]: typed };
  const is_back =
    setting.kind === "number" ? typed === to_input(setting.value, setting.step) : Number(typed) === setting.value;
  if (is_back) delete next[setting.register];
  drafts.value = next;
  const rest = { ...outcomes.value };
  delete rest[setting.register];
  outcomes.value = rest;
}

// A refusal names a register, or a field like "changes[0].value".
function register_of(error: ApiError, changes: Change[]): number | undefined {
  if (error.problem.register !== undefined) return error.problem.register;
  const index = /changes\[(\d+)\]/.exec(error.problem.field ?? "")?.[1];
  return index === undefined ? undefined : changes[Number(index)]?.setting.register;
}

function forget_drafts(registers: number[]): void {
  const rest = { ...drafts.value };
  for (const register of registers) delete rest[register];
  drafts.value = rest;
}

const kResultText: Record<string, string> = {
  mismatch: "Written, but something else was read back",
  refused: "The BMS refused the write",
  not_written: "Not written, because an earlier one failed",
  unverified: "Written, but it could not be read back",
  unreachable: "The BMS did not answer",
};

function to_outcome(setting: BmsSetting, result: string, value: number | undefined): Outcome {
  const now = show_value(setting, value);
  if (result === "verified") return { is_good: true, text: `Written and read back: ${now}` };
  const known = value === undefined ? "" : ` On the BMS now: ${now}.`;
  return { is_good: false, text: `${kResultText[result] ?? humanise(result)}.${known}` };
}

function outcomes_of(changes: Change[], result: string, parts: BmsWriteOutcome[] | undefined): Record<number, Outcome> {
  const next: Record<number, Outcome> = {};
  for (const { setting } of changes) {
    const part = parts?.find((entry) => entry.register === setting.register);
    next[setting.register] = to_outcome(setting, part?.result ?? result, part?.value);
  }
  return next;
}

// A write that began and failed tells register by register; one that was refused names the one at fault.
async function outcomes_of_failure(error: unknown, changes: Change[]): Promise<Record<number, Outcome>> {
  await load();
  const parts = error instanceof ApiError ? (error.body as Partial<BmsWriteResult> | null)?.settings : undefined;
  if (parts) {
    general.value = { is_good: false, text: message_of(error) };
    return outcomes_of(changes, "not_written", parts);
  }
  const register = error instanceof ApiError ? register_of(error, changes) : undefined;
  const setting = settings.value?.settings.find((entry) => entry.register === register);
  if (register === undefined || !setting) {
    general.value = { is_good: false, text: message_of(error) };
    return {};
  }
  general.value = { is_good: false, text: "The write was refused. What is on the BMS now is shown below." };
  const now = `On the BMS now: ${show_value(setting, setting.value)}.`;
  return { [register]: { is_good: false, text: `${message_of(error)} ${now}` } };
}

async function write(): Promise<void> {
  const changes = all_changes().filter((change) => change.value !== undefined);
  is_busy.value = true;
  general.value = undefined;
  try {
    const answer = await write_bms_settings(
      changes.map((change) => ({ register: change.setting.register, value: change.value ?? 0 })),
    );
    const next = outcomes_of(changes, answer.result, answer.settings);
    await load();
    outcomes.value = next;
  } catch (error) {
    outcomes.value = await outcomes_of_failure(error, changes);
  }
  const written = changes
    .map(({ setting }) => setting.register)
    .filter((register) => outcomes.value[register]?.is_good);
  forget_drafts(written);
  is_busy.value = false;
  is_reviewing.value = false;
}

async function run_command(): Promise<void> {
  const chosen = command.value;
  if (!chosen) return;
  is_busy.value = true;
  try {
    await send_bms_command(chosen.name);
    general.value = { is_good: true, text: `${chosen.title}: accepted. The Events page tells how it went.` };
  } catch (error) {
    general.value = { is_good: false, text: message_of(error) };
  } finally {
    is_busy.value = false;
    command.value = undefined;
  }
}

function BmsSettingRow({ setting }: { setting: BmsSetting }) {
  const id = `bms-${setting.register}`;
  const draft = drafts.value[setting.register];
  const error = change_of(setting)?.error;
  const is_disabled = !setting.writable || !can_write.value || is_busy.value || settings.value?.state !== "ready";
  const on_input = (typed: string) => handle_input(setting, typed);
  const common = { id, is_disabled, is_invalid: error !== undefined, on_input };
  const allowed = setting.kind === "number" ? range_text(setting) : "";
  return (
    <SettingRow
      id={id}
      title={setting.title}
      help={help_of(setting)}
      tag={String(setting.register)}
      allowed={setting.writable ? allowed : "read only"}
      is_changed={draft !== undefined}
      error={error}
      outcome={outcomes.value[setting.register]}
      is_group={setting.kind === "flags"}
    >
      {setting.kind === "number" && (
        <NumberInput {...common} unit={setting.unit} value={draft ?? to_input(setting.value, setting.step)} />
      )}
      {setting.kind === "choice" && (
        <ChoiceInput {...common} choices={setting.choices ?? []} value={draft ?? String(setting.value ?? "")} />
      )}
      {setting.kind === "flags" && (
        <FlagsInput
          id={id}
          fields={fields_of(setting)}
          value={draft === undefined ? (setting.value ?? 0) : Number(draft)}
          is_disabled={is_disabled || setting.value === undefined}
          on_input={(value) => on_input(String(value))}
        />
      )}
    </SettingRow>
  );
}

function SaveBar() {
  const changes = all_changes();
  if (changes.length === 0) return null;
  const wrong = changes.filter((change) => change.error !== undefined).length;
  return (
    <section class="save-bar" aria-label="Changes not written yet">
      <p>
        {changes.length === 1 ? "1 change" : `${changes.length} changes`} not written yet
        {wrong > 0 && `, ${wrong} not possible`}
      </p>
      <button
        type="button"
        class="button"
        onClick={() => {
          drafts.value = {};
        }}
      >
        Discard
      </button>
      <button
        type="button"
        class="button primary"
        disabled={wrong > 0 || !can_write.value}
        onClick={() => {
          is_reviewing.value = true;
        }}
      >
        Review and write
      </button>
    </section>
  );
}

function ReviewDialog() {
  return (
    <Dialog
      title="Write to the BMS?"
      action="Write and verify"
      is_busy={is_busy.value}
      on_confirm={() => void write()}
      on_close={() => {
        is_reviewing.value = false;
      }}
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">Now</th>
            <th scope="col">New</th>
          </tr>
        </thead>
        <tbody>
          {all_changes().map(({ setting, value }) => (
            <tr key={setting.register}>
              <th scope="row">{setting.title}</th>
              <td>{show_value(setting, setting.value)}</td>
              <td>
                <strong>{show_value(setting, value)}</strong>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="help">Each value is written, then read back from the BMS and compared. This takes a few seconds.</p>
    </Dialog>
  );
}

function CommandCard() {
  return (
    <Card title="Commands" id="commands-title">
      <div class="command-list">
        {kCommands.map((entry) => (
          <button
            key={entry.name}
            type="button"
            class={`button ${entry.is_dangerous ? "danger-quiet" : ""}`}
            disabled={!can_write.value || is_busy.value}
            onClick={() => {
              command.value = entry;
            }}
          >
            {entry.title}
          </button>
        ))}
      </div>
    </Card>
  );
}

function SettingGroups({ answer }: { answer: BmsSettings }) {
  return (
    <>
      {answer.state === "unavailable" && (
        <Note tone="warn">
          The settings cannot be read from the BMS now{answer.reason ? `: ${answer.reason}` : "."}
        </Note>
      )}
      {answer.state === "ready" && answer.reason && <Note tone="warn">{answer.reason}</Note>}
      {answer.state === "reading" && <Loading what="The settings are being read from the BMS." />}
      {in_groups(answer.settings).map(([name, list]) => (
        <Card key={name} title={name} id={`group-${name.replaceAll(/\W+/g, "-").toLowerCase()}`} class="setting-card">
          {list.map((setting) => (
            <BmsSettingRow key={setting.register} setting={setting} />
          ))}
        </Card>
      ))}
      {answer.read_at && <p class="hint">Read from the BMS {date_and_time(answer.read_at)}.</p>}
    </>
  );
}

export function BmsSettingsView() {
  const connected = is_connected.value;
  const is_waiting = settings.value?.state === "reading" || settings.value?.state === "unavailable";
  useEffect(() => {
    if (!connected) return;
    void load();
    if (!is_waiting) return;
    const timer = setInterval(() => void load(), kRereadMs);
    return () => clearInterval(timer);
  }, [connected, is_waiting]);
  const chosen = command.value;
  return (
    <>
      <div role="status">
        {general.value && <Note tone={general.value.is_good ? "good" : "bad"}>{general.value.text}</Note>}
      </div>
      {failure.value && <Failure message={failure.value} on_retry={() => void load()} />}
      {settings.value ? (
        <SettingGroups answer={settings.value} />
      ) : (
        !failure.value && connected && <Loading what="Reading the settings." />
      )}
      {settings.value && <CommandCard />}
      <SaveBar />
      {is_reviewing.value && <ReviewDialog />}
      {chosen && (
        <Dialog
          title={`${chosen.title}?`}
          action={chosen.title}
          is_dangerous={chosen.is_dangerous}
          is_busy={is_busy.value}
          on_confirm={() => void run_command()}
          on_close={() => {
            command.value = undefined;
          }}
        >
          <p>{chosen.text}</p>
        </Dialog>
      )}
    </>
  );
}
