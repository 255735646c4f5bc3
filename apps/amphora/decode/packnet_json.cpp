// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/decode/packnet_json.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>
#include <variant>

#include "apps/amphora/decode/hex_text.hpp"
#include "core/energy/controller.hpp"
#include "core/energy/relay.hpp"
#include "core/energy/safety.hpp"
#include "core/energy/settings.hpp"
#include "core/node/pack/report_codes.hpp"
#include "core/packnet/command.hpp"
#include "core/packnet/section_record.hpp"
#include "core/packnet/telemetry.hpp"
#include "core/sections/tables.hpp"
#include "runtime/can/can_port.hpp"

namespace amphora::decode {

namespace {

using packnet::Field;
using packnet::FieldInfo;
using packnet::FieldKind;

constexpr auto kBmsStates = std::array<std::string_view, 4>{"never", "connected", "stale", "fault"};
constexpr auto kHolders = std::array<std::string_view, 11>{
    "default",      "manual", "time_of_use",  "eco",        "self_consumption", "backup",
    "import_limit", "safety", "minimum_time", "wear_limit", "minimum_soc"};
constexpr auto kPositions = std::array<std::string_view, 2>{"open", "closed"};
constexpr auto kLevels = std::array<std::string_view, 4>{"info", "notice", "warning", "error"};
constexpr auto kOrders = std::array<std::string_view, 3>{"off", "on", "auto"};
constexpr auto kUpdateActions = std::array<std::string_view, 4>{"abort", "begin", "activate", "status"};

struct Unit {
  std::string_view unit;
  std::string_view suffix;
};
constexpr auto kUnits = std::array{Unit{"V", "_v"},    Unit{"A", "_a"},   Unit{"%", "_percent"},
                                   Unit{"W", "_w"},    Unit{"Ah", "_ah"}, Unit{"Wh", "_wh"},
                                   Unit{"degC", "_c"}, Unit{"s", "_s"},   Unit{"", ""}};

std::string_view suffix_of(std::string_view unit) {
  for (const Unit& entry : kUnits) {
    if (entry.unit == unit) {
      return entry.suffix;
    }
  }
  return "";
}

unsigned decimals_of(std::uint16_t divisor) {
  unsigned decimals = 0;
  for (unsigned scale = divisor; scale >= 10; scale /= 10) {
    ++decimals;
  }
  return decimals;
}

// The name, or the number where it has none.
template <std::size_t N>
void named(JsonLine& json, std::string_view key, std::int64_t value,
           const std::array<std::string_view, N>& names) {
  if (value >= 0 && value < static_cast<std::int64_t>(N)) {
    json.text(key, names[static_cast<std::size_t>(value)]);
  } else {
    json.number(key, value);
  }
}

// The names of the bits that are set; a bit without a name is its number.
template <class Name>
void bit_names(JsonLine& json, std::string_view key, std::int64_t bits, std::size_t count, Name name) {
  json.begin_array(key);
  for (std::size_t bit = 0; bit < 32; ++bit) {
    if (((bits >> bit) & 1) != 0) {
      json.element(bit < count ? std::string{name(bit)} : fmt::format("{}", bit));
    }
  }
  json.end_array();
}

void alarm_bits(JsonLine& json, std::string_view key, std::int64_t bits) {
  bit_names(json, key, bits, battery::kAlarmCount,
            [](std::size_t bit) { return to_text(static_cast<battery::Alarm>(bit)); });
}
void mode_bits(JsonLine& json, std::string_view key, std::int64_t bits) {
  bit_names(json, key, bits, energy::kModeCount,
            [](std::size_t bit) { return to_text(static_cast<energy::Mode>(bit)); });
}

void addressee(JsonLine& json, packnet::Node node) {
  if (node == packnet::kNodeAll) {
    json.text("to", "all");
  } else {
    json.number("to", node);
  }
}

void relay_name(JsonLine& json, std::string_view key, std::int64_t index) {
  if (index >= 0 && index < static_cast<std::int64_t>(energy::kRelayCount)) {
    json.text(key, to_text(energy::relay_at(static_cast<std::size_t>(index))));
  } else {
    json.number(key, index);
  }
}

void section_name(JsonLine& json, std::int64_t id) {
  const sections::SectionTable* table = sections::find_table(static_cast<state::SectionId>(id));
  if (table != nullptr) {
    json.text("section", table->name);
  } else {
    json.number("section", id);
  }
}

void opcode_name(JsonLine& json, std::uint8_t opcode) {
  const packnet::OpcodeInfo* info = packnet::find_opcode(opcode);
  if (info != nullptr) {
    json.text("opcode", info->name);
  } else {
    json.number("opcode", opcode);
  }
}

// "2026-11-21T14:03:00Z", or with the offset and in local time.
std::string iso_time(WallTime wall, std::optional<std::int8_t> offset_quarters) {
  const int minutes = offset_quarters.value_or(0) * 15;
  const std::chrono::sys_seconds local{
      std::chrono::seconds{wall.unix_ms / 1000 + std::int64_t{minutes} * 60}};
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{local - day};
  const std::string zone = offset_quarters ? fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+',
                                                         std::abs(minutes) / 60, std::abs(minutes) % 60)
                                           : "Z";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}", int{date.year()}, unsigned{date.month()},
                     unsigned{date.day()}, clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), zone);
}

