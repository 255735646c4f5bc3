// SPDX-License-Identifier: Apache-2.0
// JSON of the CAN-bus BMS protocol. A field that is absent on the wire or marked as unsupported is absent
// here.
#include <fmt/format.h>

#include <optional>

#include "apps/amphora/decode/can_origin.hpp"
#include "apps/amphora/decode/candump.hpp"
#include "apps/amphora/decode/line_decoder.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/can/bms_protocol.hpp"

namespace amphora::decode {

namespace {

template <class Quantity>
void optional_decimal(JsonLine& json, std::string_view key, const std::optional<Quantity>& value,
                      unsigned decimals) {
  if (value) {
    json.decimal(key, value->count(), decimals);
  }
}
template <class Integer>
void optional_number(JsonLine& json, std::string_view key, const std::optional<Integer>& value) {
  if (value) {
    json.number(key, static_cast<std::int64_t>(*value));
  }
}
void optional_text(JsonLine& json, std::string_view key, const std::optional<can::Text8>& value) {
  if (value) {
    json.text(key, value->view());
  }
}

// The active ones; absent when the sender watches none.
void alarm_names(JsonLine& json, std::string_view key, const battery::AlarmSet& set) {
  bool is_watched = false;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    is_watched = is_watched || set.is_watched(static_cast<battery::Alarm>(i));
  }
  if (!is_watched) {
    return;
  }
  json.begin_array(key);
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    if (set.is_active(static_cast<battery::Alarm>(i))) {
      json.element(to_text(static_cast<battery::Alarm>(i)));
    }
  }
  json.end_array();
}

// One overload for each message.
struct Writer {
  JsonLine& json;

  void operator()(const can::KeepAlive&) const {}
  void operator()(const can::GxIdentity& message) const {
    optional_number(json, "number", message.number);
    optional_text(json, "maker", message.maker);
  }
  void operator()(const can::Limits& message) const {
    optional_decimal(json, "cvl_v", message.charge_voltage, 1);
    optional_decimal(json, "ccl_a", message.charge_current, 1);
    optional_decimal(json, "dcl_a", message.discharge_current, 1);
    optional_decimal(json, "dvl_v", message.discharge_voltage, 1);
  }
  void operator()(const can::Charge& message) const {
    optional_decimal(json, "soc_percent", message.soc, 0);
    optional_decimal(json, "soh_percent", message.soh, 0);
    optional_decimal(json, "soc_hires_percent", message.soc_fine, 2);
  }
  void operator()(const can::Measurements& message) const {
    optional_decimal(json, "voltage_v", message.voltage, 2);
    optional_decimal(json, "current_a", message.current, 1);
    optional_decimal(json, "temperature_c", message.temperature, 1);
  }
  void operator()(const can::AlarmBits& message) const {
    alarm_names(json, "alarms", message.alarms);
    alarm_names(json, "warnings", message.warnings);
    if (message.online) {
      json.boolean("online", *message.online);
    }
  }
  void operator()(const can::Manufacturer& message) const {
    optional_text(json, "manufacturer", message.text);
  }
  void operator()(const can::Info& message) const {
    optional_number(json, "model", message.model);
    if (message.firmware) {
      json.text("firmware", fmt::format("{}.{}", message.firmware->major, message.firmware->minor));
    }
    optional_decimal(json, "capacity_ah", message.capacity, 0);
    optional_number(json, "hardware", message.hardware);
  }
  void operator()(const can::Name& message) const { optional_text(json, "name", message.text); }
  void operator()(const can::ExtremeName& message) const { optional_text(json, "name", message.text); }
  void operator()(const can::Serial& message) const { optional_text(json, "serial", message.text); }
  void operator()(const can::Family& message) const { optional_text(json, "family", message.text); }
  void operator()(const can::Modules& message) const {
    optional_number(json, "modules_ok", message.ok);
    optional_number(json, "modules_blocking_charge", message.blocking_charge);
    optional_number(json, "modules_blocking_discharge", message.blocking_discharge);
    optional_number(json, "modules_offline", message.offline);
  }
  void operator()(const can::CellExtremes& message) const {
    optional_decimal(json, "cell_min_v", message.cell_min, 3);
    optional_decimal(json, "cell_max_v", message.cell_max, 3);
    optional_decimal(json, "temperature_min_c", message.temperature_min, 1);
    optional_decimal(json, "temperature_max_c", message.temperature_max, 1);
  }
  void operator()(const can::Energy& message) const {
    optional_decimal(json, "energy_in_kwh", message.in, 1);
    optional_decimal(json, "energy_out_kwh", message.out, 1);
  }
  void operator()(const can::Installed& message) const {
    optional_decimal(json, "installed_ah", message.capacity, 0);
  }
  void operator()(const can::PylonStatus& message) const {
    alarm_names(json, "alarms", message.protections);
    alarm_names(json, "warnings", message.alarms);
    optional_number(json, "module_count", message.module_count);
  }
  void operator()(const can::PylonRequests& message) const {
    json.boolean("charge_enable", message.charge_enable);
    json.boolean("discharge_enable", message.discharge_enable);
    json.boolean("force_charge_1", message.force_charge_1);
    json.boolean("force_charge_2", message.force_charge_2);
    json.boolean("full_charge", message.full_charge);
  }
};

// These carry a name of their own, which then stands in place of the frame's.
bool carries_name(const can::Message& message) {
  return std::holds_alternative<can::Name>(message) || std::holds_alternative<can::ExtremeName>(message);
}

class VictronDecoder final : public LineDecoder {
 public:
  void decode(std::uint64_t line_number, std::string_view text, std::string& out) override {
    CanLineResult parsed = parse_can_line(text);
    if (!parsed.fault.empty()) {
      append_error(line_number, text, parsed.fault, out);
      return;
    }
    for (std::size_t i = 0; i < parsed.line.id_count; ++i) {
      parsed.line.frame.id = parsed.line.ids[i];
      append_frame(line_number, text, parsed.line, out);
    }
  }

  static void append_frame(std::uint64_t line_number, std::string_view text, const CanLine& line,
                           std::string& out) {
    const auto message = can::decode(line.frame);
    std::array<char, 12> id;
    JsonLine json{out};
    json.text("id", id_text(line.frame, id));
    if (!message) {
      json.text("error", to_text(message.error()));
      append_origin(json, line);
      json.number("line", static_cast<std::int64_t>(line_number));
      json.text("text", text);
      json.end();
      return;
    }
    const auto index = can::frame_index(line.frame.id);
    const std::string_view frame_name = index ? can::kFrameTable[*index].name : std::string_view{};
    if (!carries_name(*message)) {
      json.text("name", frame_name);
    }
    json.text("frame", frame_name);
    append_origin(json, line);
    std::visit(Writer{json}, *message);
    json.end();
  }
};

}  // namespace

void append_victron_frame(const can::Frame& frame, std::string& out) {
  CanLine line;
  line.frame = frame;
  VictronDecoder::append_frame(0, {}, line, out);
}

std::unique_ptr<LineDecoder> make_victron_decoder() {
  return std::make_unique<VictronDecoder>();
}

}  // namespace amphora::decode
