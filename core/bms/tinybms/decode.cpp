// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/decode.hpp"

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/bytes.hpp"

namespace amphora::tinybms {

namespace {

using battery::Snapshot;

// The value if it is plausible; otherwise empty, and counted unless it is the register's "no value".
std::optional<RawValue> plausible(std::span<const std::uint16_t> words, std::uint16_t first,
                                  std::uint16_t number, std::uint32_t& implausible_count) {
  const Register* entry = find_register(number);
  AMPHORA_ASSERT(entry != nullptr && number >= first);
  const auto value = raw_value(*entry, words.subspan(static_cast<std::size_t>(number - first)));
  if (value && *value == entry->sentinel) {
    return std::nullopt;
  }
  if (!value || !is_valid(*entry, *value)) {
    ++implausible_count;
    return std::nullopt;
  }
  return value;
}

template <class T>
Reading<T> reading(const std::optional<RawValue>& value, TimePoint at) {
  return value ? Reading<T>{Sampled<T>{static_cast<T>(*value), at}} : std::nullopt;
}

// A tenth of a millivolt to millivolts, rounded half away from zero.
Millivolts from_decimillivolts(std::uint16_t raw) {
  return Millivolts{scale_rounded(raw, 1, 10)};
}

std::uint32_t decode_cells(const LiveWords& words, TimePoint at, const DecodeOptions& options,
                           std::optional<std::uint16_t> series_cells, Snapshot& snapshot) {
  std::uint32_t implausible_count = 0;
  snapshot.cells.reset();
  snapshot.balancing.reset();
  std::optional<RawValue> count = plausible(words, 0, reg::kCellCount, implausible_count);
  if (!count && series_cells && *series_cells >= 1 && *series_cells <= kCellSlotCount) {
    count = *series_cells;
  }
  if (!count) {
    return implausible_count;
  }
  const std::span<const std::uint16_t, kCellSlotCount> slots{words.data(), kCellSlotCount};
  const auto cell_count = static_cast<std::size_t>(*count);
  const auto first = first_cell_slot(slots, cell_count, options.cell_layout);
  if (!first) {
    return implausible_count + 1;
  }
  battery::CellVoltages cells;
  cells.count = static_cast<std::uint16_t>(cell_count);
  for (std::size_t i = 0; i < cell_count; ++i) {
    cells.voltage[i] = from_decimillivolts(slots[*first + i]);
  }
  snapshot.cells = Sampled<battery::CellVoltages>{cells, at};
  const std::size_t shift = options.balancing_order == BalancingOrder::kBitZero ? 0 : *first;
  const std::uint64_t mask = (std::uint64_t{1} << cell_count) - 1;
  const std::uint64_t bits = (std::uint64_t{words[reg::kBalancing]} >> shift) & mask;
  snapshot.balancing = Sampled<battery::Balancing>{battery::Balancing{bits}, at};
  return implausible_count;
}

std::uint32_t decode_temperature_words(const LiveWords& words, TimePoint at, Snapshot& snapshot) {
  std::uint32_t implausible_count = 0;
  battery::ExternalTemperatures external;
  const auto internal = plausible(words, 0, reg::kInternalTemperature, implausible_count);
  const std::array outside{plausible(words, 0, reg::kExternalTemperature1, implausible_count),
                           plausible(words, 0, reg::kExternalTemperature2, implausible_count)};
  std::optional<RawValue> low;
  std::optional<RawValue> high;
  for (std::size_t i = 0; i < outside.size(); ++i) {
    if (outside[i]) {
      external.sensor[i] = Decicelsius{*outside[i]};
      low = std::min(low.value_or(*outside[i]), *outside[i]);
      high = std::max(high.value_or(*outside[i]), *outside[i]);
    }
  }
  snapshot.temperature_internal = reading<Decicelsius>(internal, at);
  snapshot.temperature_external = Sampled<battery::ExternalTemperatures>{external, at};
  // The internal sensor measures the BMS's board; it stands for the cells only where none is at the cells.
  snapshot.temperature_min = reading<Decicelsius>(low ? low : internal, at);
  snapshot.temperature_max = reading<Decicelsius>(high ? high : internal, at);
  return implausible_count;
}

void append_number(auto& text, std::uint32_t number) {
  char digits[10];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) {
    text.push_back(digits[--count]);
  }
}

}  // namespace

