// SPDX-License-Identifier: Apache-2.0
// The radio side of the simulated box: one peer, the state sections of both sides, pairing. `box.options` put it into the
// states a test needs; they may be changed while it runs.
//   peer_away         the other box is not heard any longer
//   sync_ms           how long the other side takes to confirm a change
import { Refusal } from "./refusal.mjs";

export const kTransmitterNode = "02:00:00:00:00:01";
export const kReceiverNode = "02:00:00:00:00:02";
const kCode = "407129";
const kCodeLife_s = 300;
const kTries = 3;
const kBeaconPeriod_s = 15;
// A receiver gives up after 30 s without a beacon, a transmitter after 90 s; here both after 30.
const kAway_s = { degraded: 10, failing: 20, disconnected: 30 };

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

function battery_section() {
  return {
    name: "battery",
    title: "Battery",
    help: "What the battery is made of, and how much it may be asked for.",
    fields: [
      number(
        "charge_current_max_a",
        "Largest charge current",
        "A",
        50,
        0,
        500,
        1,
        "The inverter is never allowed more.",
      ),
      number("soc_reserve_percent", "Reserve", "%", 10, 0, 100, 1),
      {
        name: "chemistry",
        title: "Chemistry",
        kind: "choice",
        value: "lfp",
        choices: [
          { value: "lfp", text: "LFP" },
          { value: "nmc", text: "NMC" },
        ],
      },
    ],
  };
}

const network_section = () => ({
  name: "network",
  title: "Network",
  help: "How the transmitter reaches the wired network.",
  fields: [
    { name: "dhcp", title: "Address from the router", kind: "bool", value: false, help: "Off: the addresses below." },
    { name: "address", title: "Address", kind: "ip", value: "192.168.1.20" },
    { name: "gateway", title: "Router", kind: "ip", value: "192.168.1.1" },
  ],
});

const mqtt_section = () => ({
  name: "mqtt",
  title: "MQTT",
  help: "The broker that the transmitter publishes to.",
  fields: [
    { name: "enabled", title: "Publish on MQTT", kind: "bool", value: true },
    { name: "server", title: "Server", kind: "text", value: "broker.home" },
    { name: "password", title: "Password", kind: "secret", is_set: true, help: "Can be replaced, never read." },
  ],
});

const metadata_section = () => ({
  name: "metadata",
  title: "About",
  read_only: true,
  fields: [
    { name: "device_name", title: "Name", kind: "text", value: "Battery" },
    { name: "firmware", title: "Firmware", kind: "text", value: "0.1.0" },
    { name: "board", title: "Board", kind: "text", value: "x86-64, Linux" },
    { name: "ram_mb", title: "Memory", kind: "number", unit: "MB", value: 2048, step: 1 },
  ],
});

const display_section = () => ({
  name: "display",
  title: "Display",
  help: "How this box shows values.",
  fields: [
    {
      name: "theme",
      title: "Colours",
      kind: "choice",
      value: "auto",
      choices: [
        { value: "auto", text: "As the system" },
        { value: "light", text: "Light" },
        { value: "dark", text: "Dark" },
      ],
    },
    { name: "time_zone", title: "Time zone", kind: "text", value: "Europe/Berlin" },
  ],
});

const stamped = (sections, origin, sync, minutes) =>
  sections.map((section, i) => ({
    version: i === 1 ? 0 : 3 + i,
    origin,
    changed_at: new Date(Date.now() - (minutes + i * 7) * 60_000).toISOString(),
    sync,
    ...section,
  }));

export class SimLink {
  constructor(box) {
    this.box = box;
    this.is_receiver = box.options.role === "receiver";
    this.node = this.is_receiver ? kReceiverNode : kTransmitterNode;
    this.peer_node = this.is_receiver ? kTransmitterNode : kReceiverNode;
    this.time_s = 3_725;
    this.away_s = 0;
    this.since_s = 3_712;
    this.peer_state = "connected";
    this.has_peer = true;
    this.history = this.first_history();
    this.pairing = { state: "idle" };
    this.pairing_until_s = 0;
    this.revision = 17;
    this.changed = [];
    this.confirmations = []; // sections that wait for the other side: { section, at_s }
    this.sections = this.is_receiver
      ? {
          own: stamped([display_section()], kReceiverNode, "local", 600),
          [kTransmitterNode]: stamped(
            [battery_section(), network_section(), mqtt_section(), metadata_section()],
            kTransmitterNode,
            "synchronised",
            90,
          ),
        }
      : {
          own: stamped(
            [battery_section(), network_section(), mqtt_section(), metadata_section()],
            kTransmitterNode,
            "synchronised",
            90,
          ),
        };
    this.rejected = { malformed: 0, unsealed: 0, other_session: 2, altered: 0, replayed: 0 };
  }

