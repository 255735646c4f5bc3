// SPDX-License-Identifier: Apache-2.0
// The part of the simulated box that makes it an energy pack: where power flows, modes and the relays they hold, manual
// orders, the settings that all packs share, two more packs on the bus, and the lights. `box.options` put it into the states
// a test needs; they may be changed while it runs.
//   home_w, grid_w    fixed figures; the sun is what they leave over
//   pack_count        packs on the bus, this one included (default 3)
//   pack_security     sealed or plain
//   pack_away         node that is not heard any longer
//   relay_stuck       name of a relay whose contact does not follow
//   hindered          name of a relay that is kept by its minimum time
import { Refusal } from "./refusal.mjs";

export const kSelfNode = 12;
const kOtherNodes = [9, 4, 31, 52, 77, 101, 126];
const kHardware = "0000a1b2c3d4e5f6";
const kOrigin = "a1:b2:c3:d4:e5:f6"; // the lower 48 bits of the hardware number
const kOtherOrigin = "a1:b2:c3:d4:e6:09";
const kStaleAfter_s = 10;
const kMinutesMax = 10_080;
const kDayMs = 86_400_000;
// The pack's clock is not the browser's: it is two hours ahead of UTC.
const kOffsetMs = 2 * 3_600_000;
const local_text = (shifted) => `${shifted.toISOString().slice(0, 19)}+02:00`;

const number = (name, title, unit, value, min, max, step, help) => ({
  name,
  title,
  unit,
  kind: "number",
  value,
  min,
  max,
  step,
  ...(help ? { help } : {}),
});
const flag = (name, title, value, help) => ({ name, title, kind: "bool", value, ...(help ? { help } : {}) });

const modes_section = () => ({
  name: "modes",
  title: "Modes",
  help: "Which modes are on, and their thresholds.",
  fields: [
    flag("self_consumption", "Self-consumption", true),
    flag("eco", "Eco", false),
    flag("time_of_use", "Time of use", false),
    flag("backup", "Backup", false),
    flag("import_limit", "Limit of import", true),
    number("soc_low_percent", "Low state of charge", "%", 10, 0, 100, 0.01),
    number("soc_high_percent", "High state of charge", "%", 50, 0, 100, 0.01),
    number("eco_limit_w", "Limit of eco", "W", 5000, 100, 100_000, 1),
    flag("eco_falls_back", "Eco gives way", false, "Self-consumption then runs instead."),
    number("import_limit_kwh", "Energy from the grid", "kWh", 10, 2, 30, 0.001),
    number("import_reset_minute", "Reset of the energy counter", "min", 300, 0, 1439, 1, "Minutes after midnight."),
    number(
      "soc_minimum_percent",
      "Lowest state of charge",
      "%",
      5,
      0,
      90,
      0.01,
      "The battery is not discharged below, whatever modes and people want.",
    ),
    number("soc_minimum_release_percent", "Release of the lowest state of charge", "%", 8, 0, 100, 0.01),
  ],
});

const schedule_section = () => ({
  name: "schedule",
  title: "Schedule",
  help: "When the inverter output is on while time of use is on.",
  fields: Array.from({ length: 8 }, (_, i) => ({
    name: `window_${i + 1}`,
    title: `Window ${i + 1}`,
    kind: "window",
    help: "As in 22:00-06:00 1-5: from, to, days from 1 Monday to 7 Sunday. Empty: unused.",
    value: ["22:00-06:00 1-5", "10:00-16:30 6-7"][i] ?? "",
  })),
});

const kShed = [
  ["inverter_output", "Inverter output", 3],
  ["pool_pump", "Pool pump", 2],
  ["water_heater", "Water heater", 1],
  ["load_3", "Load 3", 0],
  ["load_4", "Load 4", 0],
  ["load_5", "Load 5", 0],
  ["load_6", "Load 6", 0],
];
const loads_section = () => ({
  name: "loads",
  title: "Loads",
  help: "The order in which eco switches loads off: 1 is the first, 0 is never.",
  fields: kShed.map(([name, title, value]) => number(`shed_${name}`, title, "", value, 0, 7, 1)),
});