std::optional<std::int64_t> milli_from_float(std::uint32_t bits) {
  constexpr int kMantissaBits = 23;
  constexpr int kBias = 127;
  constexpr int kShiftMax = 20;  // 2^24 * 1000 * 2^20 < 2^54
  const bool is_negative = (bits >> 31U) != 0;
  const int exponent = static_cast<int>((bits >> kMantissaBits) & 0xFFU);
  const std::int64_t mantissa = bits & 0x7FFFFFU;
  if (exponent == 0xFF) {
    return std::nullopt;
  }
  if (exponent == 0) {
    return 0;  // zero, or smaller than 2^-126
  }
  const std::int64_t scaled = (mantissa | (std::int64_t{1} << kMantissaBits)) * 1000;
  const int shift = exponent - kBias - kMantissaBits;
  std::int64_t milli = 0;
  if (shift > kShiftMax) {
    return std::nullopt;
  }
  if (shift >= 0) {
    milli = scaled << shift;
  } else if (shift > -40) {
    milli = (scaled + (std::int64_t{1} << (-shift - 1))) >> -shift;
  }
  return is_negative ? -milli : milli;
}

std::uint32_t float_from_milli(std::int64_t value) {
  if (value == 0) {
    return 0;
  }
  AMPHORA_ASSERT(value > -(std::int64_t{1} << 40) && value < (std::int64_t{1} << 40));
  const std::int64_t magnitude = value < 0 ? -value : value;
  // Finds the power of two that brings magnitude / 1000 * 2^shift into [2^23, 2^24). The product stays below
  // 2^36, or is the magnitude itself.
  constexpr std::int64_t kTop = std::int64_t{1} << 24;
  int shift = 0;
  std::int64_t numerator = magnitude;
  std::int64_t denominator = 1000;
  while (numerator / denominator < kTop / 2) {
    numerator *= 2;
    ++shift;
  }
  while (numerator / denominator >= kTop) {
    denominator *= 2;
    --shift;
  }
  std::int64_t mantissa = (numerator + denominator / 2) / denominator;
  if (mantissa == kTop) {
    mantissa /= 2;
    --shift;
  }
  const auto exponent = static_cast<std::uint32_t>(127 + 23 - shift);
  const std::uint32_t sign = value < 0 ? 0x80000000U : 0U;
  return sign | (exponent << 23U) | (static_cast<std::uint32_t>(mantissa) & 0x7FFFFFU);
}

std::optional<battery::Activity> activity_of(std::uint16_t status) {
  switch (static_cast<OnlineStatus>(status)) {
    case OnlineStatus::kCharging:
      return battery::Activity::kCharging;
    case OnlineStatus::kFullyCharged:
      return battery::Activity::kFullyCharged;
    case OnlineStatus::kDischarging:
      return battery::Activity::kDischarging;
    case OnlineStatus::kRegeneration:
      return battery::Activity::kRegeneration;
    case OnlineStatus::kIdle:
      return battery::Activity::kIdle;
    case OnlineStatus::kFault:
      return battery::Activity::kFault;
  }
  return std::nullopt;
}

OnlineStatus status_of(battery::Activity activity) {
  switch (activity) {
    case battery::Activity::kIdle:
      return OnlineStatus::kIdle;
    case battery::Activity::kCharging:
      return OnlineStatus::kCharging;
    case battery::Activity::kFullyCharged:
      return OnlineStatus::kFullyCharged;
    case battery::Activity::kDischarging:
      return OnlineStatus::kDischarging;
    case battery::Activity::kRegeneration:
      return OnlineStatus::kRegeneration;
    case battery::Activity::kFault:
      break;
  }
  return OnlineStatus::kFault;
}

std::optional<std::size_t> first_cell_slot(std::span<const std::uint16_t, kCellSlotCount> slots,
                                           std::size_t cell_count, CellLayout layout) {
  if (cell_count == 0 || cell_count > kCellSlotCount) {
    return std::nullopt;
  }
  const std::size_t unused_count = kCellSlotCount - cell_count;
  const auto is_zero = [](std::uint16_t word) { return word == 0; };
  switch (layout) {
    case CellLayout::kFirst:
      return 0;
    case CellLayout::kLast:
      return unused_count;
    case CellLayout::kDetect:
      break;
  }
  if (std::all_of(slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(unused_count), is_zero)) {
    return unused_count;
  }
  if (std::all_of(slots.begin() + static_cast<std::ptrdiff_t>(cell_count), slots.end(), is_zero)) {
    return 0;
  }
  return std::nullopt;
}

