// SPDX-License-Identifier: Apache-2.0
// What the box says, as it stands on the wire. Field names end in their unit; a value that is not known is absent
// (`undefined` here), never null, 0 or -1. Current and power are positive while charging.
import type { Energy, Indicator, Modes, Packs } from "./pack_types";

export interface Box {
  name: string;
  site?: string;
  role: string;
  version: string;
  commit?: string;
  uptime_s?: number;
  time?: string;
  login?: "none" | "required";
  first_run?: boolean;
  demo?: boolean;
}

export interface Cells {
  age_ms?: number;
  count: number;
  mv: number[];
  min_mv?: number;
  max_mv?: number;
  average_mv?: number;
  delta_mv?: number;
  min_index?: number;
  max_index?: number;
  balancing?: boolean[];
  imbalance_warning?: boolean;
}

export interface Battery {
  online: boolean;
  age_ms?: number;
  driver?: string;
  manufacturer?: string;
  model?: string;
  serial?: string;
  firmware?: string;
  hardware?: string;
  soc_percent?: number;
  soh_percent?: number;
  voltage_v?: number;
  current_a?: number;
  power_w?: number;
  activity?: string;
  capacity_ah?: number;
  stored_kwh?: number;
  time_to_full_s?: number;
  time_to_empty_s?: number;
  temperature_internal_c?: number;
  temperature_external_c?: (number | null)[];
  temperature_min_c?: number;
  temperature_max_c?: number;
  cells?: Cells;
  cell_min_mv?: number; // without `cells`: a BMS that reports only the extremes
  cell_max_mv?: number;
  energy_in_kwh?: number;
  energy_out_kwh?: number;
  cycle_count?: number;
  lifetime_s?: number;
  alarms?: string[];
  warnings?: string[];
  faults?: string[];
}

export interface LimitReason {
  reason: string;
  by?: string;
  allows?: number;
}

export type LimitName = "cvl" | "ccl" | "dcl" | "dvl";

export interface Limits {
  age_ms?: number;
  cvl_v?: number;
  ccl_a?: number;
  dcl_a?: number;
  dvl_v?: number;
  allowed?: boolean;
  reasons?: Partial<Record<LimitName, LimitReason[]>>;
}

export interface Can {
  interface?: string;
  state?: string;
  error?: string;
  frames_sent?: number;
  frames_received?: number;
  errors?: number;
  dropped?: number;
}

export interface Inverter {
  protocol?: string;
  phase: string;
  since_s?: number;
  keepalive_age_ms?: number;
  can?: Can;
  limit_gap_max_ms?: number;
  name?: string;
  foreign_frames?: number;
  suppressed_frames?: number;
}

export interface LinkChange {
  time: string;
  from: string;
  to: string;
  reason?: string;
}

export interface BmsLink {
  port?: string;
  state: string;
  error?: string;
  since_s?: number;
  history?: LinkChange[];
  requests_sent?: number;
  replies_received?: number;
  timeouts?: number;
  retries?: number;
  crc_errors?: number;
  noise_bytes?: number;
  refusals?: number;
  implausible_values?: number;
}

export interface Mqtt {
  enabled: boolean;
  connected?: boolean;
  host?: string;
  port?: number;
  queued?: number;
  dropped?: number;
  published?: number;
}

export interface Storage {
  ok: boolean;
  error?: string;
  history_rows?: number;
  queued?: number;
  dropped?: number;
}

export interface Control {
  loop_delay_us_max?: number;
  loop_delay_us_last?: number;
  reports_dropped?: number;
  events_dropped?: number;
}

export interface LinkRadio {
  interface?: string;
  state: string; // up, down
  error?: string;
  driver?: string;
  channel?: number;
  send_status?: string; // real, always_acked, always_failed, none
  frames_sent?: number;
  frames_received?: number;
  no_ack?: number;
  not_sent?: number;
  malformed?: number;
}

// A transmitter looks for its receiver.
export interface Discovery {
  searching: boolean;
  sweeps?: number;
  probes_sent?: number;
  found?: number;
  last_took_ms?: number;
}

export type RejectedName = "malformed" | "unsealed" | "other_session" | "altered" | "replayed";

// Readings on their way from a transmitter to one receiver.
export interface PeerQueue {
  size: number;
  capacity: number;
  added?: number;
  sent?: number;
  acked?: number;
  retried?: number;
  dropped?: number;
  expired?: number;
  high_water?: number;
  ack_ms_mean?: number;
  ack_ms_max?: number;
  overflow_events?: number;
  watchdog_restarts?: number;
}

// Readings as a receiver got them from one transmitter.
export interface PeerReadings {
  delivered?: number;
  duplicates?: number;
  missing?: number;
  last_sequence?: number;
  epoch?: number;
}

export interface Peer {
  node: string;
  name?: string;
  paired?: boolean;
  state: string; // connected, degraded, failing, disconnected
  since_s?: number;
  has_session?: boolean;
  last_heard_ms?: number;
  beacon_age_s?: number;
  rssi_dbm?: number;
  status?: { mqtt_connected?: boolean; ethernet_up?: boolean };
  history?: LinkChange[]; // the newest first
  rejected?: Partial<Record<RejectedName, number>>;
  queue?: PeerQueue;
  readings?: PeerReadings;
  cells?: { complete?: number; incomplete?: number };
}

