// SPDX-License-Identifier: Apache-2.0
// A few settings of each kind, enough for every control of the settings pages.
const number = (register, name, title, unit, value, [min, max], step) => {
  const raw = Math.round(value / step);
  return { register, name, title, unit, value, raw, min, max, step, writable: true, kind: "number" };
};

const kFlagFields = [
  { name: "invert_sensor", title: "Invert external current sensor", unit: "", shift: 0, bits: 1, min: 0, max: 1 },
  { name: "no_switch_test", title: "Do not test the switches", unit: "", shift: 1, bits: 1, min: 0, max: 1 },
  { name: "restart_level", title: "Use the charge restart level", unit: "", shift: 2, bits: 1, min: 0, max: 1 },
  { name: "timeout", title: "Discharge over-current time-out", unit: "s", shift: 8, bits: 8, min: 0, max: 30 },
];

const kSwitchChoices = ["FET", "AIDO1", "AIDO2", "DIDO1"].map((text, value) => ({ value, text }));

export function sim_bms_settings() {
  return [
    number(300, "fully_charged_voltage", "Fully charged voltage", "V", 4.15, [1.2, 4.5], 0.001),
    number(301, "fully_discharged_voltage", "Fully discharged voltage", "V", 3, [1, 3.5], 0.001),
    number(315, "over_voltage_cutoff", "Over-voltage cut-off", "V", 4.2, [1.2, 4.5], 0.001),
    number(316, "under_voltage_cutoff", "Under-voltage cut-off", "V", 2.9, [0.8, 3.5], 0.001),
    number(317, "discharge_over_current_cutoff", "Discharge over-current cut-off", "A", 60, [1, 750], 1),
    number(318, "charge_over_current_cutoff", "Charge over-current cut-off", "A", 20, [1, 750], 1),
    number(319, "over_heat_cutoff", "Over-heat cut-off", "°C", 60, [20, 90], 1),
    { ...number(307, "series_cells", "Cells in series", "", 14, [4, 16], 1), writable: false },
    {
      register: 329,
      name: "flags",
      title: "Options",
      kind: "flags",
      writable: true,
      value: 2,
      raw: 2,
      fields: kFlagFields,
    },
    {
      register: 331,
      name: "load_switch_type",
      title: "Load switch",
      kind: "choice",
      writable: true,
      value: 0,
      raw: 0,
      choices: kSwitchChoices,
    },
  ];
}

export function sim_box_sections() {
  return [
    {
      name: "battery",
      title: "Battery",
      help: "Limits that Amphora never exceeds, whatever the BMS allows.",
      restart_needed: false,
      fields: [
        {
          name: "charge_current_max_a",
          title: "Largest charge current",
          unit: "A",
          kind: "number",
          value: 50,
          min: 0,
          max: 500,
          step: 1,
          default: 50,
          help: "The inverter is never allowed more.",
        },
        {
          name: "discharge_current_max_a",
          title: "Largest discharge current",
          unit: "A",
          kind: "number",
          value: 100,
          min: 0,
          max: 500,
          step: 1,
          default: 100,
        },
        {
          name: "chemistry",
          title: "Chemistry",
          kind: "choice",
          value: "lfp",
          choices: [
            { value: "lfp", text: "LFP" },
            { value: "nmc", text: "NMC" },
          ],
          help: "Decides the curves for charge limits.",
        },
      ],
    },
    {
      name: "mqtt",
      title: "MQTT",
      help: "Where values and events are published.",
      restart_needed: false,
      fields: [
        { name: "enabled", title: "Publish on MQTT", kind: "bool", value: true },
        { name: "host", title: "Broker", kind: "text", value: "127.0.0.1", help: "Name or address." },
        { name: "port", title: "Port", kind: "number", value: 1883, min: 1, max: 65535, step: 1 },
        { name: "password", title: "Password", kind: "secret", is_set: true, help: "Can be replaced, never read." },
      ],
    },
  ];
}
