// SPDX-License-Identifier: Apache-2.0
#include "sim/models/modbus_bms_device.hpp"

#include <algorithm>
#include <array>

#include "core/base/crc.hpp"
#include "core/bms/modbus/profiles.hpp"

namespace amphora::sim {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kFrameSizeMax = 256;  // MODBUS over serial line V1.02, 2.5.1
constexpr std::size_t kRequestSize = modbus::kRequestSize;
constexpr std::size_t kFrameSizeMin = 4;
constexpr std::uint8_t kExceptionBit = 0x80;
constexpr std::uint8_t kCorruptedBit = 0x10;
constexpr Duration kSplitPause = 15ms;
constexpr Duration kLateness = 1'200ms;
constexpr std::uint32_t kNoiseBytesMax = 12;

constexpr auto kModbusFaultNames = std::array<std::string_view, 10>{
    "none", "silent", "corrupt", "refuse", "stuck", "truncated", "joined", "split", "noise", "late"};

bool is_frame(ByteSpan bytes) {
  return bytes.size() >= kFrameSizeMin && bytes.size() <= kFrameSizeMax && crc16_modbus(bytes) == 0;
}

void append_u16(std::vector<std::uint8_t>& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
  bytes.push_back(static_cast<std::uint8_t>(value & 0xFFU));
}

}  // namespace

std::string_view to_text(ModbusFault fault) {
  return kModbusFaultNames[static_cast<std::size_t>(fault)];
}

std::optional<ModbusFault> modbus_fault_from_text(std::string_view text) {
  const auto* const found = std::ranges::find(kModbusFaultNames, text);
  if (found == kModbusFaultNames.end()) {
    return std::nullopt;
  }
  return static_cast<ModbusFault>(found - kModbusFaultNames.begin());
}

ModbusBmsDevice::ModbusBmsDevice(const ModbusBmsDeviceConfig& config) : config_{config}, rng_{config.seed} {}

std::optional<std::uint16_t> ModbusBmsDevice::register_value(std::uint16_t number) const {
  const auto found = registers_.find(number);
  return found == registers_.end() ? std::nullopt : std::optional{found->second};
}

void ModbusBmsDevice::measure(std::uint16_t number, std::int64_t value) {
  if (fault_ != ModbusFault::kStuck) {
    registers_[number] = clamp_to<std::uint16_t>(value);
  }
}

void ModbusBmsDevice::measure_signed(std::uint16_t number, std::int64_t value) {
  measure(number, static_cast<std::uint16_t>(clamp_to<std::int16_t>(value)));
}

void ModbusBmsDevice::set_voltage(Millivolts voltage) {
  measure(modbus::reg::kVoltage, scale_rounded(voltage.count(), 1, 100));
}
void ModbusBmsDevice::set_current(Milliamps current) {
  measure_signed(modbus::reg::kCurrent, scale_rounded(current.count(), 1, 10));
}
void ModbusBmsDevice::set_soc(BasisPoints soc) {
  measure(modbus::reg::kSoc, soc.count());
}
void ModbusBmsDevice::set_soh(BasisPoints soh) {
  measure(modbus::reg::kSoh, soh.count());
}
void ModbusBmsDevice::set_temperatures(Decicelsius lowest, Decicelsius highest, Decicelsius internal) {
  measure_signed(modbus::reg::kTemperatureMin, lowest.count());
  measure_signed(modbus::reg::kTemperatureMax, highest.count());
  measure_signed(modbus::reg::kTemperatureInternal, internal.count());
}
void ModbusBmsDevice::set_alarms(const battery::AlarmSet& alarms) {
  std::int64_t bits = 0;
  for (std::size_t bit = 0; bit < modbus::kFullAlarmBits.size(); ++bit) {
    bits |= alarms.is_active(modbus::kFullAlarmBits[bit]) ? std::int64_t{1} << bit : 0;
  }
  measure(modbus::reg::kAlarms, bits);
}
void ModbusBmsDevice::set_cell(std::uint16_t index, Millivolts voltage) {
  if (index < modbus::kFullCellCountMax) {
    measure(static_cast<std::uint16_t>(modbus::reg::kCellFirst + index), voltage.count());
  }
}

TimePoint ModbusBmsDevice::quiet_at() const {
  if (input_.empty()) {
    return kNever;
  }
  const bool is_partial = input_.size() < kRequestSize && !is_frame(input_);
  return last_byte_ + (is_partial ? kModbusLumpGap : kModbusFrameGap);
}

void ModbusBmsDevice::handle_bytes(TimePoint now, ByteSpan bytes) {
  if (bytes.empty()) {
    return;
  }
  if (fault_ == ModbusFault::kSilent) {
    ++counters_.lost_while_silent;
    input_.clear();
    return;
  }
  handle_timeout(now);
  if (!output_.empty()) {
    ++counters_.ignored;
    return;
  }
  last_byte_ = now;
  const std::size_t room = kFrameSizeMax + 1 - input_.size();
  const ByteSpan taken = bytes.first(std::min(bytes.size(), room));
  input_.insert(input_.end(), taken.begin(), taken.end());
}

