// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/pack_json.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>

#include "apps/amphora/packs/telemetry_view.hpp"
#include "apps/amphora/run/pack_config.hpp"
#include "apps/amphora/run/pack_text.hpp"
#include "core/indicator/indicator.hpp"
#include "runtime/can/can_port.hpp"

namespace amphora::run {
namespace {

using energy::index_of;
using energy::Relay;
using energy::RelayState;
using packnet::Field;
using packnet::Telemetry;
using runtime::PackReport;

double percent(BasisPoints value) {
  return value.count() / 100.0;
}
double kilowatt_hours(WattHours value) {
  return static_cast<double>(value.count()) / 1000.0;
}
std::int64_t seconds_of(Duration duration) {
  return to_milliseconds(duration) / 1000;
}

void put(Json& json, const char* name, std::optional<Watts> power) {
  if (power) {
    json[name] = power->count();
  }
}

// "2026-11-21T14:03:00+01:00".
std::string local_text(std::int64_t unix_s, std::int64_t offset_s) {
  const auto local = static_cast<std::time_t>(unix_s + offset_s);
  std::tm fields{};
  (void)::gmtime_r(&local, &fields);
  const std::int64_t minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}{}{:02}:{:02}", fields, offset_s < 0 ? '-' : '+', minutes / 60,
                     minutes % 60);
}

std::optional<Watts> power_of(const energy::Balance& balance, Relay relay) {
  switch (relay) {
    case Relay::kGrid:
      return balance.grid;
    case Relay::kInverterOutput:
      return balance.inverter_output;
    default:
      return balance.load[energy::load_index(relay)];
  }
}

template <class Enum, class Set>
Json names_of(const Set& set, std::size_t count) {
  Json names = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    if (set.has(static_cast<Enum>(i))) {
      names.push_back(to_text(static_cast<Enum>(i)));
    }
  }
  return names;
}

std::string_view wants_text(energy::Ask::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames{"nothing", "open", "close", "hold"};
  return kNames[static_cast<std::size_t>(kind)];
}

Json asks_json(const energy::Controller& control, Relay relay) {
  Json asks = Json::array();
  for (const energy::Holder holder : energy::precedence_of(relay)) {
    const energy::Ask& ask = control.asks()[static_cast<std::size_t>(holder)][index_of(relay)];
    if (ask.kind != energy::Ask::Kind::kNone) {
      asks.push_back({{"holder", to_text(holder)},
                      {"wants", wants_text(ask.kind)},
                      {"reason", to_text(ask.reason)},
                      {"reason_text", meaning_of(ask.reason)}});
    }
  }
  return asks;
}

Json relay_json(const PackReport& report, Relay relay, TimePoint now) {
  const energy::Controller& control = report.control;
  const RelayState& state = control.relay(relay);
  Json json{{"name", to_text(relay)}, {"title", title_of(relay)}};
  if (state.commanded) {
    json["commanded"] = to_text(*state.commanded);
    json["requested"] = to_text(state.requested);
    json["holder"] = to_text(state.holder);
    json["holder_title"] = title_of(state.holder);
    json["reason"] = to_text(state.reason);
    json["reason_text"] = meaning_of(state.reason);
    json["switched_s"] = seconds_of(now - state.switched_at);
  }
  if (state.measured) {
    json["measured"] = to_text(*state.measured);
  }
  json["mismatch"] = state.is_mismatched;
  if (state.hindrance != energy::Hindrance::kNone) {
    json["hindrance"] = to_text(state.hindrance);
    if (state.hindered_until != kNever) {
      json["hindered_s"] = seconds_of(std::max(Duration{}, state.hindered_until - now));
    }
  }
  json["switches_last_hour"] = state.switches_last_hour;
  put(json, "power_w", power_of(control.balance(), relay));
  const auto& order = control.asks()[static_cast<std::size_t>(energy::Holder::kManual)][index_of(relay)];
  if (order.kind == energy::Ask::Kind::kOpen || order.kind == energy::Ask::Kind::kClose) {
    Json& manual =
        json["manual"] = {{"position", order.kind == energy::Ask::Kind::kOpen ? "open" : "closed"}};
    if (const auto left = control.order_left(now, relay)) {
      manual["left_s"] = seconds_of(*left);
    }
  }
  if (const std::string& error = report.relay_errors[index_of(relay)]; !error.empty()) {
    json["error"] = error;
  }
  json["asks"] = asks_json(control, relay);
  return json;
}

