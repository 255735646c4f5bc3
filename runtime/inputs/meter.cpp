// SPDX-License-Identifier: Apache-2.0
#include "runtime/inputs/meter.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <utility>

#include "core/base/bytes.hpp"

namespace amphora::runtime {

namespace {

constexpr std::size_t kVoltageAt = 0x0000;
constexpr std::size_t kCurrentAt = 0x0006;
constexpr std::size_t kPowerAt = 0x000C;
constexpr std::size_t kTotalPowerAt = 0x0034;
constexpr std::size_t kPhaseCount = 3;
// Under this a phase is not connected.
constexpr float kPhaseVoltageMin = 10;

constexpr float kVoltsMax = 1'000;
constexpr float kAmpsMax = 10'000;
constexpr float kWattsMax = 1'000'000;

// A meter that was just plugged in needs a moment.
constexpr Duration kOpenWait = std::chrono::milliseconds{200};
constexpr int kBitsPerByte = 11;

// Time of the bytes of one request and its reply on the line.
Duration transfer_time(const MeterSpec& spec) {
  const std::int64_t bytes =
      static_cast<std::int64_t>(modbus::kRequestSize) + 5 + 2 * meter_word_count(spec.type);
  return Duration{bytes * kBitsPerByte * 1'000'000 / spec.baud};
}

float value_at(ByteSpan registers, std::size_t word) {
  return std::bit_cast<float>(load<std::uint32_t>(registers.data() + 2 * word, Endian::kBig));
}

std::string name_of(const MeterSpec& spec) {
  return "meter " + std::to_string(spec.address) + " on " + spec.path;
}

struct Values {
  float volts = 0;
  float amps = 0;
  float watts = 0;
};

Values values_in(const MeterSpec& spec, ByteSpan registers) {
  if (spec.type == MeterType::kSdm120) {
    return {value_at(registers, kVoltageAt), value_at(registers, kCurrentAt), value_at(registers, kPowerAt)};
  }
  Values values;
  values.watts = value_at(registers, kTotalPowerAt);
  int connected = 0;
  for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
    const float volts = value_at(registers, kVoltageAt + 2 * phase);
    // NaN counts as connected, so that it is found below.
    if (!(volts < kPhaseVoltageMin)) {
      values.volts += volts;
      ++connected;
    }
    values.amps += value_at(registers, kCurrentAt + 2 * phase);
  }
  values.volts /= static_cast<float>(std::max(connected, 1));
  return values;
}

}  // namespace

std::uint16_t meter_word_count(MeterType type) {
  return type == MeterType::kSdm120 ? kPowerAt + 2 : kTotalPowerAt + 2;
}

std::variant<SensorReading, SysError> decode_meter(const MeterSpec& spec, ByteSpan registers) {
  if (registers.size() != 2 * std::size_t{meter_word_count(spec.type)}) {
    return SysError{EPROTO, "read " + name_of(spec), {}};
  }
  const Values values = values_in(spec, registers);
  const auto is_real = [](float value, float most) {
    return std::isfinite(value) && std::fabs(value) <= most;
  };
  if (!is_real(values.volts, kVoltsMax) || !is_real(values.amps, kAmpsMax) ||
      !is_real(values.watts, kWattsMax)) {
    return SysError{ERANGE, "make sense of " + name_of(spec), "is its type right?"};
  }
  const auto rounded = [](float value) { return static_cast<std::int32_t>(std::lround(value)); };
  SensorReading reading;
  reading.voltage = Millivolts{rounded(std::fabs(values.volts) * 1000)};
  reading.current = Milliamps{rounded(std::fabs(values.amps) * 1000)};
  reading.power = Watts{rounded(spec.is_inverted ? -values.watts : values.watts)};
  return reading;
}

MeterLines::Line& MeterLines::line_of(const MeterSpec& spec) {
  std::unique_ptr<Line>& line = lines_[spec.path];
  if (!line) {
    line = std::make_unique<Line>();
    SerialHandlers handlers;
    handlers.on_bytes = [this, at = line.get()](ByteSpan bytes) {
      if (at->is_waiting && asked_ != nullptr) {
        take_bytes(*at, *asked_, bytes);
      }
    };
    handlers.on_state = [this](bool) { loop_.stop(); };
    SerialOptions options;
    options.path = spec.path;
    options.baud = spec.baud;
    options.parity = spec.parity;
    line->port = std::make_unique<SerialPort>(loop_, std::move(options), std::move(handlers));
    // The port opens itself in the loop, and its state ends this wait.
    wait(kOpenWait);
  }
  return *line;
}

void MeterLines::take_bytes(Line& line, const MeterSpec& spec, ByteSpan bytes) {
  for (const std::uint8_t byte : bytes) {
    const auto reply = line.reader.take(byte, line.statistics);
    if (!reply) {
      continue;
    }
    line.is_waiting = false;
    line.answer = reply->is_exception
                      ? SysError{0, name_of(spec) + " refuses with exception " + std::to_string(reply->code),
                                 "is its type right?"}
                      : decode_meter(spec, reply->data);
    loop_.stop();
    return;
  }
}

std::variant<SensorReading, SysError> MeterLines::ask(const MeterSpec& spec) {
  Line& line = line_of(spec);
  asked_ = &spec;
  for (int i = 0; i < kMeterTries && line.port->is_open(); ++i) {
    wait(kMeterPause);
    line.port->discard_output();
    line.answer.reset();
    line.reader.begin(spec.address, modbus::Function::kInputRegisters, meter_word_count(spec.type));
    line.is_waiting = true;
    (void)line.port->write(
        modbus::encode_read(spec.address, modbus::Function::kInputRegisters, 0, meter_word_count(spec.type)));
    const TimePoint end = loop_.now() + kMeterTimeout + transfer_time(spec);
    while (line.is_waiting && line.port->is_open() && loop_.now() < end) {
      loop_.run_until(end);
    }
    line.is_waiting = false;
    if (line.answer) {
      return std::move(*line.answer);
    }
  }
  if (const auto& error = line.port->last_error()) {
    return *error;
  }
  return SysError{ETIMEDOUT, "hear from " + name_of(spec),
                  "check its address, baud and parity, and the wires A and B"};
}

}  // namespace amphora::runtime