// ---- telemetry

void field_value(JsonLine& json, Field field, std::int64_t value) {
  const FieldInfo& info = info_of(field);
  const std::string_view name = info.name;
  if (field == Field::kModes) {
    mode_bits(json, name, value);
  } else if (field == Field::kPackWarnings) {
    bit_names(json, name, value, static_cast<std::size_t>(energy::Warning::kCount),
              [](std::size_t bit) { return to_text(static_cast<energy::Warning>(bit)); });
  } else if (info.kind == FieldKind::kFlags) {
    alarm_bits(json, name, value);
  } else if (field == Field::kBmsState) {
    named(json, name, value, kBmsStates);
  } else if (field == Field::kCanState) {
    constexpr auto kLast = static_cast<std::int64_t>(can::BusState::kBusOff);
    if (value <= kLast) {
      json.text(name, runtime::to_text(static_cast<can::BusState>(value)));
    } else {
      json.number(name, value);
    }
  } else if (name.ends_with("_position") || name.ends_with("_asked")) {
    named(json, name, value, kPositions);
  } else if (name.ends_with("_holder")) {
    named(json, name, value, kHolders);
  } else {
    json.decimal(fmt::format("{}{}", name, suffix_of(info.unit)), value, decimals_of(info.divisor));
  }
}

void cell_values(JsonLine& json, const packnet::Telemetry& telemetry, std::uint8_t page) {
  const std::size_t first = std::size_t{page} - packnet::kCellPageFirst;
  json.number("cell_first", static_cast<std::int64_t>(first * packnet::kCellsPerPage) + 1);
  json.begin_array("cells_v");
  for (std::size_t i = 0; i < packnet::kCellsPerPage; ++i) {
    if (const auto voltage = telemetry.cell(first * packnet::kCellsPerPage + i)) {
      json.element_decimal(voltage->count(), 3);
    } else {
      json.element_null();
    }
  }
  json.end_array();
}

void telemetry_page(JsonLine& json, const packnet::TelemetryPage& page) {
  json.number("page", page.page);
  packnet::Telemetry telemetry;
  if (!telemetry.decode(page)) {
    json.text("data", to_hex(page.data));
    return;
  }
  if (page.page >= packnet::kCellPageFirst) {
    cell_values(json, telemetry, page.page);
    return;
  }
  for (std::size_t i = 0; i < packnet::kFieldCount; ++i) {
    const auto field = static_cast<Field>(i);
    const auto value = info_of(field).page == page.page ? telemetry.value(field) : std::nullopt;
    if (value) {
      field_value(json, field, *value);
    }
  }
}

// ---- commands

// 0 to 96 quarter hours as "22:00".
void quarter_hours(JsonLine& json, std::string_view key, std::int32_t quarters) {
  json.text(key, fmt::format("{:02}:{:02}", quarters / 4, quarters % 4 * 15));
}

void argument(JsonLine& json, packnet::Opcode opcode, std::string_view name, std::int32_t value) {
  using packnet::Opcode;
  if (opcode == Opcode::kSetMode && name == "mode") {
    if (value < static_cast<std::int32_t>(energy::kModeCount)) {
      json.text(name, to_text(static_cast<energy::Mode>(value)));
    } else {
      json.number(name, value);
    }
  } else if (name == "on") {
    json.boolean(name, value != 0);
  } else if (name == "begin" || name == "end") {
    quarter_hours(json, name, value);
  } else if (name == "relay") {
    relay_name(json, name, value);
  } else if (name == "order") {
    named(json, name, value, kOrders);
  } else if (name == "section") {
    section_name(json, value);
  } else if (name == "action") {
    named(json, name, value, kUpdateActions);
  } else {
    json.number(name, value);
  }
}

