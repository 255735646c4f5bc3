// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/pack_event_text.hpp"

#include <fmt/format.h>

#include <utility>

#include "apps/amphora/run/event_text.hpp"
#include "apps/amphora/run/pack_text.hpp"
#include "apps/amphora/run/sections_json.hpp"
#include "apps/amphora/run/state_json.hpp"
#include "core/node/pack/report_codes.hpp"
#include "core/sections/tables.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;
using runtime::EventRecord;
using Told = std::optional<EventRecord>;

EventRecord tell(EventLevel level, const char* source, std::string code, std::string text,
                 const Json& data = {}) {
  EventRecord record;
  record.level = level;
  record.source = source;
  record.code = std::move(code);
  record.text = std::move(text);
  record.data = data.is_object() ? data.dump() : std::string{};
  return record;
}

std::string seconds_text(Duration duration) {
  return fmt::format("{:g} s", static_cast<double>(to_milliseconds(duration)) / 1000.0);
}

// ---- the BMS

Told describe(const modbus::PollerEvent& event, const runtime::PackOptions& options) {
  using enum modbus::PollerEvent::Kind;
  switch (event.kind) {
    case kFresh:
      return tell(EventLevel::kNotice, "bms", "bms_connected", "The BMS answers.");
    case kStale:
      return tell(EventLevel::kWarning, "bms", "bms_lost",
                  fmt::format("The BMS does not answer. Without news for {} the relays go to their safe "
                              "positions.",
                              seconds_text(options.node.control.protection.bms_stale_after)));
    case kRefused:
      return tell(EventLevel::kWarning, "bms", "bms_refused",
                  fmt::format("The BMS refuses what is asked (Modbus exception {}): check the register "
                              "profile.",
                              event.detail),
                  {{"exception", event.detail}});
    case kUpdated:
      break;
  }
  return std::nullopt;
}

Told describe(const tinybms::DriverEvent& event, const runtime::PackOptions& options) {
  if (std::holds_alternative<tinybms::Disconnected>(event)) {
    return describe(modbus::PollerEvent{.kind = modbus::PollerEvent::Kind::kStale}, options);
  }
  if (std::holds_alternative<tinybms::SnapshotUpdated>(event) ||
      std::holds_alternative<tinybms::StatisticsRead>(event) ||
      std::holds_alternative<tinybms::VersionRead>(event) ||
      std::holds_alternative<tinybms::SettingsRead>(event)) {
    return std::nullopt;
  }
  return run::describe(node::Event{TimePoint{}, event}, node::BmsGatewayConfig{});
}

// ---- control

std::string_view position_text(energy::Position position) {
  return position == energy::Position::kClosed ? "closes" : "opens";
}

Told describe_switch(const energy::Event& event) {
  const bool is_safety = event.holder == energy::Holder::kSafety;
  const bool is_held = event.holder != energy::Holder::kDefault;
  return tell(is_safety ? EventLevel::kWarning : EventLevel::kInfo, "energy", "relay_switched",
              fmt::format("{} {}{}. {}", title_of(event.relay), position_text(event.position),
                          is_held ? fmt::format(": {}", title_of(event.holder)) : std::string{},
                          meaning_of(event.reason)),
              {{"relay", to_text(event.relay)},
               {"position", to_text(event.position)},
               {"holder", to_text(event.holder)},
               {"reason", to_text(event.reason)}});
}

