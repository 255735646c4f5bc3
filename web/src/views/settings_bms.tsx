// SPDX-License-Identifier: Apache-2.0
// The settings inside the BMS. Changes are collected, shown once more as old and new, then written by the box, which reads
// each one back. Whatever the outcome, the settings are read again afterwards: the page shows what is on the BMS.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, fetch_bms_settings, send_bms_command, write_bms_settings } from "../api/client";
import type { BmsSetting, BmsSettings } from "../api/types";
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

function show_value(setting: BmsSetting, value: number | undefined): string {
  if (value === undefined) return "–";
  if (setting.kind === "choice") {
    return setting.choices?.find((choice) => Number(choice.value) === value)?.text ?? String(value);
  }
  if (setting.kind === "flags") {
    const set = (setting.choices ?? []).filter((choice) => Math.floor(value / Number(choice.value)) % 2 === 1);
    return set.length === 0 ? "none" : set.map((choice) => choice.text).join(", ");
  }
  return with_unit(value, digits_of_step(setting.step), setting.unit ?? "");
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

async function write(): Promise<void> {
  const changes = all_changes().filter((change) => change.value !== undefined);
  is_busy.value = true;
  general.value = undefined;
  const next: Record<number, Outcome> = {};
  try {
    const answer = await write_bms_settings(
      changes.map((change) => ({ register: change.setting.register, value: change.value ?? 0 })),
    );
    for (const { setting } of changes) {
      const result = answer.settings?.find((entry) => entry.register === setting.register);
      const how = result?.result ?? answer.result;
      const now = show_value(setting, result?.value);
      next[setting.register] =
        how === "verified"
          ? { is_good: true, text: `Written and read back: ${now}` }
          : { is_good: false, text: `${humanise(how)}. On the BMS now: ${now}` };
    }
    forget_drafts(
      changes.filter(({ setting }) => next[setting.register]?.is_good).map(({ setting }) => setting.register),
    );
    await load();
  } catch (error) {
    const register = error instanceof ApiError ? register_of(error, changes) : undefined;
    await load();
    if (register === undefined) general.value = { is_good: false, text: message_of(error) };
    else {
      const setting = settings.value?.settings.find((entry) => entry.register === register);
      const now = setting ? ` On the BMS now: ${show_value(setting, setting.value)}.` : "";
      next[register] = { is_good: false, text: `${message_of(error)}${now}` };
      general.value = { is_good: false, text: "The write was refused. What is on the BMS now is shown below." };
    }
  } finally {
    outcomes.value = next;
    is_busy.value = false;
    is_reviewing.value = false;
  }
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
      help={setting.help}
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
          choices={setting.choices ?? []}
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

function groups_of(list: BmsSetting[]): [string, BmsSetting[]][] {
  const groups = new Map<string, BmsSetting[]>();
  for (const setting of list) {
    const name = setting.group ?? "Other";
    groups.set(name, [...(groups.get(name) ?? []), setting]);
  }
  return [...groups];
}

function SettingGroups({ answer }: { answer: BmsSettings }) {
  return (
    <>
      {answer.state === "unavailable" && (
        <Note tone="warn">
          The settings cannot be read from the BMS now{answer.reason ? `: ${answer.reason}` : "."}
        </Note>
      )}
      {answer.state === "reading" && <Loading what="The settings are being read from the BMS." />}
      {groups_of(answer.settings).map(([name, list]) => (
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
