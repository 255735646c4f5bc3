// SPDX-License-Identifier: Apache-2.0
// JSON of TinyBMS frames written in hexadecimal.
//
// A line is one frame or several, with or without blanks between the bytes, and may begin with a direction:
// tx, >, ->, request for what the host sends; rx, <, <-, reply for what the BMS sends. Without one the
// frame's form decides, and where both would fit, what came before: after a request a reply is expected. A
// remark in parentheses or after "->" ends a line. Replies carry no register numbers, so they are taken from
// the request before them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "apps/amphora/decode/hex_text.hpp"
#include "apps/amphora/decode/line_decoder.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/bms/tinybms/decode.hpp"
#include "core/bms/tinybms/events.hpp"
#include "core/bms/tinybms/frame.hpp"
#include "core/bms/tinybms/registers.hpp"

namespace amphora::decode {

namespace {

using namespace tinybms;

enum class Direction : std::uint8_t { kUnknown, kTx, kRx };

struct HexLine {
  Direction direction = Direction::kUnknown;
  std::vector<std::uint8_t> bytes;
  std::string fault;
};

std::optional<Direction> direction_of(std::string_view token) {
  for (const std::string_view name : {"tx", "TX", ">", "->", ">>", "request", "tx:", "TX:"}) {
    if (token == name) {
      return Direction::kTx;
    }
  }
  for (const std::string_view name : {"rx", "RX", "<", "<-", "<<", "reply", "rx:", "RX:"}) {
    if (token == name) {
      return Direction::kRx;
    }
  }
  return std::nullopt;
}

HexLine parse_hex_line(std::string_view text) {
  HexLine line;
  Tokens tokens{text};
  for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
    if (line.bytes.empty() && line.direction == Direction::kUnknown) {
      if (const auto direction = direction_of(token)) {
        line.direction = *direction;
        continue;
      }
    }
    if (!line.bytes.empty() &&
        (token == "->" || token == "·" || token.front() == '(' || token.front() == '#')) {
      break;
    }
    line.fault = append_hex(token, line.bytes);
    if (!line.fault.empty()) {
      return line;
    }
  }
  if (line.bytes.empty()) {
    line.fault = "no bytes";
  }
  return line;
}

void append_scaled(JsonLine& json, const Register& entry, RawValue value) {
  if (value == entry.sentinel) {
    return;
  }
  json.raw(entry.name, format_value(entry, value).view());
}

// Writes "registers" and, for those in the table, "values".
void append_registers(JsonLine& json, const std::vector<RegisterWord>& words) {
  json.begin_object("registers");
  for (const RegisterWord& word : words) {
    json.number(fmt::format("{}", word.number), word.value);
  }
  json.end_object();
  json.begin_object("values");
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Register* entry = find_register(words[i].number);
    if (entry == nullptr) {
      continue;
    }
    const std::size_t count = word_count(*entry);
    std::array<std::uint16_t, 2> raw{};
    bool is_whole = i + count <= words.size();
    for (std::size_t k = 0; k < count && is_whole; ++k) {
      is_whole = words[i + k].number == words[i].number + k;
      raw[k] = words[i + k].value;
    }
    if (const auto value = is_whole ? raw_value(*entry, std::span{raw}.first(count)) : std::nullopt) {
      append_scaled(json, *entry, *value);
    }
  }
  json.end_object();
}

std::string_view nack_text(std::uint8_t error) {
  return error == kErrorCrc ? "crc" : (error == kErrorCommand ? "command" : "unknown");
}

void append_events(JsonLine& json, ByteSpan payload) {
  const auto list = decode_events(payload);
  if (!list) {
    json.text("payload", to_hex(payload));
    return;
  }
  json.number("bms_time_s", list->now_s);
  json.begin_array("events");
  for (const LoggedEvent& logged : list->list()) {
    const EventKind* kind = find_event(logged.id);
    json.begin_element_object();
    json.number("event", logged.id);
    if (kind != nullptr) {
      json.text("name", kind->name);
    }
    json.number("age_s", age_s(*list, logged));
    json.end_object();
  }
  json.end_array();
}

void append_temperatures(JsonLine& json, ByteSpan payload) {
  const auto temperatures = decode_temperatures(payload);
  if (!temperatures) {
    json.text("payload", to_hex(payload));
    return;
  }
  if (temperatures->internal) {
    json.decimal("temperature_internal_c", temperatures->internal->count(), 1);
  }
  json.begin_array("temperature_external_c");
  for (const auto& sensor : temperatures->external) {
    if (sensor) {
      json.element_decimal(sensor->count(), 1);
    } else {
      json.element_null();
    }
  }
  json.end_array();
}

void append_cells(JsonLine& json, ByteSpan payload) {
  json.begin_array("cell_v");
  for (std::size_t i = 0; i + 1 < payload.size(); i += 2) {
    json.element_decimal(load<std::uint16_t>(payload.data() + i, Endian::kLittle), 4);
  }
  json.end_array();
}