Json warnings_json(const PackReport& report) {
  Json warnings = Json::array();
  for (std::size_t i = 0; i < static_cast<std::size_t>(energy::Warning::kCount); ++i) {
    const auto warning = static_cast<energy::Warning>(i);
    if (report.control.warnings().has(warning)) {
      warnings.push_back({{"code", to_text(warning)}, {"text", sentence_of(warning)}});
    }
  }
  if (report.settings_fault) {
    warnings.push_back({{"code", "settings_refused"},
                        {"text", fmt::format("The shared settings cannot be in force here: {} must be {}.",
                                             report.settings_fault->field, report.settings_fault->allowed)}});
  }
  return warnings;
}

std::string_view claim_text(packnet::ClaimState state) {
  using enum packnet::ClaimState;
  switch (state) {
    case kOff:
      return "off";
    case kWaiting:
      return "waiting";
    case kListening:
      return "listening";
    case kClaimed:
      return "claimed";
    case kDuplicate:
      return "duplicate";
    case kNoFreeNode:
      return "no_free_node";
  }
  return "off";
}

std::string_view type_text(packnet::DeviceType type) {
  constexpr std::array<std::string_view, 4> kNames{"unknown", "energy-pack", "energy-gateway",
                                                   "linux-gateway"};
  return kNames[static_cast<std::size_t>(type)];
}

Json own_node_json(const PackReport& report) {
  const Telemetry& telemetry = report.telemetry;
  Json json{{"node", report.bus.node}, {"is_self", true}, {"type", "energy-pack"}};
  json["firmware"] = fmt::format("{}.{}", telemetry.value(Field::kFirmwareMajor).value_or(0),
                                 telemetry.value(Field::kFirmwareMinor).value_or(0));
  json["is_master"] = report.bus.is_master;
  json["alarm"] = report.control.safety_causes().has_any();
  json["warning"] = report.control.warnings().has_any();
  json["duplicate"] = report.bus.claim == packnet::ClaimState::kDuplicate;
  json["heard_ms"] = 0;
  packs_command::put_telemetry(json, telemetry);
  return json;
}

Json node_json(const packnet::NodeEntry& entry, const PackReport& report, TimePoint now) {
  const auto has = [&entry](std::uint8_t flag) { return (entry.flags & flag) != 0; };
  Json json{{"node", entry.node},
            {"is_self", false},
            {"type", type_text(entry.type)},
            {"firmware", fmt::format("{}.{}", entry.firmware_major, entry.firmware_minor)},
            {"is_master", report.bus.master == entry.node},
            {"alarm", has(packnet::kPresenceAlarm)},
            {"warning", has(packnet::kPresenceWarning)},
            {"duplicate", has(packnet::kPresenceDuplicate)},
            {"heard_ms", to_milliseconds(now - entry.heard_at)}};
  if (entry.telemetry_at) {
    packs_command::put_telemetry(json, entry.telemetry);
  }
  return json;
}

std::string colour_text(const indicator::Colour& colour) {
  // At the full brightness that a screen has.
  const auto full = [](std::uint8_t part) { return std::min(255, part * 255 / indicator::kBrightness); };
  return fmt::format("#{:02x}{:02x}{:02x}", full(colour.red), full(colour.green), full(colour.blue));
}

}  // namespace

bool is_battery_online(const PackReport& report, const config::Config& config, TimePoint now) {
  const auto age = battery_age(report.snapshot, now);
  const bool is_heard =
      report.bms_state == packnet::BmsState::kConnected || report.bms_state == packnet::BmsState::kFault;
  return is_heard && age && *age <= config.bms.stale_after;
}