  first_history() {
    const at = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
    return [
      { time: at(3_712), from: "disconnected", to: "connected", reason: "sign_of_life" },
      { time: at(3_790), from: "failing", to: "disconnected", reason: "silence" },
      { time: at(3_850), from: "degraded", to: "failing", reason: "silence" },
      { time: at(3_880), from: "connected", to: "degraded", reason: "reported" },
      { time: at(86_000), from: "disconnected", to: "connected", reason: "sign_of_life" },
      { time: at(86_004), from: "disconnected", to: "disconnected", reason: "never_seen" },
    ];
  }

  // The peer has been silent for this long, at once, with all changes on the way.
  set_away(seconds) {
    this.box.options.peer_away = true;
    this.away_s = seconds;
    this.update_state();
  }

  update_state() {
    const next = this.box.options.peer_away
      ? this.away_s >= kAway_s.disconnected
        ? "disconnected"
        : this.away_s >= kAway_s.failing
          ? "failing"
          : this.away_s >= kAway_s.degraded
            ? "degraded"
            : "connected"
      : "connected";
    if (next === this.peer_state) return;
    const reason = next === "connected" ? "sign_of_life" : "silence";
    this.history.unshift({ time: new Date().toISOString(), from: this.peer_state, to: next, reason });
    this.peer_state = next;
    this.since_s = 0;
  }

  step(seconds) {
    this.time_s += seconds;
    this.since_s += seconds;
    this.away_s = this.box.options.peer_away ? this.away_s + seconds : 0;
    this.update_state();
    for (const waiting of this.confirmations.splice(0)) {
      if (this.box.options.peer_away || waiting.at_s > this.time_s) this.confirmations.push(waiting);
      else this.mark(waiting.scope, waiting.section, { sync: "synchronised" });
    }
    if (this.pairing.state === "showing" && this.time_s >= this.pairing_until_s)
      this.pairing = { state: "failed", reason: "expired", tries_left: 0 };
    if (this.pairing.state === "exchanging" && this.time_s >= this.exchanged_at_s) this.finish_exchange();
  }

  mark(scope, section, changes) {
    Object.assign(section, changes);
    this.revision += 1;
    this.changed = [{ scope, section: section.name, version: section.version }];
    this.box.push_groups?.("sections");
  }

  // The other side changed a section, and its change has arrived.
  change_from_peer(scope, name, values, more = {}) {
    const section = this.sections[scope].find((entry) => entry.name === name);
    for (const [key, value] of Object.entries(values)) section.fields.find((field) => field.name === key).value = value;
    this.mark(scope, section, {
      version: section.version + 1,
      origin: this.peer_node,
      changed_at: new Date().toISOString(),
      sync: "synchronised",
      ...more,
    });
  }

  write({ scope, section: name, values = {} }) {
    const list = this.sections[scope];
    if (!list) throw new Refusal(404, "unknown_scope", `There is no box ${scope}.`, { field: "scope" });
    if (scope !== "own" && this.peer_state === "disconnected") {
      const message = `Transmitter ${scope} is offline; its last beacon was ${Math.round(this.away_s)} s ago.`;
      throw new Refusal(409, "peer_offline", message, { field: "scope" });
    }
    const section = list.find((entry) => entry.name === name);
    if (!section) throw new Refusal(404, "unknown_section", `There is no section ${name}.`, { field: "section" });
    for (const [key, value] of Object.entries(values)) {
      const field = section.fields.find((entry) => entry.name === key);
      const at = { field: `values.${key}`, value };
      if (key === "soc_reserve_percent" && value > 90)
        throw new Refusal(422, "out_of_range", `Reserve: ${value} % leaves nothing to use; at most 90 %.`, at);
      if (field.min !== undefined && (value < field.min || value > field.max))
        throw new Refusal(422, "out_of_range", `${field.title}: ${value} is outside ${field.min}–${field.max}.`, at);
    }
    for (const [key, value] of Object.entries(values)) {
      const field = section.fields.find((entry) => entry.name === key);
      if (field.kind === "secret") field.is_set = value !== "";
      else field.value = value;
    }
    const is_local = this.is_receiver && scope === "own";
    this.mark(scope, section, {
      version: section.version + 1,
      origin: this.node,
      changed_at: new Date().toISOString(),
      sync: is_local ? "local" : "waiting_for_peer",
    });
    if (!is_local)
      this.confirmations.push({ scope, section, at_s: this.time_s + (this.box.options.sync_ms ?? 500) / 1000 });
    return { result: "saved", version: section.version };
  }

  told(section) {
    return { ...section, origin_is_self: section.origin === this.node };
  }