Told describe(const energy::Event& event, const runtime::PackOptions&) {
  using enum energy::Event::Kind;
  const Json relay{{"relay", to_text(event.relay)}};
  const std::string_view name = title_of(event.relay);
  switch (event.kind) {
    case kSwitched:
      return describe_switch(event);
    case kSafetyEntered:
      return tell(
          EventLevel::kError, "energy", "safety_entered",
          fmt::format("Safety: {} The grid closes, loads open.",
                      meaning_of(energy::kSafetyCauses[static_cast<std::size_t>(event.cause)].reason)),
          {{"cause", to_text(event.cause)}});
    case kSafetyLeft:
      return tell(
          EventLevel::kNotice, "energy", "safety_left",
          fmt::format("This is over: {}",
                      meaning_of(energy::kSafetyCauses[static_cast<std::size_t>(event.cause)].reason)),
          {{"cause", to_text(event.cause)}});
    case kMinimumSocReached:
      return tell(EventLevel::kWarning, "energy", "minimum_soc_reached",
                  "The battery is at its minimum charge: the grid carries the house.");
    case kMinimumSocLeft:
      return tell(EventLevel::kNotice, "energy", "minimum_soc_left",
                  "The battery is above its minimum charge again.");
    case kImportExhausted:
      return tell(EventLevel::kWarning, "energy", "import_exhausted",
                  "The day's energy from the grid is used up: the grid opens until the reset time.");
    case kImportReleased:
      return tell(EventLevel::kNotice, "energy", "import_released", "Energy from the grid is allowed again.");
    case kWarningRaised:
      return tell(EventLevel::kWarning, "energy", std::string{to_text(event.warning)},
                  std::string{sentence_of(event.warning)});
    case kWarningCleared:
      return tell(EventLevel::kInfo, "energy", fmt::format("{}_over", to_text(event.warning)),
                  fmt::format("This is over: {}", sentence_of(event.warning)));
    case kOrderEnded:
      return tell(EventLevel::kInfo, "energy", "order_ended",
                  fmt::format("{}: the order of a person has ended.", name), relay);
    case kMismatch:
      return tell(
          EventLevel::kWarning, "energy", "relay_mismatch",
          fmt::format("{}: the contact does not follow; it should be {}.", name, to_text(event.position)),
          relay);
    case kMatch:
      return tell(EventLevel::kNotice, "energy", "relay_match",
                  fmt::format("{}: the contact follows again.", name), relay);
    case kTimeRefused:
      return tell(EventLevel::kWarning, "energy", "time_refused", "A time that cannot be right was refused.");
    case kSettingsChanged:  // told by PackEvent::kSettingsInForce
    case kCount:
      break;
  }
  return std::nullopt;
}

// ---- the bus

// What another pack reports of itself.
std::string report_text(std::uint16_t code) {
  for (const energy::SafetyCauseRow& row : energy::kSafetyCauses) {
    if (code == node::report_code(row.cause)) {
      return std::string{meaning_of(row.reason)};
    }
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(energy::Warning::kCount); ++i) {
    const auto warning = static_cast<energy::Warning>(i);
    if (code == node::report_code(warning)) {
      return std::string{sentence_of(warning)};
    }
  }
  switch (code) {
    case node::kReportMinimumSoc:
      return "The battery is at its minimum charge.";
    case node::kReportImportExhausted:
      return "The day's energy from the grid is used up.";
    case node::kReportRelayMismatch:
      return "A contact does not follow.";
    case packnet::kReportDuplicateHardware:
      return "Another device has its hardware number.";
    case packnet::kReportNodeChanged:
      return "It has moved to another place.";
    default:
      return fmt::format("code {}", code);
  }
}

Told describe_report(const packnet::Report& report) {
  const auto level = report.is_end                              ? EventLevel::kInfo
                     : report.level == packnet::Level::kError   ? EventLevel::kError
                     : report.level == packnet::Level::kWarning ? EventLevel::kWarning
                                                                : EventLevel::kInfo;
  return tell(
      level, "packnet", report.is_end ? "pack_report_ended" : "pack_report",
      fmt::format("Pack {}{}: {}", report.node, report.is_end ? ", over" : "", report_text(report.code)),
      {{"node", report.node}, {"code", report.code}, {"value", report.value}});
}

