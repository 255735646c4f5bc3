// SPDX-License-Identifier: Apache-2.0
// The words for what the box reports by name: limits and their reasons, phases, alarms. A name that is not listed here
// is shown as it stands, with spaces, so a newer box never leaves a hole on an older page.
import type { BmsLink, Inverter, LimitName } from "../api/types";
import { humanise } from "./format";

export const kLimitTitle: Record<LimitName, string> = {
  cvl: "Charge voltage",
  ccl: "Charge current",
  dcl: "Discharge current",
  dvl: "Discharge voltage",
};

export const kLimitMeaning: Record<LimitName, string> = {
  cvl: "The inverter charges up to this voltage and no further.",
  ccl: "The most the battery may be charged with now. 0 A asks every charger to stop.",
  dcl: "The most that may be drawn from the battery now.",
  dvl: "The inverter stops discharging at this voltage.",
};

export const kLimitUnit: Record<LimitName, string> = { cvl: "V", ccl: "A", dcl: "A", dvl: "V" };

const kReasons: Record<string, string> = {
  profile: "set for this battery",
  profile_max: "set for this battery",
  user: "asked for by a person or a controller",
  bms_cut_off: "kept below the BMS's own cut-off",
  bms_published_limit: "asked for by the BMS",
  cell_voltage_high: "a cell is nearly full",
  cell_voltage_low: "a cell is nearly empty",
  temperature_high: "the battery is warm",
  temperature_low: "the battery is cold",
  soc_low: "the reserve is reached",
  imbalance: "the cells have drifted apart",
  ramp: "rising slowly",
  recovery: "waiting a moment after a recovery",
  missing: "the BMS has not reported all it must",
  stale: "no fresh reading from the BMS",
  implausible: "readings contradict each other",
  fault: "the BMS reports a fault",
  inverter_lost: "the inverter does not answer",
};

export const describe_reason = (reason: string) => kReasons[reason] ?? humanise(reason).toLowerCase();

const kSetBy: Record<string, string> = {
  configuration: "your settings",
  amphora: "Amphora",
  bms: "the BMS",
  inverter: "the inverter",
  user: "a person or a controller",
};
export const describe_by = (by: string | undefined) => (by === undefined ? undefined : (kSetBy[by] ?? humanise(by)));

export type Tone = "good" | "busy" | "warn" | "bad" | "neutral";
export interface Status {
  tone: Tone;
  title: string;
  text: string;
}

const kPhases: Record<string, Status> = {
  waiting_for_battery: {
    tone: "busy",
    title: "Waiting for the battery",
    text: "Nothing is sent until the first complete reading.",
  },
  announcing: { tone: "busy", title: "Announcing", text: "Limits are sent; the inverter has not answered yet." },
  online: { tone: "good", title: "Online", text: "The inverter receives limits and answers." },
  lost: { tone: "bad", title: "Inverter lost", text: "It no longer answers; currents are limited to zero." },
  silent: { tone: "bad", title: "Silent", text: "The inverter stayed away; sending has stopped and is tried again." },
  battery_stale: { tone: "bad", title: "Battery lost", text: "No fresh readings; currents are limited to zero." },
  battery_lost: { tone: "bad", title: "Battery lost", text: "The BMS stayed away; nothing is sent until it returns." },
  fault: { tone: "bad", title: "Fault", text: "The BMS reports a fault; currents are limited to zero." },
  implausible: { tone: "bad", title: "Implausible", text: "Readings contradict each other; currents are zero." },
  bus_off: { tone: "bad", title: "Bus off", text: "The CAN line is broken or no other device acknowledges." },
};

export function describe_phase(inverter: Inverter | undefined): Status {
  if (!inverter) return { tone: "neutral", title: "Unknown", text: "The box has not told yet." };
  return kPhases[inverter.phase] ?? { tone: "neutral", title: humanise(inverter.phase), text: "" };
}

const kLinks: Record<string, Status> = {
  connected: { tone: "good", title: "Connected", text: "The BMS answers." },
  degraded: { tone: "warn", title: "Degraded", text: "Some answers are missing or damaged." },
  failing: { tone: "bad", title: "Failing", text: "Most answers are missing." },
  disconnected: { tone: "bad", title: "Disconnected", text: "The BMS does not answer. Check cable and port." },
};

export function describe_link(link: BmsLink | undefined): Status {
  if (!link) return { tone: "neutral", title: "Unknown", text: "The box has not told yet." };
  return kLinks[link.state] ?? { tone: "neutral", title: humanise(link.state), text: "" };
}

const kActivities: Record<string, string> = {
  idle: "Idle",
  charging: "Charging",
  fully_charged: "Fully charged",
  discharging: "Discharging",
  regeneration: "Regenerating",
  fault: "Fault",
};
export const describe_activity = (activity: string | undefined) =>
  activity === undefined ? "–" : (kActivities[activity] ?? humanise(activity));

const kAlarms: Record<string, string> = {
  general: "General alarm",
  high_voltage: "Voltage too high",
  low_voltage: "Voltage too low",
  high_temperature: "Too hot",
  low_temperature: "Too cold",
  high_temperature_charge: "Too hot to charge",
  low_temperature_charge: "Too cold to charge",
  high_discharge_current: "Discharge current too high",
  high_charge_current: "Charge current too high",
  contactor: "Contactor problem",
  short_circuit: "Short circuit",
  bms_internal: "Fault inside the BMS",
  cell_imbalance: "Cells have drifted apart",
};
export const describe_alarm = (name: string) => kAlarms[name] ?? humanise(name);

const kSources: Record<string, string> = {
  bms: "BMS",
  inverter: "Inverter",
  mqtt: "MQTT",
  storage: "Storage",
  settings: "Settings",
  auth: "Sign-in",
  box: "Box",
  link: "Radio link",
  energy: "Energy",
  packnet: "Pack network",
  pack: "Pack",
};
export const describe_source = (source: string) => kSources[source] ?? humanise(source);
