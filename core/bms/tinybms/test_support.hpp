// SPDX-License-Identifier: Apache-2.0
// Shared by the tests of the TinyBMS code: hexadecimal text, generators of requests and answers.
#pragma once

#include <rapidcheck.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/bms/tinybms/frame.hpp"

namespace amphora::tinybms::test {

// "AA 11 BF 1C" to bytes.
inline std::vector<std::uint8_t> bytes_of(std::string_view hex) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 3) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::strtoul(std::string{hex.substr(i, 2)}.c_str(), nullptr, 16)));
  }
  return bytes;
}

inline std::string hex_of(ByteSpan bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    char digits[4];
    (void)std::snprintf(digits, sizeof digits, "%02X ", byte);
    text += digits;
  }
  if (!text.empty()) {
    text.pop_back();
  }
  return text;
}

inline std::vector<std::uint8_t> encoded(const Request& request) {
  std::vector<std::uint8_t> bytes(kRequestSizeMax);
  const auto size = encode_request(request, bytes);
  bytes.resize(size.ok() ? *size : 0);
  return bytes;
}

inline std::vector<std::uint8_t> encoded_data(Command command, ByteSpan payload) {
  std::vector<std::uint8_t> bytes(6 * kPayloadSizeMax);
  const auto size = encode_data(command, payload, bytes);
  bytes.resize(size.ok() ? *size : 0);
  return bytes;
}

// A valid request of any command with any content.
inline rc::Gen<Request> any_request() {
  return rc::gen::exec([] {
    const auto command = *rc::gen::elementOf(std::vector<Command>{kCommands.begin(), kCommands.end()});
    const auto number = *rc::gen::inRange<std::uint16_t>(0, 500);
    const auto values_of = [](int size_max) {
      return *rc::gen::mapcat(
          rc::gen::inRange<std::size_t>(1, static_cast<std::size_t>(size_max) + 1), [](std::size_t size) {
            return rc::gen::container<std::vector<std::uint16_t>>(size, rc::gen::arbitrary<std::uint16_t>());
          });
    };
    switch (command) {
      case Command::kControl:
        return make_control(*rc::gen::element(ControlOption::kClearEvents, ControlOption::kClearStatistics,
                                              ControlOption::kReset));
      case Command::kReadModbus:
        return make_read_modbus(number, *rc::gen::inRange<std::uint8_t>(1, kModbusReadCountMax + 1));
      case Command::kReadBlock:
        return make_read_block(number, *rc::gen::inRange<std::uint8_t>(1, kBlockReadCountMax + 1));
      case Command::kReadIndividual:
        return make_read_individual(values_of(kIndividualReadCountMax));
      case Command::kWriteBlock:
        return make_write_block(number, values_of(kBlockWriteCountMax));
      case Command::kWriteModbus:
        return make_write_modbus(number, values_of(kModbusWriteCountMax));
      case Command::kWriteIndividual: {
        std::vector<RegisterWord> words;
        for (const std::uint16_t value : values_of(kIndividualWriteCountMax)) {
          words.push_back(RegisterWord{static_cast<std::uint16_t>(value ^ 0x5555U), value});
        }
        return make_write_individual(words);
      }
      case Command::kSettings:
        return make_read_settings(*rc::gen::element(SettingsOption::kMin, SettingsOption::kCurrent),
                                  *rc::gen::inRange<std::uint8_t>(1, kSettingsCountMax + 1));
      default:
        return make_query(command);
    }
  });
}

// The content of an answer to `request`, of a size that fits.
inline rc::Gen<std::vector<std::uint8_t>> any_payload(const Request& request) {
  return rc::gen::exec([request] {
    std::size_t size = 0;
    if (request.command == Command::kNewestEvents || request.command == Command::kAllEvents) {
      size = 4 + 4 * *rc::gen::inRange<std::size_t>(0, 50);
    } else if (request.command == Command::kCellVoltages) {
      size = 2 * *rc::gen::inRange<std::size_t>(1, 17);
    } else {
      while (!is_payload_size_right(request, size)) {
        ++size;
      }
    }
    return *rc::gen::container<std::vector<std::uint8_t>>(size, rc::gen::arbitrary<std::uint8_t>());
  });
}

}  // namespace amphora::tinybms::test
