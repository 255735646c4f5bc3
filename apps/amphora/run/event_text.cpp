// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/event_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/can/can_port.hpp"

namespace amphora::run {
namespace {

using Json = nlohmann::ordered_json;
using runtime::EventLevel;
using runtime::EventRecord;

EventRecord record(EventLevel level, std::string source, std::string code, std::string text,
                   const Json& data = {}) {
  EventRecord record;
  record.level = level;
  record.source = std::move(source);
  record.code = std::move(code);
  record.text = std::move(text);
  record.data = data.is_null() ? std::string{} : data.dump();
  return record;
}

std::string seconds_text(Duration d) {
  return fmt::format("{:g} s", static_cast<double>(to_milliseconds(d)) / 1000.0);
}

template <class Enum>
std::string names_of_bits(std::uint32_t bits) {
  std::string names;
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(Enum::kCount); ++i) {
    if ((bits & (1U << i)) != 0) {
      names += (names.empty() ? "" : ", ") + std::string{inverter::to_text(static_cast<Enum>(i))};
    }
  }
  return names.empty() ? "unknown" : names;
}

// TinyBMS reader
// -----------------------------------------------------------------------------------------------------

EventRecord describe(const tinybms::Connected&, const node::BmsGatewayConfig&) {
  return record(EventLevel::kNotice, "bms", "bms_connected", "The BMS answers.");
}
EventRecord describe(const tinybms::Disconnected&, const node::BmsGatewayConfig& config) {
  return record(
      EventLevel::kWarning, "bms", "bms_lost",
      fmt::format("The BMS has not answered for {}. Currents fall to zero when its values are older than {}.",
                  seconds_text(config.tinybms.lost_after),
                  seconds_text(config.output.limits.age_max.current)));
}
EventRecord describe(const tinybms::SnapshotUpdated&, const node::BmsGatewayConfig&) {
  return record(EventLevel::kInfo, "bms", "snapshot", "New values of the battery.");
}
EventRecord describe(const tinybms::VersionRead&, const node::BmsGatewayConfig&) {
  return record(EventLevel::kInfo, "bms", "version_read", "The BMS's version has been read.");
}
EventRecord describe(const tinybms::StatisticsRead&, const node::BmsGatewayConfig&) {
  return record(EventLevel::kInfo, "bms", "statistics_read", "The BMS's statistics have been read.");
}
EventRecord describe(const tinybms::SettingsRead&, const node::BmsGatewayConfig&) {
  return record(EventLevel::kInfo, "bms", "settings_read", "The BMS's settings have been read.");
}
EventRecord describe(const tinybms::BmsEventLogged& logged, const node::BmsGatewayConfig&) {
  const tinybms::EventKind* kind = tinybms::find_event(logged.event.id);
  const auto severity = tinybms::severity_of(logged.event.id).value_or(tinybms::Severity::kInfo);
  EventLevel level = EventLevel::kInfo;
  if (!logged.is_history && severity != tinybms::Severity::kInfo) {
    level = severity == tinybms::Severity::kFault ? EventLevel::kError : EventLevel::kWarning;
  }
  const std::string name =
      kind != nullptr ? std::string{kind->text} : fmt::format("unknown event {:#04x}", logged.event.id);
  return record(level, "bms", "bms_event",
                logged.is_history ? fmt::format("In the BMS's own log: {}.", name)
                                  : fmt::format("The BMS reports: {}.", name),
                {{"event", logged.event.id},
                 {"name", kind != nullptr ? kind->name : "unknown"},
                 {"severity", tinybms::to_text(severity)},
                 {"bms_time_s", logged.event.time_s},
                 {"history", logged.is_history}});
}
EventRecord describe(const tinybms::RegisterWritten& written, const node::BmsGatewayConfig&) {
  const bool is_good = written.result == tinybms::WriteResult::kVerified;
  std::string found = written.found
                          ? fmt::format("; the BMS holds {}", register_text(written.number, *written.found))
                          : std::string{"; what the BMS holds is not known"};
  Json data{
      {"register", written.number}, {"asked", written.asked}, {"result", tinybms::to_text(written.result)}};
  if (written.found) {
    data["found"] = *written.found;
  }
  return record(is_good ? EventLevel::kNotice : EventLevel::kError, "settings", "bms_setting_written",
                fmt::format("Writing {}: {}{}.", register_text(written.number, written.asked),
                            tinybms::to_text(written.result), is_good ? "" : found),
                data);
}
EventRecord describe(const tinybms::WriteFinished& finished, const node::BmsGatewayConfig&) {
  return record(finished.failed_count == 0 ? EventLevel::kInfo : EventLevel::kWarning, "settings",
                "bms_write_finished",
                fmt::format("Writing BMS settings ended: {} verified, {} not. The settings are read again.",
                            finished.verified_count, finished.failed_count));
}
EventRecord describe(const tinybms::ControlFinished& finished, const node::BmsGatewayConfig&) {
  const bool is_good = finished.result == tinybms::ControlResult::kAcknowledged;
  return record(is_good ? EventLevel::kNotice : EventLevel::kError, "settings", "bms_command_finished",
                fmt::format("The BMS's answer to the order {}: {}.", static_cast<int>(finished.option),
                            tinybms::to_text(finished.result)));
}

EventRecord describe(const tinybms::DriverEvent& event, const node::BmsGatewayConfig& config) {
  return std::visit([&config](const auto& one) { return describe(one, config); }, event);
}

// CAN reader
// ---------------------------------------------------------------------------------------------------------

EventRecord describe(const canbms::DriverEvent& event, const node::BmsGatewayConfig&) {
  using enum canbms::DriverEvent::Kind;
  const std::string code = fmt::format("bms_{}", canbms::to_text(event.kind));
  switch (event.kind) {
    case kSnapshot:
      return record(EventLevel::kInfo, "bms", code, "New values of the battery.");
    case kIdentity:
      return record(EventLevel::kInfo, "bms", code, "The battery has named itself.");
    case kConnected:
      return record(EventLevel::kNotice, "bms", code, "The battery speaks on its CAN bus.");
    case kDisconnected:
      return record(EventLevel::kWarning, "bms", code, "The battery has fallen silent on its CAN bus.");
    case kImplausible:
      return record(
          EventLevel::kWarning, "bms", code,
          fmt::format("The battery sends values that cannot be real in frame {:#05x}; they are ignored.",
                      event.detail),
          {{"id", event.detail}});
    case kBusDown:
      return record(EventLevel::kError, "bms", code, "The battery's CAN bus is down.");
    case kBusUp:
      return record(EventLevel::kNotice, "bms", code, "The battery's CAN bus works.");
  }
  return record(EventLevel::kInfo, "bms", code, code);
}

// Inverter output
// ----------------------------------------------------------------------------------------------------

EventRecord alarm_record(const victron::OutputEvent& event) {
  using enum victron::OutputEvent::Kind;
  const std::string_view name = battery::to_text(static_cast<battery::Alarm>(event.detail));
  const bool is_alarm = event.kind == kAlarmRaised || event.kind == kAlarmCleared;
  const bool is_raised = event.kind == kAlarmRaised || event.kind == kWarningRaised;
  EventLevel level = EventLevel::kNotice;
  if (is_raised) {
    level = is_alarm ? EventLevel::kError : EventLevel::kWarning;
  }
  return record(
      level, "battery", std::string{victron::to_text(event.kind)},
      fmt::format("{} {}: {}.", is_alarm ? "Alarm" : "Warning", is_raised ? "raised" : "cleared", name),
      {{"alarm", name}});
}

EventRecord bms_record(const victron::OutputEvent& event, const victron::OutputConfig& config,
                       const std::string& code) {
  using enum victron::OutputEvent::Kind;
  switch (event.kind) {
    case kStarted:
      return record(
          EventLevel::kNotice, "inverter", code,
          "The first complete and plausible values of the battery are here; limits are sent from now on.");
    case kBmsStale: {
      const std::string what = names_of_bits<inverter::Needed>(event.detail);
      return record(
          EventLevel::kWarning, "inverter", code,
          fmt::format(
              "Values of the battery are missing or too old ({}). Charge and discharge current are zero; "
              "after {} without change nothing is sent any more.",
              what, seconds_text(config.bms_silent_hold)),
          {{"values", what}});
    }
    case kBmsSilent:
      return record(
          EventLevel::kError, "inverter", code,
          "The battery's values stay away. Nothing is sent to the inverter, which treats that as a stop.");
    case kBmsRecovered:
      return record(EventLevel::kNotice, "inverter", code,
                    "The battery's values are fresh again; currents rise slowly.");
    case kImplausible: {
      const std::string what = names_of_bits<inverter::Check>(event.detail);
      return record(
          EventLevel::kError, "inverter", code,
          fmt::format(
              "The battery's values contradict each other or cannot be real ({}). Charge and discharge "
              "current are zero. Check series_cells and the wiring.",
              what),
          {{"checks", what}});
    }
    case kPlausible:
      return record(EventLevel::kNotice, "inverter", code, "The battery's values are plausible again.");
    case kFault:
      return record(EventLevel::kError, "inverter", code,
                    "The BMS reports a fault. Charge and discharge current are zero.");
    default:
      return record(EventLevel::kNotice, "inverter", code, "The BMS's fault is over; currents rise slowly.");
  }
}

EventRecord describe(const victron::OutputEvent& event, const node::BmsGatewayConfig& node) {
  using enum victron::OutputEvent::Kind;
  const victron::OutputConfig& config = node.output;
  const std::string code{victron::to_text(event.kind)};
  switch (event.kind) {
    case kInverterFound:
      return record(EventLevel::kNotice, "inverter", code, "The inverter answers with its keep-alive.");
    case kInverterLost:
      return record(
          EventLevel::kWarning, "inverter", code,
          fmt::format(
              "No keep-alive from the inverter for {}. Currents are limited to zero; after another {} "
              "frames stop.",
              seconds_text(config.keepalive_timeout), seconds_text(config.inverter_lost_hold)));
    case kInverterAbsent:
      return record(
          EventLevel::kError, "inverter", code,
          fmt::format(
              "The inverter stays away. Frames have stopped; every {} a few limits of zero try to find it.",
              seconds_text(config.retry_period)));
    case kBusDown: {
      const auto state = static_cast<can::BusState>(event.detail);
      return record(
          EventLevel::kError, "inverter", code,
          fmt::format("The inverter's CAN bus is {}. Nothing can be sent; it is tried again by itself.",
                      runtime::to_text(state)),
          {{"state", runtime::to_text(state)}});
    }
    case kBusUp:
      return record(EventLevel::kNotice, "inverter", code, "The inverter's CAN bus works.");
    case kForeignBattery:
      return record(
          EventLevel::kError, "inverter", code,
          fmt::format(
              "Another device sends battery frames ({:#05x}) on the inverter's bus. Two batteries must not "
              "speak there: remove one.",
              event.detail),
          {{"id", event.detail}});
    case kAlarmRaised:
    case kAlarmCleared:
    case kWarningRaised:
    case kWarningCleared:
      return alarm_record(event);
    default:
      return bms_record(event, config, code);
  }
}

}  // namespace

std::string register_text(std::uint16_t number, tinybms::RawValue value) {
  const tinybms::Register* entry = tinybms::find_register(number);
  if (entry == nullptr) {
    return fmt::format("register {} = {}", number, value);
  }
  if (value == entry->sentinel) {
    return fmt::format("register {} ({}) = no value", number, entry->title);
  }
  return fmt::format("register {} ({}) = {}{}{}", number, entry->title,
                     tinybms::format_value(*entry, value).view(), entry->unit.empty() ? "" : " ",
                     entry->unit);
}

EventRecord describe(const node::Event& event, const node::BmsGatewayConfig& config) {
  return std::visit([&config](const auto& one) { return describe(one, config); }, event.what);
}

}  // namespace amphora::run