void ModbusBmsDevice::handle_timeout(TimePoint now) {
  if (now >= quiet_at()) {
    judge(now);
  }
}

TimePoint ModbusBmsDevice::poll_timeout() const {
  return earliest(quiet_at(), output_.empty() ? kNever : output_.front().at);
}

std::size_t ModbusBmsDevice::poll_transmit(TimePoint now, MutableByteSpan out) {
  if (output_.empty() || now < output_.front().at || out.empty()) {
    return 0;
  }
  std::vector<std::uint8_t>& bytes = output_.front().bytes;
  const std::size_t size = std::min(bytes.size(), out.size());
  std::copy_n(bytes.begin(), size, out.begin());
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  if (bytes.empty()) {
    output_.pop_front();
  }
  return size;
}

void ModbusBmsDevice::judge(TimePoint now) {
  const std::vector<std::uint8_t> frame = std::move(input_);
  input_.clear();
  if (!is_frame(frame)) {
    ++counters_.crc_errors;
  } else if (frame[0] != config_.address || (frame[1] & kExceptionBit) != 0) {
    ++counters_.ignored;
  } else {
    serve(now, frame);
  }
}

void ModbusBmsDevice::serve(TimePoint now, ByteSpan frame) {
  ModbusRefusal refusal{.function = frame[1]};
  const bool is_read = frame[1] == 3 || frame[1] == 4;
  if (frame.size() >= kRequestSize) {
    refusal.first = load<std::uint16_t>(&frame[2], Endian::kBig);
    refusal.count = load<std::uint16_t>(&frame[4], Endian::kBig);
  }
  const auto refuse_with = [&](ModbusException code) {
    refusal.code = code;
    refuse(now, refusal);
  };
  if (fault_ == ModbusFault::kRefuse) {
    return refuse_with(ModbusException::kDeviceFailure);
  }
  if (!is_read) {
    return refuse_with(ModbusException::kIllegalFunction);
  }
  if (frame.size() != kRequestSize || refusal.count < 1 || refusal.count > modbus::kWordsMax) {
    return refuse_with(ModbusException::kIllegalValue);
  }
  std::vector<std::uint8_t> reply{config_.address, frame[1], static_cast<std::uint8_t>(2 * refusal.count)};
  for (std::uint32_t number = refusal.first; number < std::uint32_t{refusal.first} + refusal.count;
       ++number) {
    const auto value = number <= 0xFFFF ? register_value(static_cast<std::uint16_t>(number))
                                        : std::optional<std::uint16_t>{};
    if (!value) {
      return refuse_with(ModbusException::kIllegalAddress);
    }
    append_u16(reply, *value);
  }
  ++counters_.requests;
  send(now, std::move(reply));
}

void ModbusBmsDevice::refuse(TimePoint now, const ModbusRefusal& refusal) {
  ++counters_.exceptions;
  (void)refusals_.push_overwrite(refusal);
  send(now, {config_.address, static_cast<std::uint8_t>(refusal.function | kExceptionBit),
             static_cast<std::uint8_t>(refusal.code)});
}

void ModbusBmsDevice::send(TimePoint now, std::vector<std::uint8_t> reply) {
  const std::uint16_t crc = crc16_modbus(reply);
  reply.push_back(static_cast<std::uint8_t>(crc & 0xFFU));
  reply.push_back(static_cast<std::uint8_t>(crc >> 8U));
  const auto size = static_cast<std::uint32_t>(reply.size());
  TimePoint at = now + config_.reply_delay;
  if (fault_ == ModbusFault::kCorrupt) {
    const std::uint32_t index = rng_.below(size);
    reply[index] = static_cast<std::uint8_t>(reply[index] ^ kCorruptedBit);
  } else if (fault_ == ModbusFault::kTruncated) {
    reply.resize(1 + rng_.below(size - 1));
  } else if (fault_ == ModbusFault::kNoise) {
    const std::uint32_t count = 1 + rng_.below(kNoiseBytesMax);
    std::vector<std::uint8_t> noise(count);
    std::ranges::generate(noise, [this] { return static_cast<std::uint8_t>(rng_.next()); });
    reply.insert(reply.begin(), noise.begin(), noise.end());
  } else if (fault_ == ModbusFault::kLate) {
    at += kLateness;
  } else if (fault_ == ModbusFault::kSplit) {
    const auto rest = reply.begin() + 1 + rng_.below(size - 1);
    output_.push_back({at, {reply.begin(), rest}});
    output_.push_back({at + kSplitPause, {rest, reply.end()}});
    return;
  } else if (fault_ == ModbusFault::kJoined && held_.empty()) {
    held_ = std::move(reply);
    return;
  }
  held_.insert(held_.end(), reply.begin(), reply.end());
  output_.push_back({at, std::move(held_)});
  held_.clear();
}

}  // namespace amphora::sim