const kHolderTitles = {
  safety: "Safety",
  minimum_soc: "Minimum charge",
  import_limit: "Import limit",
  backup: "Backup",
  self_consumption: "Self-consumption",
  eco: "Eco",
  time_of_use: "Time of use",
  manual: "A person",
  default: "Nobody",
};
const kReasons = {
  nothing_asked: "No mode asks for anything.",
  bms_stale: "Nothing heard from the BMS for 10 s.",
  import_exhausted: "The day's energy from the grid is used up.",
  backup_on: "Backup is on.",
  soc_low: "State of charge at or below the low threshold.",
  soc_high: "State of charge at or above the high threshold.",
  soc_between: "State of charge between the thresholds: as it was.",
  outside_windows: "Outside all windows.",
  ordered: "Ordered by a person.",
};
const kRelays = [
  ["grid", "Grid"],
  ["inverter_output", "Inverter output"],
  ["pool_pump", "Pool pump"],
  ["water_heater", "Water heater"],
];
const kSegments = [0x3f, 0x06, 0x5b, 0x4f, 0x66, 0x6d, 0x7d, 0x07, 0x7f, 0x6f];

export class SimPack {
  constructor(box) {
    this.box = box;
    this.revision = 4;
    this.changed = [];
    this.counted_kwh = 3.42;
    this.orders = new Map(); // relay -> { position, until_s }
    this.positions = new Map(kRelays.map(([name]) => [name, { position: "closed", switched_at_s: -340 }]));
    this.accepted = 4;
    this.identify_until_s = 0;
    this.sections = [modes_section(), schedule_section(), loads_section()].map((section, i) => ({
      version: i === 2 ? 0 : 5 - i,
      origin: kOrigin,
      changed_at: new Date(Date.now() - (i + 1) * 47 * 60_000).toISOString(),
      sync: "synchronised",
      ...section,
    }));
  }

  seed_events() {
    const list = [
      [300, "info", "box", "started", "Amphora 0.1.0 started as pack.", { version: "0.1.0" }],
      [299, "notice", "packnet", "claimed", "This pack is number 12 on its bus.", { node: kSelfNode }],
      [298, "notice", "packnet", "elected", "Pack 12 leads (term 3).", { master: kSelfNode, term: 3 }],
      [180, "warning", "energy", "warning_raised", "The home has been over the eco limit for two minutes.", {}],
      [41, "notice", "energy", "switched", "Grid opened by self-consumption: high threshold.", { relay: "grid" }],
      [12, "info", "pack", "poll_failed", "One poll of the BMS failed; the next one was answered.", {}],
    ];
    for (const [minutes, level, source, code, text, data] of list)
      this.box.add_event(level, source, code, text, data, Date.now() - minutes * 60_000);
  }

  value_of(section, field) {
    return this.sections.find((entry) => entry.name === section).fields.find((entry) => entry.name === field).value;
  }
  is_on(mode) {
    return this.value_of("modes", mode) === true;
  }
  get is_safe_state() {
    return this.box.silent_s >= kStaleAfter_s;
  }
  get limit_kwh() {
    return this.value_of("modes", "import_limit_kwh");
  }
  get is_exhausted() {
    return this.is_on("import_limit") && this.counted_kwh >= this.limit_kwh;
  }

  // All that ask for a relay, the first in line first; the arbiter's order, with the rules of the modes cut short.
  asks_of(relay) {
    const asks = [];
    const ask = (holder, wants, reason) => asks.push({ holder, wants, reason, reason_text: kReasons[reason] });
    if (relay === "grid") {
      if (this.is_exhausted) ask("import_limit", "open", "import_exhausted");
      if (this.is_safe_state) ask("safety", "close", "bms_stale");
      if (this.is_on("backup")) ask("backup", "close", "backup_on");
      if (this.is_on("self_consumption")) {
        const high = this.box.soc >= this.value_of("modes", "soc_high_percent");
        const low = this.box.soc <= this.value_of("modes", "soc_low_percent");
        ask(
          "self_consumption",
          low ? "close" : high ? "open" : "hold",
          low ? "soc_low" : high ? "soc_high" : "soc_between",
        );
      }
    } else {
      if (this.is_safe_state) ask("safety", relay === "inverter_output" ? "hold" : "open", "bms_stale");
      if (relay === "inverter_output" && this.is_on("time_of_use")) ask("time_of_use", "open", "outside_windows");
    }
    const order = this.orders.get(relay);
    if (order) ask("manual", order.position === "open" ? "open" : "close", "ordered");
    ask("default", "close", "nothing_asked");
    return asks;
  }

