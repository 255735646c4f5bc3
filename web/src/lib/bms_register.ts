// SPDX-License-Identifier: Apache-2.0
// Registers of the BMS as a person meets them: in groups, with a sentence on what each does, and packed registers taken
// apart into their parts. Group and help that the box sends come first; these are for registers it only names.
import type { BmsField, BmsSetting } from "../api/types";

interface About {
  group: string;
  help: string;
}

const kVoltages = "Cell voltages";
const kCurrents = "Currents";
const kTemperatures = "Temperatures";
const kPack = "Pack";
const kCharger = "Charging";
const kSwitches = "Switches and inputs";
const kOther = "Other";

const kAbout: Record<string, About> = {
  fully_charged_voltage: {
    group: kVoltages,
    help: "At this voltage, with a small current, the battery counts as full.",
  },
  fully_discharged_voltage: { group: kVoltages, help: "At this voltage the battery counts as empty." },
  early_balancing_threshold: { group: kVoltages, help: "Cells are balanced only above this voltage." },
  allowed_disbalance: { group: kVoltages, help: "Cells closer together than this are left as they are." },
  over_voltage_cutoff: { group: kVoltages, help: "Above this voltage of any cell the BMS stops charging." },
  under_voltage_cutoff: { group: kVoltages, help: "Below this voltage of any cell the BMS stops discharging." },
  charge_finished_current: { group: kCurrents, help: "Below this current at full voltage charging is finished." },
  peak_discharge_current_cutoff: { group: kCurrents, help: "Above this current the BMS disconnects at once." },
  discharge_over_current_cutoff: { group: kCurrents, help: "Above this current the BMS stops discharging." },
  charge_over_current_cutoff: { group: kCurrents, help: "Above this current the BMS stops charging." },
  over_heat_cutoff: { group: kTemperatures, help: "Above this temperature the BMS stops everything." },
  low_temperature_charge_cutoff: { group: kTemperatures, help: "Below this temperature the BMS does not charge." },
  temperature_sensor_type: { group: kTemperatures, help: "Which kind of sensor is connected." },
  capacity: { group: kPack, help: "What the pack holds when full." },
  series_cells: { group: kPack, help: "How many cells are in series." },
  cycle_count_max: { group: kPack, help: "Health is reckoned down to zero over this many cycles." },
  set_soc: { group: kPack, help: "Tells the BMS the charge, after work on the pack. It takes it over once." },
  set_soh: { group: kPack, help: "Tells the BMS the health, for example of used cells. It takes it over once." },
  charger_startup_delay: { group: kCharger, help: "How long a charger may take until current flows." },
  charger_disable_delay: { group: kCharger, help: "How long the charger's switch stays on after charging." },
  charge_restart_level: { group: kCharger, help: "Charging starts again below this charge." },
  charger: {
    group: kCharger,
    help: "What kind of charger is connected, and how long too much discharge current lasts.",
  },
  charger_detection: { group: kCharger, help: "How the BMS notices a charger." },
  charger_switch_type: { group: kCharger, help: "Which output switches the charger." },
  load_switch_type: { group: kSwitches, help: "Which output switches the load." },
  single_port_switch_type: { group: kSwitches, help: "Which output switches both directions." },
  operation_mode: { group: kSwitches, help: "One switch for both directions or one for each. The BMS restarts." },
  ignition_input: { group: kSwitches, help: "Which input keeps the BMS awake." },
  precharge_pin: { group: kSwitches, help: "Which output fills the load's capacitors before it is switched on." },
  precharge_duration: { group: kSwitches, help: "How long they are filled." },
  automatic_recovery: { group: kSwitches, help: "How long the BMS waits before it tries again after a fault." },
  broadcast_period: {
    group: kOther,
    help: "Text that the BMS sends unasked on its line. Amphora does not need it; off is best.",
  },
};

export function group_of(setting: BmsSetting): string {
  return setting.group ?? kAbout[setting.name]?.group ?? kOther;
}

// What the box says is about this BMS, what is said here about the register: both are worth reading.
export function help_of(setting: BmsSetting): string | undefined {
  const parts = [kAbout[setting.name]?.help, setting.help].filter((part) => part !== undefined && part !== "");
  return parts.length === 0 ? undefined : parts.join(" ");
}

// Groups in the order above, each with its settings in the order of their registers.
export function in_groups(settings: BmsSetting[]): [string, BmsSetting[]][] {
  const order = [kVoltages, kCurrents, kTemperatures, kPack, kCharger, kSwitches];
  const rank = (name: string) =>
    name === kOther ? order.length + 1 : order.indexOf(name) < 0 ? order.length : order.indexOf(name);
  const groups = new Map<string, BmsSetting[]>();
  for (const setting of settings) {
    const name = group_of(setting);
    groups.set(name, [...(groups.get(name) ?? []), setting]);
  }
  return [...groups].sort(([a], [b]) => rank(a) - rank(b));
}

// Arithmetic instead of shifts: registers of 32 bits would become negative.
export function field_value(value: number, field: BmsField): number {
  return Math.floor(value / 2 ** field.shift) % 2 ** field.bits;
}

export function with_field(value: number, field: BmsField, next: number): number {
  return value + (next - field_value(value, field)) * 2 ** field.shift;
}

// A list of flags without parts is one bit for each choice, whose value is its weight.
export function fields_of(setting: BmsSetting): BmsField[] {
  if (setting.fields) return setting.fields.filter((field) => field.max > field.min);
  return (setting.choices ?? []).map((choice) => ({
    name: String(choice.value),
    title: choice.text,
    shift: Math.round(Math.log2(Number(choice.value))),
    bits: 1,
    min: 0,
    max: 1,
  }));
}