Told describe(const packnet::NetworkEvent& event, const runtime::PackOptions&) {
  using enum packnet::NetworkEvent::Kind;
  const Json data{{"node", event.node}};
  const auto bus = [&data](EventLevel level, const char* code, std::string text) {
    return tell(level, "packnet", code, std::move(text), data);
  };
  switch (event.kind) {
    case kNodeClaimed:
      return bus(EventLevel::kNotice, "node_claimed",
                 fmt::format("This pack is number {} on the bus.", event.node));
    case kNodeLost:
      return bus(EventLevel::kNotice, "node_lost",
                 fmt::format("Number {} on the bus belongs to another pack; this one looks for another.",
                             event.node));
    case kDuplicateBegan:
      return bus(EventLevel::kError, "duplicate_hardware",
                 "Another device on the bus has this pack's hardware number; both stay silent. Give one of "
                 "them another: bus.hardware in its file.");
    case kDuplicateEnded:
      return bus(EventLevel::kNotice, "duplicate_hardware_over",
                 "The other device with this hardware number is gone.");
    case kNoFreeNode:
      return bus(EventLevel::kError, "no_free_node", "All places on the bus are taken.");
    case kAppeared:
      return bus(EventLevel::kNotice, "pack_appeared", fmt::format("Pack {} is on the bus.", event.node));
    case kGone:
      return bus(EventLevel::kWarning, "pack_gone",
                 fmt::format("Nothing has been heard of pack {} for two minutes.", event.node));
    case kBecameMaster:
      return bus(EventLevel::kNotice, "became_master", "This pack leads the others now.");
    case kFollows:
      return bus(EventLevel::kNotice, "follows", fmt::format("Pack {} leads.", event.node));
    case kMasterLost:
      return bus(EventLevel::kWarning, "master_lost",
                 fmt::format("Pack {}, which led, has fallen silent; another takes over.", event.node));
    case kAlone:
      return bus(EventLevel::kInfo, "alone", "No other pack is heard.");
    case kNotAlone:
      return bus(EventLevel::kInfo, "not_alone", "Other packs are heard.");
    case kReport:
      return describe_report(event.report);
    case kTime:
    case kGatewayChanged:
    case kAcknowledged:
    case kTelemetry:
      break;
  }
  return std::nullopt;
}

Told describe(const packnet::GateEvent& event, const runtime::PackOptions&) {
  if (event.kind == packnet::GateEvent::Kind::kClosed) {
    return tell(EventLevel::kError, "packnet", "commands_locked",
                "Several commands over the bus had a wrong seal; commands are ignored for a while. Somebody "
                "has another key, or is guessing.");
  }
  return tell(EventLevel::kNotice, "packnet", "commands_open", "Commands over the bus count again.");
}

Told describe(const packnet::SectionShareEvent& event, const runtime::PackOptions&) {
  using enum packnet::SectionShareEvent::Kind;
  const Json data{{"node", event.node}};
  const std::string title = section_title(event.section);
  switch (event.kind) {
    case kSynchronised:
      return tell(EventLevel::kInfo, "packnet", "settings_synchronised", "All packs have the same settings.");
    case kNotAuthentic:
      return tell(
          EventLevel::kWarning, "packnet", "settings_not_authentic",
          fmt::format("Pack {} offers settings with a wrong seal ({}); they are ignored. Check its key.",
                      event.node, title),
          data);
    case kOtherSecurity:
      return tell(
          EventLevel::kWarning, "packnet", "settings_other_security",
          fmt::format("Pack {} is set to the other security mode; its settings are ignored.", event.node),
          data);
    case kRefused:
      return tell(EventLevel::kWarning, "packnet", "settings_refused_record",
                  fmt::format("Settings of pack {} cannot be taken over ({}).", event.node, title), data);
  }
  return std::nullopt;
}

