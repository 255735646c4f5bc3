// SPDX-License-Identifier: Apache-2.0
// The simulated box: a battery that charges and discharges in slow waves, a BMS link, an inverter, events and settings.
// `options` put it into the states a test needs; they may be changed while it runs.
import { SimLink } from "./sim_link.mjs";
import { SimPack } from "./sim_pack.mjs";
import { sim_bms_settings, sim_box_sections } from "./sim_settings.mjs";

const kDayMs = 86_400_000;

// Small repeatable noise in [0, 1) from an integer.
export function noise(n) {
  const x = Math.sin(n * 127.1 + 311.7) * 43758.5453;
  return x - Math.floor(x);
}

const kDefaults = {
  role: "bms-gateway", // or transmitter, receiver, pack
  radio_link: undefined, // a gateway with a radio: true
  cells: 16,
  login: "none",
  first_run: false,
  viewer_may_look: false,
  bms_silent: false,
  alarms: [],
  warnings: [],
  power_w: undefined, // fixed power; otherwise a wave
  soc_percent: 63.4,
  refuse_register: undefined, // the box refuses a write of it
  fail_write_register: undefined, // the BMS goes away when it is written
  no_websocket: false,
  unknown: [], // names of battery values that the BMS does not report
};

export class SimBox {
  constructor(options = {}) {
    this.options = { ...kDefaults, ...options };
    this.started = Date.now();
    this.time_s = 0;
    this.soc = this.options.soc_percent;
    this.silent_s = 0;
    this.event_id = 0;
    this.events = [];
    this.on_event = () => {};
    this.bms_settings = sim_bms_settings();
    this.sections = sim_box_sections();
    this.sessions = new Set();
    const has_link = ["transmitter", "receiver"].includes(this.options.role) || this.options.radio_link;
    this.link = has_link ? new SimLink(this) : undefined;
    this.pack = this.options.role === "pack" ? new SimPack(this) : undefined;
    this.account = { user: "admin", password: "amphora-test-password" };
    this.csrf = "test-token";
    if (this.pack) this.pack.seed_events();
    else this.seed_events();
  }

  seed_events() {
    const list = [
      [300, "info", "box", "started", "Amphora 0.1.0 started as bms-gateway.", { version: "0.1.0" }],
      [290, "info", "bms", "link_connected", "The BMS answers on /dev/pts/3.", {}],
      [288, "notice", "inverter", "inverter_online", "The inverter answered; limits are in force.", { after_ms: 640 }],
      [
        200,
        "warning",
        "inverter",
        "inverter_lost",
        "No keep-alive from the inverter for 10 s; currents are limited to zero.",
        { silent_ms: 10_020 },
      ],
      [198, "notice", "inverter", "inverter_online", "The inverter answers again.", { away_s: 84 }],
      [120, "info", "mqtt", "mqtt_connected", "Connected to the broker at 127.0.0.1:1883.", {}],
      [
        60,
        "notice",
        "settings",
        "bms_setting_written",
        "Over-voltage cut-off changed from 4.200 V to 4.180 V and read back.",
        { register: 315, by: "admin" },
      ],
    ];
    for (const [minutes, level, source, code, text, data] of list) {
      this.add_event(level, source, code, text, data, Date.now() - minutes * 60_000);
    }
    this.events.unshift(
      ...Array.from({ length: 140 }, (_, i) => ({
        id: i - 139,
        time: new Date(Date.now() - 2 * kDayMs - (140 - i) * 600_000).toISOString(),
        level: "info",
        source: "bms",
        code: "charging_started",
        text: `Charging started (${i + 1}).`,
        data: {},
      })),
    );
  }

  add_event(level, source, code, text, data = {}, time = Date.now()) {
    this.event_id += 1;
    const event = {
      id: this.event_id,
      time: new Date(time).toISOString(),
      uptime_ms: Math.round(this.time_s * 1000),
      level,
      source,
      code,
      text,
      data,
    };
    this.events.push(event);
    this.on_event(event);
    return event;
  }

  may_look(request) {
    const { login, first_run, viewer_may_look } = this.options;
    if (login === "none") return true;
    if (first_run) return false;
    return viewer_may_look || this.user_of(request) !== undefined;
  }

  user_of(request) {
    const cookie = /amphora_session=([\w-]+)/.exec(request.headers.cookie ?? "")?.[1];
    return cookie !== undefined && this.sessions.has(cookie) ? this.account.user : undefined;
  }