  requested_of(relay) {
    const { wants } = this.asks_of(relay)[0];
    return wants === "open" ? "open" : wants === "close" ? "closed" : this.positions.get(relay).position;
  }

  step(seconds) {
    const now_s = this.box.time_s;
    for (const [relay, order] of this.orders) if (order.until_s <= now_s) this.orders.delete(relay);
    for (const [name, state] of this.positions) {
      const next = this.requested_of(name);
      if (next === state.position || this.box.options.hindered === name) continue;
      state.position = next;
      state.switched_at_s = now_s;
    }
    this.counted_kwh += (this.grid_w() / 3_600_000) * seconds;
  }

  // As one answer to a change, not with the next step: what the page shows then is what the box does.
  settle() {
    this.step(0);
    this.box.push_groups?.("sections", "modes", "energy", "packs");
  }

  load_w(name) {
    if (this.positions.get(name).position === "open") return 0;
    return name === "pool_pump" ? 640 : 310;
  }
  home_w() {
    return this.box.options.home_w ?? 820 + this.load_w("pool_pump") + this.load_w("water_heater");
  }
  grid_w() {
    if (this.box.options.grid_w !== undefined) return this.box.options.grid_w;
    if (this.positions.get("grid").position === "open") return 0;
    return Math.max(0, this.home_w() + this.box.power());
  }

  energy() {
    const { box } = this;
    const loads = ["pool_pump", "water_heater"].map((name) => ({
      name,
      title: kRelays.find(([relay]) => relay === name)[1],
      power_w: this.load_w(name),
    }));
    const energy = { age_ms: 300, home_w: this.home_w(), grid_w: this.grid_w(), inverter_output_w: 820, loads };
    if (this.is_safe_state) return energy; // what hangs on the battery's figures is unknown without them
    const battery_w = box.power();
    const battery = box.battery();
    for (const name of ["soc_percent", "stored_kwh", "time_to_full_s", "time_to_empty_s"])
      if (battery[name] !== undefined) energy[name] = battery[name];
    const solar_w = Math.max(0, energy.home_w + battery_w - energy.grid_w);
    const all = { ...energy, battery_w, solar_w, soc_source: "bms" };
    for (const name of box.options.unknown) delete all[name];
    return all;
  }

  relay([name, title]) {
    const { position, switched_at_s } = this.positions.get(name);
    const [holding, ...others] = this.asks_of(name);
    const is_stuck = this.box.options.relay_stuck === name;
    const relay = {
      name,
      title,
      commanded: position,
      requested: this.requested_of(name),
      measured: is_stuck ? (position === "open" ? "closed" : "open") : position,
      mismatch: is_stuck,
      holder: holding.holder,
      holder_title: kHolderTitles[holding.holder],
      reason: holding.reason,
      reason_text: holding.reason_text,
      switched_s: Math.round(this.box.time_s - switched_at_s),
      switches_last_hour: 3,
      asks: others,
    };
    if (relay.requested !== position) Object.assign(relay, { hindrance: "minimum_on", hindered_s: 42 });
    if (name !== "grid" && name !== "inverter_output") relay.power_w = this.load_w(name);
    if (name === "grid") relay.power_w = this.grid_w();
    const order = this.orders.get(name);
    if (order) relay.manual = { position: order.position, left_s: Math.round(order.until_s - this.box.time_s) };
    return relay;
  }

  modes() {
    const enabled = ["self_consumption", "eco", "time_of_use", "backup", "import_limit"].filter((mode) =>
      this.is_on(mode),
    );
    const local = new Date(Date.now() + kOffsetMs);
    const modes = {
      enabled,
      running: this.is_safe_state ? [] : enabled,
      time_known: true,
      local_time: local_text(local),
      safety: this.is_safe_state ? [{ cause: "bms_stale", text: kReasons.bms_stale }] : [],
      minimum_soc_reached: false,
      import: { counted_kwh: Math.round(this.counted_kwh * 1000) / 1000, limit_kwh: this.limit_kwh },
      warnings: this.box.options.mode_warnings ?? [],
      inverter_request: { may_charge: true, may_discharge: true },
      relays: kRelays.map((entry) => this.relay(entry)),
    };
    modes.import.exhausted = this.is_exhausted;
    if (this.is_exhausted) {
      const is_past_reset = local.getUTCHours() >= 5;
      const until = new Date(local.getTime() + (is_past_reset ? kDayMs : 0));
      until.setUTCHours(5, 0, 0, 0);
      modes.import.until = local_text(until);
    }
    return modes;
  }