void set_value(JsonLine& json, const packnet::Command& command) {
  for (const packnet::ValueInfo& info : packnet::kValues) {
    if (static_cast<std::int32_t>(info.id) == command.arguments[0]) {
      const bool is_fine = info.unit.starts_with("0.");
      const std::string_view unit = is_fine ? info.unit.substr(info.unit.find(' ') + 1) : info.unit;
      json.text("value_name", info.name);
      json.decimal(fmt::format("value{}", suffix_of(unit)), command.arguments[1],
                   is_fine ? static_cast<unsigned>(info.unit.find(' ') - 2) : 0U);
    }
  }
}

void refusal(JsonLine& json, const packnet::CommandFrame& frame, const packnet::CommandError& error) {
  json.text("refused", to_text(error.result));
  const packnet::OpcodeInfo* info = packnet::find_opcode(frame.opcode);
  if (error.result == packnet::CommandResult::kOutOfRange && info != nullptr &&
      error.argument < packnet::kArgumentsMax) {
    json.text("argument", info->arguments[error.argument].name);
  }
  json.text("data", to_hex(frame.payload()));
}

void command_fields(JsonLine& json, const packnet::CommandFrame& frame) {
  if (frame.opcode == static_cast<std::uint8_t>(packnet::Opcode::kSeal)) {
    json.text("opcode", "seal");
    json.number("sequence", frame.sequence);
    if (frame.size == packnet::kArgumentSizeMax) {
      json.number("counter_low", load<std::uint16_t>(frame.arguments.data(), Endian::kLittle));
      json.text("mac", to_hex(frame.payload().subspan(2)));
    } else {
      json.text("data", to_hex(frame.payload()));
    }
    return;
  }
  if (frame.opcode == static_cast<std::uint8_t>(packnet::Opcode::kEpoch)) {
    json.text("opcode", "epoch");
    json.number("sequence", frame.sequence);
    if (frame.size == sizeof(std::uint32_t)) {
      json.number("counter_high", load<std::uint32_t>(frame.arguments.data(), Endian::kLittle));
    } else {
      json.text("data", to_hex(frame.payload()));
    }
    return;
  }
  opcode_name(json, frame.opcode);
  json.number("sequence", frame.sequence);
  const packnet::DecodedCommand decoded = packnet::decode_command(frame);
  if (!decoded.command) {
    refusal(json, frame, decoded.error);
    return;
  }
  if (decoded.command->opcode == packnet::Opcode::kSetValue) {
    set_value(json, *decoded.command);
    return;
  }
  const packnet::OpcodeInfo* info = packnet::find_opcode(frame.opcode);
  for (std::size_t i = 0; i < packnet::kArgumentsMax; ++i) {
    if (info->arguments[i].size > 0) {
      argument(json, decoded.command->opcode, info->arguments[i].name, decoded.command->arguments[i]);
    }
  }
}

// ---- reports

std::string report_name(std::uint16_t code) {
  using namespace node;
  constexpr auto kWarnings = static_cast<std::uint16_t>(energy::Warning::kCount);
  if (code >= kReportSafety && code < kReportSafety + energy::kSafetyCauseCount) {
    return fmt::format("safety_{}", to_text(static_cast<energy::SafetyCause>(code - kReportSafety)));
  }
  if (code >= kReportWarning && code < kReportWarning + kWarnings) {
    return std::string{to_text(static_cast<energy::Warning>(code - kReportWarning))};
  }
  switch (code) {
    case packnet::kReportDuplicateHardware:
      return "duplicate_hardware";
    case packnet::kReportNodeChanged:
      return "node_changed";
    case kReportMinimumSoc:
      return "minimum_soc";
    case kReportImportExhausted:
      return "import_exhausted";
    case kReportRelayMismatch:
      return "relay_mismatch";
    default:
      return "";
  }
}

// ---- sections

void share_fields(JsonLine& json, const packnet::ShareMessage& message) {
  if (const auto* announcement = std::get_if<packnet::Announcement>(&message)) {
    json.text("kind", "announcement");
    section_name(json, announcement->section);
    json.text("digest", fmt::format("{:06x}", announcement->digest));
    if (announcement->stamp_s != 0) {
      json.text("changed", iso_time(WallTime{std::int64_t{announcement->stamp_s} * 1000}, std::nullopt));
    }
    return;
  }
  const auto& segment = std::get<packnet::RecordSegment>(message);
  json.text("kind", "record_segment");
  section_name(json, segment.section);
  json.boolean("sealed", segment.is_sealed);
  json.number("index", segment.index);
  if (segment.index == 0) {
    json.number("record_size", static_cast<std::int64_t>(packnet::record_size(segment)));
    json.text("digest", fmt::format("{:06x}", packnet::record_digest(segment)));
  }
  json.text("data", to_hex(segment.data));
}