  step(seconds) {
    this.time_s += seconds;
    this.link?.step(seconds);
    this.silent_s = this.options.bms_silent ? this.silent_s + seconds : 0;
    this.pack?.step(seconds);
    this.soc = Math.min(100, Math.max(0, this.soc + (this.power() / 5120 / 3600) * 100 * seconds));
  }

  power() {
    if (this.options.power_w !== undefined) return this.options.power_w;
    return Math.round(1450 * Math.sin(this.time_s / 40 + 1) + 30 * noise(Math.floor(this.time_s)));
  }

  cells() {
    const count = this.options.cells;
    const base = 3285 + this.soc * 0.6 + this.power() / 90;
    const spread = this.options.warnings.includes("cell_imbalance") ? 70 : 9;
    const mv = Array.from({ length: count }, (_, i) =>
      Math.round(base + (noise(i * 7 + 3) - 0.5) * spread + (noise(i + Math.floor(this.time_s) * 31) - 0.5) * 2),
    );
    const min = Math.min(...mv);
    const max = Math.max(...mv);
    return {
      age_ms: 120 + this.silent_s * 1000,
      count,
      mv,
      min_mv: min,
      max_mv: max,
      average_mv: Math.round(mv.reduce((sum, value) => sum + value, 0) / count),
      delta_mv: max - min,
      min_index: mv.indexOf(min),
      max_index: mv.indexOf(max),
      balancing: mv.map((value) => value >= max - 1 && this.soc > 50),
      imbalance_warning: spread > 50,
    };
  }

  battery() {
    const power = this.power();
    const cells = this.cells();
    const voltage = cells.mv.reduce((sum, value) => sum + value, 0) / 1000;
    const online = this.silent_s < 5;
    const seconds = (kwh) => Math.round((kwh / (Math.abs(power) / 1000)) * 3600);
    const battery = {
      online,
      age_ms: 120 + Math.round(this.silent_s * 1000),
      driver: this.pack ? "modbus" : "tinybms",
      manufacturer: "Enepaq",
      model: "TinyBMS",
      firmware: "242",
      soc_percent: Math.round(this.soc * 100) / 100,
      soh_percent: 99.1,
      voltage_v: Math.round(voltage * 100) / 100,
      current_a: Math.round((power / voltage) * 10) / 10,
      power_w: power,
      activity: power > 5 ? "charging" : power < -5 ? "discharging" : "idle",
      capacity_ah: 100,
      stored_kwh: Math.round(this.soc * 51.2) / 1000,
      temperature_internal_c: 24.6,
      temperature_external_c: [22.9, null],
      temperature_min_c: 22.9,
      temperature_max_c: 24.6,
      cells,
      energy_in_kwh: 1234.5 + this.time_s / 3600,
      energy_out_kwh: 1107.2 + this.time_s / 4000,
      cycle_count: 211,
      alarms: this.options.alarms,
      warnings: this.options.warnings,
      faults: [],
    };
    if (power > 5) battery.time_to_full_s = seconds((5.12 * (100 - this.soc)) / 100);
    if (power < -5) battery.time_to_empty_s = seconds((5.12 * this.soc) / 100);
    for (const name of this.options.unknown) delete battery[name];
    return battery;
  }

  limits() {
    if (this.silent_s >= 5) {
      const zero = [{ reason: "stale", by: "amphora", allows: 0 }];
      return {
        cvl_v: 55.2,
        ccl_a: 0,
        dcl_a: 0,
        dvl_v: 48,
        allowed: false,
        reasons: { ccl: zero, dcl: zero, cvl: [{ reason: "profile", by: "configuration", allows: 55.2 }] },
      };
    }
    return {
      cvl_v: 55.2,
      ccl_a: 38.5,
      dcl_a: 100,
      dvl_v: 48,
      allowed: true,
      reasons: {
        cvl: [{ reason: "profile", by: "configuration", allows: 55.2 }],
        ccl: [
          { reason: "cell_voltage_high", by: "amphora", allows: 38.5 },
          { reason: "profile", by: "configuration", allows: 50 },
        ],
        dcl: [{ reason: "profile", by: "configuration", allows: 100 }],
        dvl: [{ reason: "profile", by: "configuration", allows: 48 }],
      },
    };
  }

