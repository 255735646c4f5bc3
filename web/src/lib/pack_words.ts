// SPDX-License-Identifier: Apache-2.0
// The words for an energy pack: its modes and what switching one does, its relays and what holds or hinders them, its place
// among the packs on its bus. A name that is not listed here is shown as it stands.
import type { ModeName, Modes, PackNode, Packs, Relay } from "../api/pack_types";
import { kModeNames } from "../api/pack_types";
import { duration, humanise } from "./format";
import type { Status, Tone } from "./words";

const kModeTitles: Record<ModeName, string> = {
  self_consumption: "Self-consumption",
  eco: "Eco",
  time_of_use: "Time of use",
  backup: "Backup",
  import_limit: "Import limit",
};
export const mode_title = (name: string) => kModeTitles[name as ModeName] ?? humanise(name);

export const kModeRules: Record<ModeName, string> = {
  self_consumption: "The grid is used only when the battery is low.",
  eco: "Loads are switched off while the home takes too much.",
  time_of_use: "The inverter output is on inside chosen hours only.",
  backup: "The grid stays connected.",
  import_limit: "Only so much energy is taken from the grid each day.",
};

// What of the settings matters for a mode, as text with unit.
export interface ModeTexts {
  soc_low: string;
  soc_high: string;
  eco_limit: string;
  import_limit: string;
  import_reset: string;
  windows: string[]; // each in words
}

// What happens when a mode is switched, in sentences for the question before it.
export function mode_consequence(mode: ModeName, on: boolean, texts: ModeTexts): string {
  if (!on) {
    switch (mode) {
      case "eco":
        return "Loads that it has switched off come back when nothing else holds them.";
      case "time_of_use":
        return "The inverter output is no longer bound to hours and closes when nothing else holds it.";
      case "import_limit":
        return "The grid may be used without limit again. If the limit was used up, the grid closes now.";
      default:
        return "It no longer holds the grid relay; the next mode in line decides. With none, the grid is closed.";
    }
  }
  switch (mode) {
    case "self_consumption":
      return `The grid closes when the battery falls to ${texts.soc_low} and opens when it reaches ${texts.soc_high}. In between it stays as it is.`;
    case "eco":
      return `While the home takes more than ${texts.eco_limit}, one load after the other is switched off, in your order.`;
    case "time_of_use":
      return texts.windows.length === 0
        ? "No window is set, so the inverter output opens and stays open. Set a window first."
        : `The inverter output is closed ${texts.windows.join("; ")}, and open at all other times.`;
    case "backup":
      return "The grid closes and stays closed.";
    case "import_limit":
      return `When ${texts.import_limit} have come from the grid, it opens until ${texts.import_reset}, whatever else asks for it.`;
  }
}

// Whom a change concerns: settings are shared by all packs on a bus.
export function reach_text(node_count: number | undefined): string {
  if (node_count === undefined || node_count < 2) return "";
  return `All ${node_count} packs on this bus take it over.`;
}

const kRelayTitles: Record<string, string> = {
  grid: "Grid",
  inverter_output: "Inverter output",
  pool_pump: "Pool pump",
  water_heater: "Water heater",
};
export const relay_title = (name: string, title?: string) =>
  title ?? kRelayTitles[name] ?? humanise(name).replace(/^Load (\d)$/, "Load $1");

const kHolderTitles: Record<string, string> = {
  safety: "Safety",
  minimum_soc: "Minimum charge",
  import_limit: "Import limit",
  backup: "Backup",
  self_consumption: "Self-consumption",
  eco: "Eco",
  time_of_use: "Time of use",
  manual: "A person",
  default: "Nobody",
  minimum_time: "Minimum time",
  wear_limit: "Wear limit",
};
export const holder_title = (name: string | undefined, title?: string) =>
  title ?? (name === undefined ? "–" : (kHolderTitles[name] ?? humanise(name)));

const kWants: Record<string, string> = { open: "open", close: "closed", hold: "as it is" };
export const wants_text = (wants: string) => kWants[wants] ?? humanise(wants).toLowerCase();

// The position that counts: what the contact really does; where that is not read back, what it is told to do.
export const position_of = (relay: Relay) => relay.measured ?? relay.commanded;

export function position_status(relay: Relay): Status {
  const position = position_of(relay);
  const title = humanise(position);
  if (relay.mismatch)
    return {
      tone: "bad",
      title,
      text: `The contact is ${relay.measured}, although it is told to be ${relay.commanded}.`,
    };
  if (position === undefined) return { tone: "neutral", title: "Unknown", text: "Not decided yet." };
  return { tone: position === "closed" ? "good" : "neutral", title, text: "" };
}

const kHindrances: Record<string, string> = {
  minimum_on: "it was closed only just now, and stays so for its minimum time",
  minimum_off: "it was opened only just now, and stays so for its minimum time",
  wear: "it has switched so often within the hour that its contacts are spared",
  import_exhausted: "the day's energy from the grid is used up",
};