std::uint32_t decode_live(const LiveWords& words, TimePoint at, const DecodeOptions& options,
                          std::optional<std::uint16_t> series_cells, Snapshot& snapshot) {
  std::uint32_t implausible_count = decode_cells(words, at, options, series_cells, snapshot);
  implausible_count += decode_temperature_words(words, at, snapshot);
  const auto value = [&](std::uint16_t number) { return plausible(words, 0, number, implausible_count); };
  snapshot.cell_min = reading<Millivolts>(value(reg::kCellMin), at);
  snapshot.cell_max = reading<Millivolts>(value(reg::kCellMax), at);
  snapshot.voltage = reading<Millivolts>(value(reg::kPackVoltage), at);
  snapshot.current = reading<Milliamps>(value(reg::kPackCurrent), at);
  // 1e-6 % and 0.002 % to hundredths of a per cent.
  const auto soc = value(reg::kSoc);
  snapshot.soc = reading<BasisPoints>(soc ? std::optional{scale_rounded(*soc, 1, 10'000)} : std::nullopt, at);
  const auto soh = value(reg::kSoh);
  snapshot.soh = reading<BasisPoints>(soh ? std::optional{scale_rounded(*soh, 1, 5)} : std::nullopt, at);
  const auto status = value(reg::kStatus);
  const auto activity = status ? activity_of(static_cast<std::uint16_t>(*status)) : std::nullopt;
  snapshot.activity.reset();
  if (activity) {
    snapshot.activity = Sampled<battery::Activity>{*activity, at};
  }
  snapshot.lifetime_s = reading<std::uint32_t>(value(reg::kLifetime), at);
  return implausible_count;
}

std::uint32_t decode_statistics(const StatisticsWords& words, TimePoint at, Snapshot& snapshot) {
  std::uint32_t implausible_count = 0;
  const auto cycles = plausible(words, kStatisticsBlock.address, reg::kFullChargeCount, implausible_count);
  snapshot.cycle_count = reading<std::uint32_t>(cycles, at);
  return implausible_count;
}

void decode_version(const VersionWords& words, Snapshot& snapshot) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto word = [&words](std::uint16_t number) {
    return words[static_cast<std::size_t>(number - kVersionBlock.address)];
  };
  battery::Identity identity;
  identity.manufacturer = FixedText<16>{"Enepaq"};
  identity.model = FixedText<16>{"TinyBMS"};
  for (std::uint16_t i = 0; i < 6; ++i) {
    const unsigned part = word(static_cast<std::uint16_t>(reg::kSerialFirst + i));
    for (int shift = 12; shift >= 0; shift -= 4) {
      identity.serial.push_back(kHex[(part >> static_cast<unsigned>(shift)) & 0xFU]);
    }
  }
  append_number(identity.firmware, word(reg::kPublicFirmware) & 0xFFU);
  identity.firmware.push_back('.');
  append_number(identity.firmware, word(reg::kInternalFirmware));
  append_number(identity.hardware, word(reg::kHardware) & 0xFFU);
  identity.hardware.push_back('.');
  append_number(identity.hardware, word(reg::kHardware) >> 8U);
  snapshot.identity = identity;
}

std::optional<RawValue> value_in_block(std::span<const std::uint16_t> words, std::uint16_t first,
                                       std::uint16_t number) {
  const Register* entry = find_register(number);
  if (entry == nullptr || number < first || static_cast<std::size_t>(number - first) >= words.size()) {
    return std::nullopt;
  }
  const auto value = raw_value(*entry, words.subspan(static_cast<std::size_t>(number - first)));
  return value == entry->sentinel ? std::nullopt : value;
}

std::optional<Temperatures> decode_temperatures(std::span<const std::uint8_t> payload) {
  constexpr std::int16_t kNotConnected = -32768;
  if (payload.size() != 6) {
    return std::nullopt;
  }
  ByteReader reader{payload};
  std::array<std::optional<Decicelsius>, 3> sensors{};
  for (auto& sensor : sensors) {
    const std::int16_t raw = reader.i16();
    if (raw != kNotConnected) {
      sensor = Decicelsius{raw};
    }
  }
  return Temperatures{sensors[0], {sensors[1], sensors[2]}};
}

}  // namespace amphora::tinybms