  inverter() {
    return {
      protocol: "victron",
      phase: this.silent_s >= 60 ? "battery_lost" : this.silent_s >= 5 ? "battery_stale" : "online",
      since_s: this.time_s,
      keepalive_age_ms: 400,
      can: { interface: "can0", state: "active", frames_sent: 1200, frames_received: 90, errors: 0, dropped: 0 },
      limit_gap_max_ms: 210,
      name: "Victron GX",
    };
  }

  state() {
    return {
      box: {
        name: "Battery",
        site: "home",
        role: this.options.role,
        version: "0.1.0",
        commit: "abc1234",
        uptime_s: this.time_s,
        time: new Date().toISOString(),
        login: this.options.login,
        first_run: this.options.first_run,
        demo: this.options.login === "none",
      },
      ...(this.options.role === "receiver" ? this.received_groups() : this.measured_groups()),
      ...(this.link ? { link: this.link.state(), sections: this.link.notice() } : {}),
      ...(this.pack ? this.pack.groups() : {}),
      storage: { ok: true, history_rows: 12_345, queued: 0, dropped: 0 },
    };
  }

  // The battery as the transmitter told it last; nothing else of that side is known here.
  received_groups() {
    const age_ms = Math.round(this.link.away_s * 1000) + 300;
    const { driver: _driver, ...battery } = this.battery();
    if (battery.cells) battery.cells.age_ms = age_ms;
    return { battery: { ...battery, age_ms, online: this.link.peer_state !== "disconnected" } };
  }

  measured_groups() {
    const groups = {
      battery: this.battery(),
      limits: this.limits(),
      inverter: this.inverter(),
      bms_link: {
        port: "/dev/pts/3",
        state: this.silent_s >= 5 ? "disconnected" : this.silent_s > 1 ? "failing" : "connected",
        since_s: this.time_s,
        requests_sent: 900,
        replies_received: 899,
        timeouts: 1,
        retries: 1,
        crc_errors: 0,
        noise_bytes: 0,
        history: [
          {
            time: new Date(this.started - 60_000).toISOString(),
            from: "disconnected",
            to: "connected",
            reason: "sign_of_life",
          },
        ],
      },
      mqtt: { enabled: true, connected: true, host: "127.0.0.1", port: 1883, queued: 0, dropped: 0, published: 123 },
      control: { loop_delay_us_max: 900, loop_delay_us_last: 80, reports_dropped: 0 },
    };
    // A transmitter without an inverter of its own sets no limits. A pack's inverter is inside it.
    if (this.options.no_inverter || this.pack) {
      delete groups.inverter;
      delete groups.limits;
    }
    return groups;
  }

  history(from, to, points, names) {
    const step_ms = Math.max(1000, Math.ceil((to - from) / points / 1000) * 1000);
    const time = [];
    const series = Object.fromEntries(names.map((name) => [name, []]));
    for (let at = Math.ceil(from / step_ms) * step_ms; at <= to; at += step_ms) {
      time.push(at);
      const day = (at % kDayMs) / kDayMs;
      const gap = day > 0.3 && day < 0.315;
      const sun = Math.max(0, Math.sin((day - 0.25) * 2 * Math.PI));
      const power = 2600 * sun - 620 - 380 * noise(Math.floor(at / 900_000)) * (1 - sun);
      const soc = 55 + 35 * Math.sin((day - 0.45) * 2 * Math.PI);
      const cell = 3270 + soc * 0.7 + power / 60;
      const values = {
        power_w: power,
        soc_percent: soc,
        voltage_v: (cell * 16) / 1000,
        cell_min_mv: cell - 5 - 6 * sun,
        cell_max_mv: cell + 5 + 9 * sun,
        temperature_c: 21 + 4 * sun,
        current_a: power / 52,
      };
      for (const name of names) series[name].push(gap ? null : Math.round((values[name] ?? 0) * 100) / 100);
    }
    return { from, to, step_ms, time, series };
  }

  days(count) {
    return Array.from({ length: count }, (_, i) => {
      const at = Date.now() - (count - 1 - i) * kDayMs;
      const n = Math.floor(at / kDayMs);
      return {
        date: new Date(at).toISOString().slice(0, 10),
        energy_in_kwh: Math.round((2 + 5 * noise(n)) * 100) / 100,
        energy_out_kwh: Math.round((1.8 + 4.4 * noise(n)) * 100) / 100,
        soc_min_percent: 22,
        soc_max_percent: 96,
        cell_delta_max_mv: 18,
      };
    });
  }
}