// Why a relay is not where it is asked to be, and for how long still. Undefined: it is, or nothing hinders it.
export function hindrance_text(relay: Relay, left_s: number | undefined): string | undefined {
  if (relay.hindrance === undefined || relay.hindrance === "none") return undefined;
  const why = kHindrances[relay.hindrance] ?? humanise(relay.hindrance).toLowerCase();
  const wanted = relay.requested === undefined ? "" : `Should be ${relay.requested}: `;
  const left = left_s === undefined ? "" : `, ${duration(left_s)} more`;
  const text = `${wanted}${why}${left}.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// What must be known before a relay is ordered by hand.
export function order_consequence(relay: Relay, order: string, minutes: number | undefined): string {
  const title = relay_title(relay.name, relay.title);
  if (order === "auto") return `The order by hand ends; modes decide over ${title.toLowerCase()} again.`;
  const span = minutes === undefined ? "" : ` for ${duration(minutes * 60)}`;
  const effect =
    relay.name === "grid"
      ? order === "open"
        ? "The house then runs on battery and sun alone."
        : "The house is then connected to the grid."
      : relay.name === "inverter_output"
        ? order === "open"
          ? "Whatever hangs on the inverter then has no power."
          : "Whatever hangs on the inverter then has power."
        : "";
  return `${title} is ${order === "open" ? "opened" : "closed"}${span}. ${effect}`.trim();
}

const kCauses: Record<string, string> = {
  bms_stale: "BMS is silent",
  bms_fault: "BMS reports a fault",
  over_voltage: "Voltage too high",
  under_voltage: "Voltage too low",
  over_temperature: "Battery too hot",
};
export const cause_title = (cause: string) => kCauses[cause] ?? humanise(cause);

// What the safe state means for the house, in one sentence.
export function safe_state_text(modes: Modes | undefined): string {
  const request = modes?.inverter_request;
  const limits =
    request?.may_charge === false && request.may_discharge === false
      ? " Charging and discharging are stopped."
      : request?.may_charge === false
        ? " Charging is stopped."
        : request?.may_discharge === false
          ? " Discharging is stopped."
          : "";
  return `Grid closed, loads off.${limits}`;
}

// A time that the pack tells with its own offset, on the pack's clock: "05:00 tomorrow". local_time: what that clock shows now.
export function pack_clock_text(time: string, local_time: string | undefined): string {
  const [, date, clock] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)/.exec(time) ?? [];
  if (date === undefined || clock === undefined) return time;
  if (local_time === undefined) return `${clock} (${date})`;
  const days = Math.round((Date.parse(date) - Date.parse(local_time.slice(0, 10))) / 86_400_000);
  return days === 0 ? clock : days === 1 ? `${clock} tomorrow` : `${clock} on ${date}`;
}

const kWarnings: Record<string, string> = {
  over_eco_limit: "The home has been over the eco limit for two minutes.",
  loads_limit: "All loads are off, and the home still takes more than the limit.",
  eco_fell_back: "Eco gave up; self-consumption runs instead.",
  import_unmeasured: "Power from the grid is not measured, so the import limit cannot count.",
  time_unknown: "The time is not known yet, and a mode needs it.",
  soc_unknown: "The state of charge is not known, and a mode needs it.",
  relay_mismatch: "A contact does not do what it is told.",
  relay_wear: "A relay has switched so often that its contacts are spared.",
};
export const warning_text = (warning: { code: string; text?: string }) =>
  warning.text ?? kWarnings[warning.code] ?? humanise(warning.code);

// Modes that are on, in their usual order; unknown ones at the end.
export function in_order(modes: string[] | undefined): string[] {
  const rank = (name: string) => (kModeNames as string[]).indexOf(name) >>> 0;
  return (modes ?? []).toSorted((a, b) => rank(a) - rank(b));
}

const kClaims: Record<string, Status> = {
  claimed: { tone: "good", title: "Has its number", text: "" },
  waiting: { tone: "busy", title: "Waiting to claim", text: "Waits a moment before it asks for a number." },
  listening: { tone: "busy", title: "Claiming", text: "Listens whether another pack objects to its number." },
  duplicate: {
    tone: "bad",
    title: "Duplicate hardware",
    text: "Another device on the bus has the same hardware number. Both stay away until one is removed.",
  },
  no_free_node: { tone: "bad", title: "No number free", text: "All 126 numbers on this bus are taken." },
  off: { tone: "neutral", title: "Off", text: "The pack network is switched off." },
};
export function describe_claim(claim: string | undefined): Status {
  if (claim === undefined) return { tone: "neutral", title: "Unknown", text: "" };
  return kClaims[claim] ?? { tone: "neutral", title: humanise(claim), text: "" };
}

const kTypes: Record<string, string> = {
  "energy-pack": "Energy pack",
  "energy-gateway": "Energy gateway",
  "linux-gateway": "Linux gateway",
};
export const node_type = (type: string | undefined) =>
  type === undefined ? "Unknown type" : (kTypes[type] ?? humanise(type.replaceAll("-", "_")));

const kBmsStates: Record<string, Status> = {
  never: { tone: "warn", title: "BMS never heard", text: "" },
  connected: { tone: "good", title: "BMS connected", text: "" },
  stale: { tone: "bad", title: "BMS silent", text: "" },
  fault: { tone: "bad", title: "BMS fault", text: "" },
};
export function describe_node_bms(state: string | undefined): Status {
  if (state === undefined) return { tone: "neutral", title: "BMS unknown", text: "" };
  return kBmsStates[state] ?? { tone: "neutral", title: humanise(state), text: "" };
}

// A pack tells its state every 2 s and its presence every 10 s. One that misses both is marked as old.
export const kNodeStaleMs = 12_000;
export const is_node_old = (node: PackNode, heard_ms: number | undefined) =>
  node.is_self !== true && heard_ms !== undefined && heard_ms > kNodeStaleMs;

export function node_tone(node: PackNode, heard_ms: number | undefined): Tone {
  if (node.alarm || node.duplicate) return "bad";
  return node.warning || is_node_old(node, heard_ms) ? "warn" : "good";
}

// Who leads, in a few words for one line.
export function master_text(packs: Packs | undefined): string {
  if (packs?.master === undefined) return "no master yet";
  return packs.is_master ? "this pack leads" : `pack ${packs.master} leads`;
}