Told describe(const state::ReplicaEvent& event, const runtime::PackOptions&) {
  using enum state::ReplicaEvent::Kind;
  const std::string title = section_title(event.section);
  const Json data{{"section", event.section}, {"version", event.version}};
  switch (event.kind) {
    case kChanged:
      return tell(EventLevel::kInfo, "settings", "section_changed_here",
                  fmt::format("{}: changed here.", title), data);
    case kAdopted:
      return tell(EventLevel::kNotice, "settings", "section_adopted",
                  fmt::format("{}: taken over from {}.", title, runtime::to_string(event.origin)), data);
    case kConflictTheirs:
      return tell(EventLevel::kWarning, "settings", "section_conflict",
                  fmt::format("{}: a later change of another pack replaces the one made here.", title), data);
    case kStoreFailed:
      return tell(EventLevel::kError, "settings", "section_not_stored",
                  fmt::format("{}: in force, but it cannot be stored yet; it is tried again.", title), data);
    case kCorrupt:
      return tell(EventLevel::kError, "settings", "section_damaged",
                  fmt::format("{}: what was stored is damaged; the other packs bring it back.", title), data);
    case kStored:
      break;
  }
  return std::nullopt;
}

Told describe(const node::PackEvent& event, const runtime::PackOptions&) {
  using enum node::PackEvent::Kind;
  switch (event.kind) {
    case kSettingsRefused:
      return tell(
          EventLevel::kError, "settings", "section_not_applied",
          "The shared settings cannot be in force here; what was in force before stays. The page says "
          "why.");
    case kSettingsInForce:
      return tell(EventLevel::kInfo, "settings", "settings_in_force", "The shared settings are in force.");
    case kTimeSource:
      return tell(EventLevel::kInfo, "energy", "time_source",
                  event.source == node::TimeSource::kBus ? "The time comes from the gateway."
                                                         : "The time comes from this machine's clock.");
    case kIdentify:
      return tell(EventLevel::kInfo, "packnet", "identify", "Somebody wants to see which pack this is.");
    case kRestartOrdered:
      return tell(EventLevel::kNotice, "packnet", "restart_ordered",
                  "The gateway orders a restart: the program ends, and its service starts it again.");
    case kCommand: {
      const auto* opcode = packnet::find_opcode(event.opcode);
      const bool is_done = event.result == packnet::CommandResult::kDone;
      return tell(is_done ? EventLevel::kNotice : EventLevel::kWarning, "packnet", "command",
                  fmt::format("Command of the gateway, {}: {}.",
                              opcode != nullptr ? opcode->name : std::string_view{"unknown"},
                              packnet::to_text(event.result)),
                  {{"opcode", event.opcode}, {"result", packnet::to_text(event.result)}});
    }
  }
  return std::nullopt;
}

EventRecord describe_device(const char* code, std::string_view what, std::string_view consequence,
                            const std::optional<runtime::SysError>& error) {
  if (!error) {
    return tell(EventLevel::kNotice, "energy", fmt::format("{}_works", code),
                fmt::format("{} works again.", what));
  }
  return tell(EventLevel::kError, "energy", fmt::format("{}_failed", code),
              fmt::format("{} does not work: {}. {}", what, error->text(), consequence));
}

}  // namespace

std::optional<EventRecord> describe(const node::PackNodeEvent& event, const runtime::PackOptions& options) {
  return std::visit([&options](const auto& one) { return describe(one, options); }, event.what);
}

EventRecord describe(const runtime::RelayNotice& notice) {
  return describe_device("relay", fmt::format("The relay of {}", title_of(notice.relay)),
                         "It is tried again.", notice.error);
}

EventRecord describe(const runtime::SensorNotice& notice) {
  return describe_device("sensor", fmt::format("The measurement of {}", title_of(notice.place)),
                         "Its value is unknown until it works again.", notice.error);
}

EventRecord describe(const runtime::IndicatorNotice& notice) {
  return describe_device("indicator", fmt::format("The indicator ({})", to_text(notice.part)),
                         "The page shows the same picture.", notice.error);
}

}  // namespace amphora::run