Json battery_json(const PackReport& report, const config::Config& config, TimePoint now) {
  BatteryView view{report.snapshot, is_battery_online(report, config, now), {}, {}};
  if (report.snapshot.alarms) {
    view.alarms = report.snapshot.alarms->value;
  }
  return battery_json(view, config, now);
}

Json bms_link_json(const PackReport& report, const config::Config& config, TimePoint now) {
  const bool is_online = is_battery_online(report, config, now);
  Json json{{"port", config.bms.port}, {"state", is_online ? "connected" : "disconnected"}};
  if (!report.serial_error.empty()) {
    json["error"] = report.serial_error;
  }
  json["history"] = Json::array();
  json.update(statistics_json(report.bms));
  return json;
}

Json control_json(const PackReport& report, std::uint64_t reports_dropped) {
  return {{"loop_delay_us_last", report.loop_delay_last.count()},
          {"loop_delay_us_max", report.loop_delay_max.count()},
          {"reports_dropped", reports_dropped},
          {"events_dropped", report.events_dropped}};
}

Json energy_json(const PackReport& report, const config::Config& config, TimePoint now) {
  const energy::Balance& balance = report.control.balance();
  Json json{{"age_ms", to_milliseconds(now - report.at)}};
  put(json, "home_w", balance.home);
  put(json, "grid_w", balance.grid);
  put(json, "battery_w", balance.battery);
  put(json, "solar_w", balance.solar);
  put(json, "inverter_output_w", balance.inverter_output);
  Json& loads = json["loads"] = Json::array();
  for (std::size_t i = energy::kFirstLoad; i < energy::kRelayCount; ++i) {
    const Relay relay = energy::relay_at(i);
    const auto power = balance.load[energy::load_index(relay)];
    if (power || !config.inputs.place[i].empty() || !config.relays.place[i].empty()) {
      Json load{{"name", to_text(relay)}, {"title", title_of(relay)}};
      put(load, "power_w", power);
      loads.push_back(std::move(load));
    }
  }
  if (balance.soc) {
    json["soc_percent"] = percent(balance.soc->value);
    json["soc_source"] = to_text(balance.soc->source);
    json["stored_kwh"] = stored_kwh(balance.soc->value, report.snapshot, config.battery);
    put_estimates(json, report.snapshot, balance.soc->value, config.battery);
  }
  return json;
}

Json modes_json(const PackReport& report, TimePoint now) {
  const energy::Controller& control = report.control;
  Json json{{"enabled", names_of<energy::Mode>(control.settings().enabled, energy::kModeCount)},
            {"running", names_of<energy::Mode>(control.running(), energy::kModeCount)},
            {"time_known", control.clock().is_known()},
            {"time_source", to_text(report.time_source)}};
  const auto unix_s = control.clock().unix_s(now);
  const auto local = control.clock().local(now);
  if (unix_s && local) {
    json["local_time"] = local_text(*unix_s, local->seconds - *unix_s);
  }
  Json& safety = json["safety"] = Json::array();
  for (const energy::SafetyCauseRow& row : energy::kSafetyCauses) {
    if (control.safety_causes().has(row.cause)) {
      safety.push_back({{"cause", to_text(row.cause)}, {"text", meaning_of(row.reason)}});
    }
  }
  json["minimum_soc_reached"] = control.is_minimum_soc_reached();
  Json& import = json["import"] = {{"counted_kwh", kilowatt_hours(control.import_counted())},
                                   {"limit_kwh", kilowatt_hours(control.settings().import_limit)},
                                   {"exhausted", control.is_import_exhausted()}};
  if (const auto until = control.import_exhausted_until_unix_s(now); until && unix_s && local) {
    import["until"] = local_text(*until, local->seconds - *unix_s);
  }
  json["warnings"] = warnings_json(report);
  const energy::InverterRequest request = control.inverter_request();
  json["inverter_request"] = {{"may_charge", request.may_charge}, {"may_discharge", request.may_discharge}};
  Json& relays = json["relays"] = Json::array();
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (control.relay(energy::relay_at(i)).is_fitted) {
      relays.push_back(relay_json(report, energy::relay_at(i), now));
    }
  }
  return json;
}