  nodes() {
    const count = this.box.options.pack_count ?? 3;
    const battery = this.box.battery();
    const energy = this.energy();
    const own = {
      node: kSelfNode,
      is_self: true,
      type: "energy-pack",
      firmware: "0.1",
      is_master: true,
      alarm: this.is_safe_state,
      warning: false,
      duplicate: false,
      heard_ms: 0,
      soc_percent: battery.soc_percent,
      voltage_v: battery.voltage_v,
      current_a: battery.current_a,
      power_w: energy.battery_w,
      grid_w: energy.grid_w,
      home_w: energy.home_w,
      solar_w: energy.solar_w,
      modes: this.modes().enabled,
      relays: kRelays.map(([name]) => ({
        name,
        position: this.positions.get(name).position,
        holder: this.asks_of(name)[0].holder,
      })),
      bms_state: this.is_safe_state ? "stale" : "connected",
      cell_min_mv: battery.cells?.min_mv,
      cell_max_mv: battery.cells?.max_mv,
      temperature_max_c: battery.temperature_max_c,
      uptime_s: this.box.time_s + 86_000,
    };
    const others = kOtherNodes.slice(0, count - 1).map((node, i) => {
      const is_away = this.box.options.pack_away === node;
      return {
        ...own,
        node,
        is_self: false,
        is_master: false,
        alarm: false,
        heard_ms: is_away ? 40_000 : 700 + i * 400,
        soc_percent: 58.5 - 7 * i,
        power_w: 410 - 240 * i,
        current_a: 7.9 - 4.5 * i,
        voltage_v: 52.61,
        grid_w: 0,
        home_w: 300,
        solar_w: 710 - 240 * i,
        bms_state: "connected",
        uptime_s: 40_000 + this.box.time_s,
      };
    });
    return [own, ...others].sort((a, b) => b.node - a.node);
  }

  packs() {
    const nodes = this.nodes();
    const heard = nodes.filter((node) => node.heard_ms < 30_000);
    const sum = (name) =>
      heard.every((node) => node[name] !== undefined) ? heard.reduce((all, node) => all + node[name], 0) : undefined;
    const soc = sum("soc_percent");
    return {
      node: kSelfNode,
      hardware: kHardware,
      claim: "claimed",
      master: kSelfNode,
      is_master: true,
      term: 3,
      security: this.box.options.pack_security ?? "sealed",
      bus: {
        interface: "vcan0",
        state: "active",
        frames_sent: 42_180,
        frames_received: 128_400,
        errors: 0,
        dropped: 0,
        bus_off: 0,
        malformed: 0,
        load_percent: 1.6,
      },
      aggregate: {
        power_w: sum("power_w"),
        solar_w: sum("solar_w"),
        grid_w: sum("grid_w"),
        home_w: sum("home_w"),
        soc_percent: soc === undefined ? undefined : Math.round((soc / heard.length) * 100) / 100,
        online: heard.length,
        known: nodes.length,
      },
      settings: { synchronised: this.box.options.pack_settings_waiting !== true },
      commands: { accepted: this.accepted, refused: 1, not_authentic: 0, replayed: 0 },
      nodes,
    };
  }