export interface Pairing {
  state: string; // idle, showing, exchanging, done, failed
  reason?: string;
  expires_s?: number;
  tries_left?: number;
}

export interface Link {
  role: string; // transmitter, receiver
  node?: string;
  mode: string; // sealed, plain
  radio?: LinkRadio;
  discovery?: Discovery;
  peers?: Peer[];
  pairing?: Pairing;
}

// Tells that state sections changed, not how: a page that shows them reads them again.
export interface SectionsNotice {
  changed?: { scope: string; section: string; version?: number }[];
  revision?: number;
}

export interface BoxState {
  box?: Box;
  battery?: Battery;
  limits?: Limits;
  inverter?: Inverter;
  bms_link?: BmsLink;
  mqtt?: Mqtt;
  storage?: Storage;
  control?: Control;
  link?: Link;
  sections?: SectionsNotice;
  energy?: Energy;
  modes?: Modes;
  packs?: Packs;
  indicator?: Indicator;
}

export type GroupName = keyof BoxState;
export const kGroupNames: GroupName[] = [
  "box",
  "battery",
  "limits",
  "inverter",
  "bms_link",
  "mqtt",
  "storage",
  "control",
  "link",
  "sections",
  "energy",
  "modes",
  "packs",
  "indicator",
];

export type EventLevel = "info" | "notice" | "warning" | "error";
export const kEventLevels: EventLevel[] = ["info", "notice", "warning", "error"];
export const kEventSources = [
  "bms",
  "inverter",
  "mqtt",
  "storage",
  "settings",
  "auth",
  "box",
  "link",
  "energy",
  "packnet",
  "pack",
] as const;

export interface BoxEvent {
  id: number;
  time: string;
  uptime_ms?: number;
  level: EventLevel;
  source: string;
  code: string;
  text: string;
  data?: Record<string, unknown>;
}

export interface EventPage {
  events: BoxEvent[];
  next_before?: number;
}

export interface History {
  from: number;
  to: number;
  step_ms: number;
  time: number[];
  series: Record<string, (number | null)[]>;
}

export interface HistoryDay {
  date: string;
  energy_in_kwh?: number;
  energy_out_kwh?: number;
  soc_min_percent?: number;
  soc_max_percent?: number;
  cell_delta_max_mv?: number;
}

export interface Choice {
  value: number | string;
  text: string;
}

// A part of a register: `bits` bits from bit `shift` on.
export interface BmsField {
  name: string;
  title: string;
  unit?: string;
  shift: number;
  bits: number;
  min: number;
  max: number;
  choices?: Choice[];
  value?: number;
}

export interface BmsSetting {
  register: number;
  name: string;
  title: string;
  group?: string;
  unit?: string;
  value?: number;
  raw?: number;
  min?: number;
  max?: number;
  step?: number;
  writable: boolean;
  kind: "number" | "choice" | "flags";
  choices?: Choice[];
  fields?: BmsField[]; // kind flags
  help?: string;
}

export interface BmsSettings {
  state: "ready" | "reading" | "unavailable";
  reason?: string;
  read_at?: string;
  settings: BmsSetting[];
}

export interface BmsWriteResult {
  result: string;
  settings?: BmsWriteOutcome[];
}

export interface BmsWriteOutcome {
  register: number;
  result: string;
  value?: number; // what is on the BMS
}

export interface BoxField {
  name: string;
  title: string;
  unit?: string;
  kind: "number" | "text" | "choice" | "bool" | "secret" | "ip" | "window";
  value?: number | string | boolean;
  min?: number;
  max?: number;
  step?: number;
  default?: number | string | boolean;
  choices?: Choice[];
  is_set?: boolean;
  help?: string;
  writable?: boolean; // false: shown, not to be changed here
  shared?: boolean; // one of the settings that two boxes share, changed there
}

export interface BoxSection {
  name: string;
  title: string;
  help?: string;
  restart_needed?: boolean;
  fields: BoxField[];
}

// One section of the state that boxes agree on. The newest change wins, on whichever side it was made.
export interface StateSection {
  name: string;
  title: string;
  help?: string;
  version?: number; // 0: never changed from its defaults
  origin?: string; // node that made the change
  origin_is_self?: boolean;
  changed_at?: string;
  sync?: string; // local, synchronised, waiting_for_peer, conflict_resolved
  conflict_at?: string;
  read_only?: boolean;
  fields: BoxField[];
}

// The sections that belong together: this box's, or this box's copy of a peer's.
export interface SectionScope {
  scope: string; // "own", or the peer's node
  title: string;
  node?: string;
  online?: boolean;
  beacon_age_s?: number;
  editable?: boolean;
  reason?: string; // why it cannot be edited
  sections: StateSection[];
}

export interface Session {
  login: "none" | "required";
  user?: string;
  role?: "owner" | "viewer";
  first_run?: boolean;
  csrf?: string;
}

// The error object of every refused request.
export interface Problem {
  code: string;
  message: string;
  field?: string;
  register?: number;
  value?: unknown;
  min?: number;
  max?: number;
}