  scopes() {
    const is_away = this.peer_state === "disconnected";
    const own = {
      scope: "own",
      title: "This box",
      node: this.node,
      online: true,
      editable: true,
      sections: this.sections.own.map((section) => this.told(section)),
    };
    if (!this.is_receiver || !this.has_peer) return { scopes: [own] };
    const peer = {
      scope: this.peer_node,
      title: `Transmitter ${this.peer_node}`,
      node: this.peer_node,
      online: !is_away,
      beacon_age_s: this.beacon_age_s(),
      editable: !is_away,
      sections: this.sections[this.peer_node].map((section) => this.told(section)),
    };
    if (is_away) peer.reason = "the transmitter is offline";
    return { scopes: [own, peer] };
  }

  beacon_age_s() {
    return Math.round(this.box.options.peer_away ? this.away_s : this.time_s % kBeaconPeriod_s);
  }

  pair({ action, code, node }) {
    if (action === "forget") {
      if (node !== this.peer_node || !this.has_peer)
        throw new Refusal(404, "unknown_peer", `There is no peer ${node}.`, { field: "node" });
      this.has_peer = false;
      return { result: "forgotten" };
    }
    if (action === "show_code" && !this.is_receiver) {
      this.pairing = { state: "showing", tries_left: kTries };
      this.pairing_until_s = this.time_s + kCodeLife_s;
      return { code: kCode, expires_s: kCodeLife_s };
    }
    if (action === "enter_code" && this.is_receiver) {
      if (!/^\d{6}$/.test(code))
        throw new Refusal(422, "not_a_code", "A code has six digits.", { field: "code", value: code });
      this.start_exchange(code === kCode);
      return { result: "started" };
    }
    throw new Refusal(422, "unknown_action", `${action} is not possible here.`, { field: "action" });
  }

  start_exchange(is_right) {
    this.is_right = is_right;
    this.exchanged_at_s = this.time_s + 1.5;
    this.pairing = { state: "exchanging" };
  }

  finish_exchange() {
    this.has_peer ||= this.is_right;
    this.pairing = this.is_right
      ? { state: "done" }
      : { state: "failed", reason: "wrong_code", tries_left: kTries - 1 };
  }

  peer() {
    const { mode = "sealed", peer_away } = this.box.options;
    const is_away = this.peer_state === "disconnected";
    const peer = {
      node: this.peer_node,
      name: this.is_receiver ? "Garage" : "Living room",
      paired: mode === "sealed",
      state: this.peer_state,
      since_s: this.since_s,
      has_session: !is_away,
      last_heard_ms: peer_away ? this.away_s * 1000 : 400,
      beacon_age_s: this.beacon_age_s(),
      history: this.history.slice(0, 16),
      rejected: { ...this.rejected },
    };
    if (!is_away) Object.assign(peer, { rssi_dbm: -58, status: { mqtt_connected: true, ethernet_up: true } });
    const sent = Math.round(this.time_s);
    if (this.is_receiver) {
      peer.readings = { delivered: sent, duplicates: 4, missing: 0, last_sequence: sent + 90_210, epoch: 7 };
      peer.cells = { complete: 2 * sent, incomplete: 3 };
    } else {
      const waiting = Math.min(250, peer_away ? 3 + Math.round(this.away_s) : 3);
      peer.queue = {
        size: waiting,
        capacity: 250,
        added: sent,
        sent: sent - waiting + 12,
        acked: sent - waiting,
        retried: 12,
        dropped: this.box.options.queue_dropped ?? 0,
        expired: 0,
        high_water: Math.max(41, waiting),
        ack_ms_mean: 9,
        ack_ms_max: 1_840,
        overflow_events: this.box.options.queue_dropped ? 1 : 0,
        watchdog_restarts: 0,
      };
    }
    return peer;
  }

  state() {
    const { mode = "sealed", radio = {} } = this.box.options;
    const pairing = { ...this.pairing };
    if (pairing.state === "showing") pairing.expires_s = Math.max(0, Math.round(this.pairing_until_s - this.time_s));
    const link = {
      role: this.is_receiver ? "receiver" : "transmitter",
      node: this.node,
      mode,
      radio: {
        interface: "wlan1",
        state: "up",
        driver: "ath9k",
        channel: 6,
        send_status: "real",
        frames_sent: 14_210,
        frames_received: 12_877,
        no_ack: 61,
        not_sent: 0,
        malformed: 0,
        ...radio,
      },
      peers: this.has_peer ? [this.peer()] : [],
      pairing,
    };
    if (!this.is_receiver)
      link.discovery = {
        searching: this.peer_state === "disconnected",
        sweeps: 3,
        probes_sent: 22,
        found: 2,
        last_took_ms: 46,
      };
    return link;
  }

  notice() {
    return { changed: this.changed, revision: this.revision };
  }
}