void append_version(JsonLine& json, Command command, ByteSpan payload) {
  const auto version = decode_version(command, payload);
  if (!version) {
    json.text("payload", to_hex(payload));
    return;
  }
  json.number("hardware", version->hardware);
  json.number("hardware_changes", version->hardware_changes);
  json.number("firmware_public", version->public_firmware);
  json.number("firmware_internal", version->internal_firmware);
  if (command == Command::kExtendedVersion) {
    json.number("bootloader", version->bootloader);
    json.number("register_map", version->register_map);
  }
}

void append_speed(JsonLine& json, ByteSpan payload) {
  const auto speed = decode_speed(payload);
  if (!speed) {
    json.text("payload", to_hex(payload));
    return;
  }
  if (const auto milli = milli_from_float(speed->speed_bits)) {
    json.decimal("speed", *milli, 3);
  }
  json.number("distance_left_km", speed->distance_left_km);
  json.number("time_left_s", speed->time_left_s);
}

// The replies that are one number.
void append_number(JsonLine& json, Command command, ByteSpan payload) {
  ByteReader reader{payload};
  const auto float_field = [&](std::string_view key) {
    if (const auto milli = milli_from_float(reader.u32())) {
      json.decimal(key, *milli, 3);
    }
  };
  switch (command) {
    case Command::kPackVoltage:
      return float_field("voltage_v");
    case Command::kPackCurrent:
      return float_field("current_a");
    case Command::kCellMax:
      return json.decimal("cell_max_v", reader.u16(), 3);
    case Command::kCellMin:
      return json.decimal("cell_min_v", reader.u16(), 3);
    case Command::kLifetime:
      return json.number("lifetime_s", reader.u32());
    case Command::kSoc:
      return json.decimal("soc_percent", reader.u32(), 6);
    case Command::kStatus: {
      const std::uint16_t status = reader.u16();
      json.number("status", status);
      if (const auto activity = activity_of(status)) {
        json.text("activity", battery::to_text(*activity));
      }
      return;
    }
    default:
      return json.text("payload", to_hex(payload));
  }
}

class TinyBmsDecoder final : public LineDecoder {
 public:
  void decode(std::uint64_t line_number, std::string_view text, std::string& out) override {
    const HexLine line = parse_hex_line(text);
    if (!line.fault.empty()) {
      append_error(line_number, text, line.fault, out);
      return;
    }
    ByteSpan rest{line.bytes};
    while (!rest.empty()) {
      const Direction direction = judge(line.direction, rest);
      const std::size_t size = frame_size(direction, rest);
      append_frame(line_number, text, direction, rest.first(size), out);
      rest = rest.subspan(size);
    }
  }

 private:
  // All of `bytes`, unless a whole frame with a right CRC ends earlier.
  static std::size_t frame_size(Direction direction, ByteSpan bytes) {
    const FrameLength length = direction == Direction::kTx ? request_length(bytes) : reply_length(bytes);
    const bool ends_earlier = length.status == FrameLength::Status::kKnown && length.size < bytes.size() &&
                              has_valid_crc(bytes.first(length.size));
    return ends_earlier ? length.size : bytes.size();
  }

  Direction judge(Direction given, ByteSpan bytes) const {
    if (given != Direction::kUnknown) {
      return given;
    }
    const bool can_be_tx = decode_request(bytes.first(frame_size(Direction::kTx, bytes))).ok();
    const bool can_be_rx = decode_reply(bytes.first(frame_size(Direction::kRx, bytes))).ok();
    if (can_be_tx == can_be_rx) {
      return pending_ ? Direction::kRx : Direction::kTx;
    }
    return can_be_tx ? Direction::kTx : Direction::kRx;
  }

  void append_frame(std::uint64_t line_number, std::string_view text, Direction direction, ByteSpan frame,
                    std::string& out) {
    JsonLine json{out};
    json.text("direction", direction == Direction::kTx ? "tx" : "rx");
    const bool crc_ok = has_valid_crc(frame);
    const auto fault = direction == Direction::kTx ? append_request(json, frame) : append_reply(json, frame);
    json.boolean("crc_ok", crc_ok);
    if (fault) {
      json.text("error", to_text(*fault));
      json.number("line", static_cast<std::int64_t>(line_number));
      json.text("text", text);
    }
    json.end();
  }

  static void append_command(JsonLine& json, Command command) {
    json.text("command", to_text(command));
    json.text("code", fmt::format("0x{:02X}", static_cast<unsigned>(command)));
  }