Json packs_json(const PackReport& report, TimePoint now) {
  const runtime::PackBusReport& bus = report.bus;
  Json json;
  if (bus.node != packnet::kNodeNone) {
    json["node"] = bus.node;
  }
  json["hardware"] = hardware_text(bus.hardware);
  json["claim"] = claim_text(bus.claim);
  if (bus.master) {
    json["master"] = *bus.master;
  }
  json["is_master"] = bus.is_master;
  json["term"] = bus.term;
  json["security"] = bus.is_sealed ? "sealed" : "plain";
  if (!bus.interface.empty()) {
    Json& line = json["bus"] = {{"interface", bus.interface},
                                {"state", runtime::to_text(bus.state)},
                                {"frames_sent", bus.counters.frames_sent},
                                {"frames_received", bus.counters.frames_received},
                                {"errors", bus.counters.errors},
                                {"dropped", bus.counters.dropped},
                                {"bus_off", bus.counters.bus_off},
                                {"malformed", bus.counters.malformed + bus.network.malformed},
                                {"load_percent", bus.load.count() / 10.0}};
    if (!bus.error.empty()) {
      line["error"] = bus.error;
    }
  }
  Json& all = json["aggregate"] = {{"online", report.aggregate.online}, {"known", report.aggregate.known}};
  const auto put_sum = [&all](const char* name, const std::optional<std::int64_t>& sum) {
    if (sum) {
      all[name] = *sum;
    }
  };
  put_sum("power_w", report.aggregate.power_w);
  put_sum("solar_w", report.aggregate.solar_w);
  put_sum("grid_w", report.aggregate.grid_w);
  put_sum("home_w", report.aggregate.home_w);
  if (report.aggregate.soc_basis_points) {
    all["soc_percent"] = static_cast<double>(*report.aggregate.soc_basis_points) / 100.0;
  }
  json["settings"] = {{"synchronised", bus.is_synchronised}};
  json["commands"] = {{"accepted", bus.gate.accepted},
                      {"refused", bus.gate.refused},
                      {"not_authentic", bus.gate.not_authentic},
                      {"replayed", bus.gate.replayed}};
  Json& nodes = json["nodes"] = Json::array();
  if (bus.node != packnet::kNodeNone) {
    nodes.push_back(own_node_json(report));
  }
  for (const packnet::NodeEntry& entry : bus.others) {
    nodes.push_back(node_json(entry, report, now));
  }
  return json;
}

Json indicator_json(const PackReport& report, TimePoint now) {
  const indicator::Picture picture = indicator::render(report.indicator, now);
  Json json;
  Json& bar = json["bar"] = Json::array();
  for (const indicator::Colour& colour : picture.bar) {
    bar.push_back(colour_text(colour));
  }
  json["digits"] = picture.digits;
  json["green"] = picture.green;
  json["yellow"] = picture.yellow;
  json["red"] = picture.red;
  json["buzzer"] = picture.buzzer;
  return json;
}

Json pack_message(const PackReport& report) {
  const energy::Controller& control = report.control;
  const energy::Balance& balance = control.balance();
  Json json;
  put(json, "battery_w", balance.battery);
  put(json, "grid_w", balance.grid);
  put(json, "home_w", balance.home);
  put(json, "solar_w", balance.solar);
  if (balance.soc) {
    json["soc_percent"] = percent(balance.soc->value);
  }
  Json& relays = json["relays"] = Json::object();
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    const RelayState& relay = control.relay(energy::relay_at(i));
    const auto position = relay.measured ? relay.measured : relay.commanded;
    if (relay.is_fitted && position) {
      relays[std::string{to_text(energy::relay_at(i))}] = to_text(*position);
    }
  }
  json["modes"] = names_of<energy::Mode>(control.running(), energy::kModeCount);
  json["may_charge"] = control.inverter_request().may_charge;
  json["may_discharge"] = control.inverter_request().may_discharge;
  return json;
}

}  // namespace amphora::run
