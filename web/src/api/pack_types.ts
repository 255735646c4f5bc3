// SPDX-License-Identifier: Apache-2.0
// What an energy pack says beside its battery, as it stands on the wire: where power flows, what the modes decided and why,
// the packs on its bus, and its lights. As everywhere, a value that is not known is absent.

export interface Load {
  name: string; // the relay that switches it
  title?: string;
  power_w?: number;
}

export interface Energy {
  age_ms?: number;
  home_w?: number; // loads included
  grid_w?: number; // positive on import
  battery_w?: number; // positive while charging
  solar_w?: number;
  inverter_output_w?: number;
  loads?: Load[];
  soc_percent?: number;
  soc_source?: string; // bms, voltage
  stored_kwh?: number;
  time_to_full_s?: number;
  time_to_empty_s?: number;
}

export type ModeName = "self_consumption" | "eco" | "time_of_use" | "backup" | "import_limit";
export const kModeNames: ModeName[] = ["self_consumption", "eco", "time_of_use", "backup", "import_limit"];

export interface RelayAsk {
  holder: string;
  wants: string; // open, close, hold
  reason?: string;
  reason_text?: string;
}

export interface Relay {
  name: string;
  title?: string;
  commanded?: string; // open, closed
  requested?: string;
  measured?: string; // absent where nothing is read back
  mismatch?: boolean;
  holder?: string;
  holder_title?: string;
  reason?: string;
  reason_text?: string;
  hindrance?: string;
  hindered_s?: number; // how long it will still be hindered
  switched_s?: number; // since the last switch
  switches_last_hour?: number;
  power_w?: number;
  manual?: { position: string; left_s?: number };
  error?: string; // why its contact cannot be driven or read
  asks?: RelayAsk[];
}

export interface Modes {
  enabled?: string[];
  running?: string[];
  time_known?: boolean;
  local_time?: string;
  safety?: { cause: string; text?: string }[];
  minimum_soc_reached?: boolean;
  import?: { counted_kwh?: number; limit_kwh?: number; exhausted?: boolean; until?: string };
  warnings?: { code: string; text?: string }[];
  inverter_request?: { may_charge?: boolean; may_discharge?: boolean };
  relays?: Relay[];
}

export interface PackNode {
  node: number;
  is_self?: boolean;
  type?: string; // energy-pack, energy-gateway, linux-gateway
  firmware?: string;
  is_master?: boolean;
  alarm?: boolean;
  warning?: boolean;
  duplicate?: boolean; // another device has its hardware number
  heard_ms?: number;
  soc_percent?: number;
  voltage_v?: number;
  current_a?: number;
  power_w?: number;
  grid_w?: number;
  home_w?: number;
  solar_w?: number;
  modes?: string[];
  relays?: { name: string; position?: string; holder?: string }[];
  bms_state?: string; // never, connected, stale, fault
  cell_min_mv?: number;
  cell_max_mv?: number;
  temperature_max_c?: number;
  uptime_s?: number;
}

export interface PackBus {
  interface?: string;
  state?: string;
  error?: string;
  frames_sent?: number;
  frames_received?: number;
  errors?: number;
  dropped?: number;
  bus_off?: number;
  malformed?: number;
  load_percent?: number;
}

export interface Aggregate {
  power_w?: number;
  solar_w?: number;
  grid_w?: number;
  home_w?: number;
  soc_percent?: number; // weighted by capacity
  online?: number;
  known?: number;
}

export interface Packs {
  node?: number;
  hardware?: string;
  claim?: string; // claimed, waiting, listening, duplicate, no_free_node, off
  master?: number;
  is_master?: boolean;
  term?: number;
  security?: string; // sealed, plain
  bus?: PackBus;
  aggregate?: Aggregate;
  settings?: { synchronised?: boolean };
  commands?: { accepted?: number; refused?: number; not_authentic?: number; replayed?: number };
  nodes?: PackNode[];
}

export interface Indicator {
  bar?: string[]; // ten colours, #000000 is off
  digits?: number[]; // three bit masks: a (top) is bit 0, then clockwise, g (middle) bit 6, the point bit 7
  green?: boolean;
  yellow?: boolean;
  red?: boolean;
  buzzer?: boolean;
}

export type RelayOrder = "open" | "closed" | "auto";