// One overload for each message.
struct Writer {
  JsonLine& json;

  void operator()(const packnet::MasterBeacon& message) const {
    json.text("name", "master_beacon");
    json.number("sender", message.node);
    json.number("term", message.term);
    json.number("rank", message.rank);
    json.boolean("alone", message.is_alone);
  }
  void operator()(const packnet::Presence& message) const {
    json.text("name", "presence");
    json.number("sender", message.node);
    json.text("type", to_text(message.type));
    json.text("firmware", fmt::format("{}.{}", message.firmware_major, message.firmware_minor));
    json.boolean("master", (message.flags & packnet::kPresenceMaster) != 0);
    json.boolean("alarm", (message.flags & packnet::kPresenceAlarm) != 0);
    json.boolean("warning", (message.flags & packnet::kPresenceWarning) != 0);
    json.boolean("time_known", (message.flags & packnet::kPresenceTimeKnown) != 0);
    json.boolean("duplicate", (message.flags & packnet::kPresenceDuplicate) != 0);
    json.text("hash", fmt::format("{:08x}", message.hash));
  }
  void operator()(const packnet::OldPresence& message) const {
    json.text("name", "old_presence");
    json.number("sender", message.node);
  }
  void operator()(const packnet::Claim& message) const {
    json.text("name", "claim");
    json.number("sender", message.node);
    json.text("hardware", fmt::format("{:016x}", message.hardware));
  }
  void operator()(const packnet::GatewayPresence& message) const {
    json.text("name", "gateway");
    json.text("hardware", fmt::format("{:016x}", message.hardware));
  }
  void operator()(const packnet::TelemetryPage& message) const {
    json.text("name", "telemetry");
    json.number("sender", message.node);
    telemetry_page(json, message);
  }
  void operator()(const packnet::Acknowledgement& message) const {
    json.text("name", "report");
    json.number("sender", message.node);
    json.text("kind", "acknowledgement");
    opcode_name(json, message.opcode);
    json.number("sequence", message.sequence);
    json.text("result", to_text(message.result));
    json.number("detail", message.detail);
  }
  void operator()(const packnet::Report& message) const {
    json.text("name", "report");
    json.number("sender", message.node);
    json.text("kind", "event");
    named(json, "level", static_cast<std::int64_t>(message.level), kLevels);
    json.boolean("ended", message.is_end);
    json.number("code", message.code);
    if (const std::string name = report_name(message.code); !name.empty()) {
      json.text("event", name);
    }
    if (message.code == node::kReportRelayMismatch) {
      relay_name(json, "relay", message.value);
    } else {
      json.number("value", message.value);
    }
  }
  void operator()(const packnet::MasterAnswer& message) const {
    json.text("name", "report");
    json.number("sender", message.node);
    json.text("kind", "master_answer");
    json.number("rank", message.rank);
    json.number("master", message.master);
    json.boolean("to_alone", message.is_to_alone);
    json.number("term", message.term);
  }
  void operator()(const packnet::CommandFrame& message) const {
    json.text("name", "command");
    addressee(json, message.to);
    command_fields(json, message);
  }
  void operator()(const packnet::Time& message) const {
    json.text("name", "time");
    if (const auto wall = packnet::wall_time_of(message)) {
      json.text("wall_time", iso_time(*wall, message.offset_quarters));
    }
  }
  void operator()(const packnet::Opaque& message) const {
    const ByteSpan data = ByteSpan{message.data}.first(message.size);
    json.text("name", to_text(message.channel));
    if (message.channel == packnet::Channel::kSegmentTo) {
      addressee(json, message.node);
    } else if (message.channel == packnet::Channel::kSocket) {
      json.number("socket", message.node);
    } else {
      json.number("sender", message.node);
    }
    const auto share =
        message.channel == packnet::Channel::kState ? packnet::decode_share(data) : std::nullopt;
    if (share) {
      share_fields(json, *share);
    } else {
      json.text("data", to_hex(data));
    }
  }
};

}  // namespace

void append_packnet_message(JsonLine& json, const packnet::Message& message) {
  std::visit(Writer{json}, message);
}

}  // namespace amphora::decode