  std::optional<FrameError> append_request(JsonLine& json, ByteSpan frame) {
    const auto request = decode_request(frame);
    pending_.reset();
    if (!request) {
      return request.error();
    }
    pending_ = *request;
    received_.clear();
    append_command(json, request->command);
    const auto words = std::span{request->words}.first(request->count);
    switch (request->command) {
      case Command::kControl:
        json.text("option", to_text(static_cast<ControlOption>(request->option)));
        break;
      case Command::kSettings:
        json.number("option", request->option);
        json.number("count", request->count);
        break;
      case Command::kReadModbus:
      case Command::kReadBlock:
        json.number("address", request->address);
        json.number("count", request->count);
        break;
      case Command::kReadIndividual:
        json.begin_array("addresses");
        for (const RegisterWord& word : words) {
          json.element_decimal(word.number, 0);
        }
        json.end_array();
        break;
      case Command::kWriteBlock:
      case Command::kWriteIndividual:
      case Command::kWriteModbus:
        json.number("address", request->count == 0 ? request->address : words[0].number);
        append_registers(json, {words.begin(), words.end()});
        break;
      default:
        break;
    }
    return std::nullopt;
  }

  std::optional<FrameError> append_reply(JsonLine& json, ByteSpan frame) {
    const auto reply = decode_reply(frame);
    if (!reply) {
      return reply.error();
    }
    append_command(json, reply->command);
    if (reply->kind == ReplyKind::kAck) {
      json.text("result", "ack");
    } else if (reply->kind == ReplyKind::kNack) {
      json.text("result", "nack");
      json.text("reason", nack_text(reply->error));
    } else {
      append_data(json, *reply);
    }
    if (reply->is_last) {
      pending_.reset();
    }
    return std::nullopt;
  }

  void append_data(JsonLine& json, const Reply& reply) {
    if (!reply.is_last) {
      json.number("packet", reply.packet_id);
    }
    // Packets of another reply, or more than a reply can have: the beginning was not in the log.
    if (reply.command != received_command_ || received_.size() + reply.payload.size() > kPayloadSizeMax) {
      received_.clear();
    }
    received_command_ = reply.command;
    received_.insert(received_.end(), reply.payload.begin(), reply.payload.end());
    if (!reply.is_last) {
      json.text("payload", to_hex(reply.payload));
      return;
    }
    const std::vector<std::uint8_t> payload = std::move(received_);
    received_.clear();
    switch (reply.command) {
      case Command::kReadModbus:
      case Command::kReadBlock:
        return append_words(json, reply.command, payload);
      case Command::kReadIndividual: {
        std::vector<RegisterWord> words(payload.size() / 4);
        words.resize(decode_register_words(payload, words));
        return append_registers(json, words);
      }
      case Command::kWriteModbus:
        json.text("result", "ack");
        json.number("address", load<std::uint16_t>(payload.data(), Endian::kBig));
        return json.number("count", payload[3]);
      case Command::kNewestEvents:
      case Command::kAllEvents:
        return append_events(json, payload);
      case Command::kTemperatures:
        return append_temperatures(json, payload);
      case Command::kCellVoltages:
        return append_cells(json, payload);
      case Command::kSettings:
        return append_setting_words(json, payload);
      case Command::kVersion:
      case Command::kExtendedVersion:
        return append_version(json, reply.command, payload);
      case Command::kSpeed:
        return append_speed(json, payload);
      default:
        return append_number(json, reply.command, payload);
    }
  }

  // Registers where the request is known, else bare words.
  void append_words(JsonLine& json, Command command, const std::vector<std::uint8_t>& payload) const {
    std::vector<std::uint16_t> values(payload.size() / 2);
    values.resize(decode_words(command, payload, values));
    if (!pending_ || pending_->command != command || pending_->count != values.size()) {
      json.begin_array("words");
      for (const std::uint16_t value : values) {
        json.element_decimal(value, 0);
      }
      return json.end_array();
    }
    json.number("address", pending_->address);
    append_registers(json, numbered(pending_->address, values));
  }

  // 0x1D tells minimum, maximum, default or present value of every setting from 300 on.
  void append_setting_words(JsonLine& json, const std::vector<std::uint8_t>& payload) const {
    std::vector<std::uint16_t> values(payload.size() / 2);
    values.resize(decode_words(Command::kSettings, payload, values));
    if (pending_ && pending_->command == Command::kSettings) {
      json.number("option", pending_->option);
    }
    json.number("address", kSettingsBlock.address);
    append_registers(json, numbered(kSettingsBlock.address, values));
  }

  static std::vector<RegisterWord> numbered(std::uint16_t address, const std::vector<std::uint16_t>& values) {
    std::vector<RegisterWord> words;
    words.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      words.push_back({static_cast<std::uint16_t>(address + i), values[i]});
    }
    return words;
  }

  std::optional<Request> pending_;
  std::vector<std::uint8_t> received_;  // packets of the reply so far
  Command received_command_ = Command::kStatus;
};

}  // namespace

std::unique_ptr<LineDecoder> make_tinybms_decoder() {
  return std::make_unique<TinyBmsDecoder>();
}

}  // namespace amphora::decode