  indicator() {
    const soc = this.box.battery().soc_percent;
    const is_known = soc !== undefined && !this.is_safe_state;
    const lit = is_known ? Math.max(soc > 0 ? 1 : 0, Math.round(soc / 10)) : 0;
    const colour = soc <= 20 ? "#ff0000" : "#00ff00";
    const bar = Array.from({ length: 10 }, (_, i) => (i < lit ? colour : "#000000"));
    if (is_known && this.box.power() > 5 && lit > 0) bar[Math.floor(this.box.time_s) % lit] = "#0000ff";
    const text = is_known ? String(Math.round(soc)).padStart(3, " ") : "---";
    const digits = [...text].map((sign) => (sign === " " ? 0 : sign === "-" ? 0x40 : kSegments[Number(sign)]));
    const is_blinking = this.identify_until_s > this.box.time_s && Math.floor(this.box.time_s * 2) % 2 === 1;
    return {
      bar: is_blinking ? bar.map(() => "#000000") : bar,
      digits,
      green: true,
      yellow: (this.box.options.mode_warnings ?? []).length > 0,
      red: this.is_safe_state,
      buzzer: false,
    };
  }

  groups() {
    return {
      energy: this.energy(),
      modes: this.modes(),
      packs: this.packs(),
      indicator: this.indicator(),
      sections: { changed: this.changed, revision: this.revision },
    };
  }

  scopes() {
    const told = (section) => ({ ...section, origin_is_self: section.origin === kOrigin });
    return {
      scopes: [
        {
          scope: "own",
          title: "All packs on this bus",
          node: kOrigin,
          online: true,
          editable: true,
          sections: this.sections.map(told),
        },
      ],
    };
  }

  check(section, key, value) {
    const field = section.fields.find((entry) => entry.name === key);
    const at = { field: `values.${key}`, value };
    if (!field) throw new Refusal(422, "unknown_field", `${section.name} has no field ${key}.`, at);
    if (field.min !== undefined && (value < field.min || value > field.max))
      throw new Refusal(422, "out_of_range", `${field.title}: ${value} is outside ${field.min}–${field.max}.`, at);
    if (key === "soc_low_percent" && value >= this.value_of("modes", "soc_high_percent"))
      throw new Refusal(422, "out_of_range", `${field.title}: must be below the value at which the grid opens.`, at);
  }

  write({ scope, section: name, values = {} }) {
    if (scope !== "own") throw new Refusal(404, "unknown_scope", `There is no box ${scope}.`, { field: "scope" });
    const section = this.sections.find((entry) => entry.name === name);
    if (!section) throw new Refusal(404, "unknown_section", `There is no section ${name}.`, { field: "section" });
    for (const [key, value] of Object.entries(values)) this.check(section, key, value);
    for (const [key, value] of Object.entries(values)) section.fields.find((field) => field.name === key).value = value;
    this.touch(section, kOrigin);
    return { result: "saved", version: section.version };
  }

  // Another pack's change has arrived.
  change_from_peer(name, values) {
    const section = this.sections.find((entry) => entry.name === name);
    for (const [key, value] of Object.entries(values)) section.fields.find((field) => field.name === key).value = value;
    this.touch(section, kOtherOrigin);
  }

  touch(section, origin) {
    Object.assign(section, { version: section.version + 1, origin, changed_at: new Date().toISOString() });
    this.revision += 1;
    this.changed = [{ scope: "own", section: section.name, version: section.version }];
    this.settle();
  }

  order({ relay, order, minutes }) {
    const entry = kRelays.find(([name]) => name === relay);
    if (!entry) throw new Refusal(409, "not_fitted", `There is no relay ${relay} on this pack.`, { field: "relay" });
    if (!["open", "closed", "auto"].includes(order))
      throw new Refusal(422, "bad_value", "order: open, closed or auto.", { field: "order", value: order });
    if (order === "auto") {
      this.orders.delete(relay);
      this.settle();
      return {};
    }
    if (!(minutes >= 1 && minutes <= kMinutesMax))
      throw new Refusal(422, "bad_value", "minutes: 1 to 10080.", { field: "minutes", value: minutes });
    const [holding] = this.asks_of(relay);
    if (holding.holder !== "manual" && holding.holder !== "default") {
      const message = `${entry[1]} is held by ${kHolderTitles[holding.holder]}; switch that mode off instead.`;
      throw new Refusal(409, "held_by_mode", message, { field: "relay" });
    }
    this.orders.set(relay, { position: order, until_s: this.box.time_s + minutes * 60 });
    this.settle();
    return {};
  }

  reset_grid_energy() {
    this.counted_kwh = 0;
    this.settle();
    return {};
  }

  identify({ seconds }) {
    this.identify_until_s = this.box.time_s + seconds;
    return {};
  }
}
