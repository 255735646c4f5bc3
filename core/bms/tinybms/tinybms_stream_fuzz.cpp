// SPDX-License-Identifier: Apache-2.0
// Any bytes into everything that reads from the line: both stream readers, the codec, and the driver, whose
// other inputs (time, line, writes, commands) are taken from the same bytes.
#include <algorithm>
#include <array>
#include <cstdint>

#include "core/base/assert.hpp"
#include "core/bms/tinybms/driver.hpp"

namespace {

using namespace amphora;
using namespace amphora::tinybms;

// The smallest machine that reads numbers from the input; zeros at its end.
class Input {
 public:
  explicit Input(ByteSpan bytes) : bytes_{bytes} {}
  bool is_empty() const { return bytes_.empty(); }
  std::uint8_t u8() {
    const ByteSpan taken = take(1);
    return taken.empty() ? std::uint8_t{0} : taken[0];
  }
  std::uint16_t u16() {
    const unsigned low = u8();
    const unsigned high = u8();
    return static_cast<std::uint16_t>(low | (high << 8U));
  }
  ByteSpan take(std::size_t size) {
    const ByteSpan taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  ByteSpan bytes_;
};

Request any_request(Input& input) {
  const Command command = kCommands[input.u8() % kCommands.size()];
  switch (command) {
    case Command::kControl:
      return make_control(ControlOption::kReset);
    case Command::kReadModbus:
      return make_read_modbus(input.u8(), static_cast<std::uint8_t>(1 + input.u8() % kModbusReadCountMax));
    case Command::kReadBlock:
      return make_read_block(input.u8(), static_cast<std::uint8_t>(1 + input.u8() % kBlockReadCountMax));
    case Command::kSettings:
      return make_read_settings(SettingsOption::kCurrent, static_cast<std::uint8_t>(1 + input.u8() % 100));
    default:
      return make_query(command);
  }
}

void read_replies(ByteSpan bytes) {
  Input input{bytes};
  ReplyReader reader{static_cast<std::size_t>(1 + input.u8() % kPacketPayloadMax)};
  std::uint64_t fed = 0;
  std::uint64_t found = 0;
  while (!input.is_empty()) {
    const std::uint8_t what = input.u8();
    if (what < 16) {
      reader.expect(any_request(input));
    } else if (what < 20) {
      reader.flush();
    }
    ByteSpan rest = input.take(what);
    fed += rest.size();
    while (!rest.empty()) {
      const std::size_t before = rest.size();
      rest = reader.feed(rest);
      while (const auto reply = reader.poll()) {
        ++found;
        AMPHORA_ASSERT(reply->payload.size() <= kPayloadSizeMax);
        std::array<std::uint16_t, kModbusReadCountMax> words{};
        (void)decode_words(reply->command, reply->payload, words);
        (void)decode_events(reply->payload);
        (void)decode_temperatures(reply->payload);
        (void)decode_version(reply->command, reply->payload);
        (void)decode_speed(reply->payload);
      }
      AMPHORA_ASSERT(rest.size() < before);
    }
  }
  AMPHORA_ASSERT(reader.counters().noise_bytes <= fed && reader.counters().frames == found);
}

void read_requests(ByteSpan bytes) {
  RequestReader reader;
  const auto drain = [&reader] {
    while (const auto incoming = reader.poll()) {
      if (incoming->request) {
        std::array<std::uint8_t, kRequestSizeMax> frame{};
        const auto size = encode_request(*incoming->request, frame);
        AMPHORA_ASSERT(size.ok());
        const auto again = decode_request(ByteSpan{frame}.first(*size));
        AMPHORA_ASSERT(again.ok() && *again == *incoming->request);
      }
    }
  };
  while (!bytes.empty()) {
    const std::size_t before = bytes.size();
    bytes = reader.feed(bytes);
    drain();
    AMPHORA_ASSERT(bytes.size() < before);
  }
  reader.flush();
  drain();
  AMPHORA_ASSERT(!reader.has_partial());
}

// The answer to the driver's last request, with words from the input.
void answer(Driver& driver, TimePoint now, const Request& request, Input& input) {
  std::array<std::uint8_t, kPayloadSizeMax> payload{};
  std::array<std::uint8_t, 2 * kReplyTotalSizeMax> frame{};
  std::size_t size = 0;
  while (size < payload.size() && !is_payload_size_right(request, size)) {
    payload[size++] = input.u8();
  }
  const auto length = is_acknowledged(request.command)
                          ? encode_ack(request.command, frame)
                          : encode_data(request.command, ByteSpan{payload}.first(size), frame);
  if (length) {
    driver.handle_bytes(now, ByteSpan{frame}.first(*length));
  }
}

void pump(Driver& driver, TimePoint now, Request& last_request) {
  for (int round = 0; round < 8; ++round) {
    driver.handle_timeout(now);
    std::array<std::uint8_t, kTransmitSizeMax> out{};
    if (const std::size_t size = driver.poll_transmit(now, out); size > 0) {
      const auto request = decode_request(ByteSpan{out}.first(size));
      AMPHORA_ASSERT(request.ok());
      last_request = *request;
    }
    int count = 0;
    while (driver.poll_event()) {
      AMPHORA_ASSERT(++count <= static_cast<int>(kDriverEventCapacity));
    }
  }
  AMPHORA_ASSERT(driver.poll_timeout() > now);
  AMPHORA_ASSERT(!driver.snapshot().soc || driver.snapshot().soc->value <= BasisPoints{10'000});
}

void drive(ByteSpan bytes) {
  Input input{bytes};
  DriverConfig config;
  config.read_method = (input.u8() & 1U) != 0 ? ReadMethod::kBlock : ReadMethod::kModbus;
  config.write_method = (input.u8() & 1U) != 0 ? WriteMethod::kModbus : WriteMethod::kIndividual;
  Driver driver{config};
  Request last_request = make_query(Command::kStatus);
  TimePoint now{std::chrono::seconds{1}};
  driver.handle_line(now, true);
  pump(driver, now, last_request);
  while (!input.is_empty()) {
    const std::uint8_t what = input.u8();
    switch (what % 8) {
      case 0:
        now += std::chrono::milliseconds{input.u16()};
        break;
      case 1:
        driver.handle_bytes(now, input.take(input.u8()));
        break;
      case 2:
        driver.handle_line(now, what < 200);
        break;
      case 3: {
        std::array<RegisterWrite, 4> writes{};
        for (RegisterWrite& write : writes) {
          write = {static_cast<std::uint16_t>(300 + input.u8() % 48), input.u16()};
        }
        (void)driver.write_settings(now, std::span{writes}.first(what / 64U + 1));
        break;
      }
      case 4:
        (void)driver.control(now, what < 128 ? ControlOption::kReset : ControlOption::kClearEvents);
        break;
      default:
        answer(driver, now, last_request, input);
        break;
    }
    pump(driver, now, last_request);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const ByteSpan bytes{data + 1, size - 1};
  switch (data[0] % 3) {
    case 0:
      read_replies(bytes);
      break;
    case 1:
      read_requests(bytes);
      break;
    default:
      drive(bytes);
      break;
  }
  return 0;
}
