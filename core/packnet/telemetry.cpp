// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/telemetry.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::packnet {

namespace {

constexpr std::uint32_t mask_of(const FieldInfo& info) {
  return info.length == 32 ? 0xFFFF'FFFFU : (1U << info.length) - 1U;
}
constexpr std::uint32_t sign_of(const FieldInfo& info) {
  return 1U << (info.length - 1U);
}
// The pattern for "not known"; flags start as 0.
constexpr std::uint32_t unknown_of(const FieldInfo& info) {
  return info.kind == FieldKind::kFlags    ? 0U
         : info.kind == FieldKind::kSigned ? sign_of(info)
                                           : mask_of(info);
}
constexpr bool is_known(const FieldInfo& info, std::uint32_t raw) {
  return raw != unknown_of(info);
}

constexpr bool is_sound() {
  for (const FieldInfo& info : kFields) {
    if (info.page >= kValuePageCount || info.length < 2 || info.length > 32 ||
        info.start + info.length > kPageDataSize * 8) {
      return false;
    }
  }
  return true;
}
static_assert(is_sound());

constexpr bool is_cell_page(std::uint8_t page) {
  return page >= kCellPageFirst && page < kCellPageFirst + kCellPageCount;
}
constexpr unsigned kPageEnd = kCellPageFirst + kCellPageCount;
static_assert(kPageEnd <= 64, "one bit for each page");
constexpr std::uint64_t page_bit(std::size_t page) {
  return std::uint64_t{1} << page;
}
constexpr std::size_t first_cell(std::uint8_t page) {
  return (page - std::size_t{kCellPageFirst}) * kCellsPerPage;
}

template <class To, class Q>
std::optional<std::int64_t> number(const std::optional<Q>& quantity) {
  return quantity ? std::optional<std::int64_t>{quantity_cast<To>(*quantity).count()} : std::nullopt;
}

struct Bits {
  std::int64_t active = 0;
  std::int64_t watched = 0;
};
Bits bits_of(const std::optional<battery::AlarmSet>& set) {
  Bits bits;
  for (std::size_t i = 0; set && i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<battery::Alarm>(i);
    bits.active |= set->is_active(alarm) ? std::int64_t{1} << i : 0;
    bits.watched |= set->is_watched(alarm) ? std::int64_t{1} << i : 0;
  }
  return bits;
}

}  // namespace

std::string_view holder_name(std::int64_t number) {
  constexpr auto kNames = std::array<std::string_view, 11>{
      "default",      "manual", "time_of_use",  "eco",        "self_consumption", "backup",
      "import_limit", "safety", "minimum_time", "wear_limit", "minimum_soc"};
  static_assert(kNames.size() == static_cast<std::size_t>(RelayHolder::kMinimumSoc) + 1);
  return number >= 0 && number < std::int64_t{kNames.size()} ? kNames[static_cast<std::size_t>(number)]
                                                             : std::string_view{"unknown"};
}

std::string_view bms_state_name(std::int64_t number) {
  constexpr auto kNames = std::array<std::string_view, 4>{"never", "connected", "stale", "fault"};
  return number >= 0 && number < std::int64_t{kNames.size()} ? kNames[static_cast<std::size_t>(number)]
                                                             : std::string_view{"unknown"};
}

Telemetry::Telemetry() {
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    raw_[i] = unknown_of(kFields[i]);
  }
  cells_.fill(kCellUnknown);
}

void Telemetry::set(Field field, std::optional<std::int64_t> number) {
  const FieldInfo& info = info_of(field);
  std::uint32_t& raw = raw_[static_cast<std::size_t>(field)];
  if (!number) {
    raw = unknown_of(info);
    return;
  }
  used_ |= page_bit(info.page);
  const std::int64_t mask = mask_of(info);
  const std::int64_t half = sign_of(info);
  const bool is_signed = info.kind == FieldKind::kSigned;
  const std::int64_t low = is_signed ? 1 - half : 0;
  const std::int64_t high = is_signed ? half - 1 : info.kind == FieldKind::kFlags ? mask : mask - 1;
  raw = static_cast<std::uint32_t>(std::clamp(*number, low, high)) & mask_of(info);
}

std::optional<std::int64_t> Telemetry::value(Field field) const {
  const FieldInfo& info = info_of(field);
  const std::uint32_t raw = raw_[static_cast<std::size_t>(field)];
  if (info.kind == FieldKind::kFlags) {
    return raw;
  }
  if (!is_known(info, raw)) {
    return std::nullopt;
  }
  if (info.kind == FieldKind::kSigned && (raw & sign_of(info)) != 0) {
    return std::int64_t{raw} - (std::int64_t{1} << info.length);
  }
  return raw;
}

void Telemetry::set_cell(std::size_t index, std::optional<Millivolts> voltage) {
  if (index >= kCellsMax) {
    return;
  }
  cells_[index] = kCellUnknown;
  if (voltage) {
    cells_[index] = static_cast<std::uint16_t>(std::clamp(voltage->count(), 0, kCellUnknown - 1));
    used_ |= page_bit(kCellPageFirst + index / kCellsPerPage);
  }
}

std::optional<Millivolts> Telemetry::cell(std::size_t index) const {
  if (index >= kCellsMax || cells_[index] == kCellUnknown) {
    return std::nullopt;
  }
  return Millivolts{cells_[index]};
}

void Telemetry::set_battery(const battery::Snapshot& snapshot, TimePoint now, Duration age_max) {
  const auto known = [&](const auto& reading) { return fresh(reading, now, age_max); };
  const auto voltage = known(snapshot.voltage);
  const auto current = known(snapshot.current);
  set(Field::kVoltage, number<Centivolts>(voltage));
  using Centiamps = Quantity<CurrentDimension, std::centi>;
  set(Field::kCurrent, number<Centiamps>(current));
  set(Field::kSoc, number<BasisPoints>(known(snapshot.soc)));
  set(Field::kSoh, number<BasisPoints>(known(snapshot.soh)));
  set(Field::kPowerBattery,
      voltage && current ? std::optional<std::int64_t>{power_of(*voltage, *current).count()} : std::nullopt);
  using DeciampHours = Quantity<ChargeDimension, std::deci>;
  set(Field::kCapacity,
      snapshot.capacity ? number<DeciampHours>(std::optional{snapshot.capacity->value}) : std::nullopt);
  set(Field::kCycleCount,
      snapshot.cycle_count ? std::optional<std::int64_t>{snapshot.cycle_count->value} : std::nullopt);
  set(Field::kCellMin, number<Millivolts>(known(snapshot.cell_min)));
  set(Field::kCellMax, number<Millivolts>(known(snapshot.cell_max)));
  set(Field::kTemperatureMin, number<Decicelsius>(known(snapshot.temperature_min)));
  set(Field::kTemperatureMax, number<Decicelsius>(known(snapshot.temperature_max)));
  set(Field::kTemperatureInternal, number<Decicelsius>(known(snapshot.temperature_internal)));
  const Bits alarms = bits_of(known(snapshot.alarms));
  const Bits warnings = bits_of(known(snapshot.warnings));
  set(Field::kAlarms, alarms.active);
  set(Field::kAlarmsWatched, alarms.watched);
  set(Field::kWarnings, warnings.active);
  set(Field::kWarningsWatched, warnings.watched);

  const auto cells = known(snapshot.cells);
  const std::size_t count = cells ? cells->count : 0;
  for (std::size_t i = 0; i < kCellsMax; ++i) {
    set_cell(i, i < count ? std::optional{cells->voltage[i]} : std::nullopt);
  }
  const auto extremes = cells ? battery::extremes_of(*cells) : std::nullopt;
  const auto average = cells ? battery::average_of(*cells) : std::nullopt;
  const auto optional = [&](std::int64_t value) {
    return extremes ? std::optional<std::int64_t>{value} : std::nullopt;
  };
  set(Field::kCellCount, optional(static_cast<std::int64_t>(count)));
  set(Field::kCellMinIndex, optional(extremes ? extremes->min_index : 0));
  set(Field::kCellMaxIndex, optional(extremes ? extremes->max_index : 0));
  set(Field::kCellDelta, optional(extremes ? (extremes->max - extremes->min).count() : 0));
  set(Field::kCellAverage, number<Millivolts>(average));
}

Field Telemetry::relay_position(std::size_t relay) {
  AMPHORA_ASSERT(relay < kRelaysMax);
  return static_cast<Field>(static_cast<std::size_t>(Field::kRelay1Position) + relay * 3);
}
Field Telemetry::relay_asked(std::size_t relay) {
  AMPHORA_ASSERT(relay < kRelaysMax);
  return static_cast<Field>(static_cast<std::size_t>(Field::kRelay1Asked) + relay * 3);
}
Field Telemetry::relay_holder(std::size_t relay) {
  AMPHORA_ASSERT(relay < kRelaysMax);
  return static_cast<Field>(static_cast<std::size_t>(Field::kRelay1Holder) + relay * 3);
}
Field Telemetry::power_load(std::size_t load) {
  AMPHORA_ASSERT(load < kLoadsMax);
  return static_cast<Field>(static_cast<std::size_t>(Field::kPowerLoad1) + load);
}

bool Telemetry::has_page(std::uint8_t page) const {
  return page < kPageEnd && (used_ & page_bit(page)) != 0;
}

std::optional<std::uint8_t> Telemetry::next_page(std::uint8_t page) const {
  for (unsigned step = 1; step <= kPageEnd; ++step) {
    const auto next = static_cast<std::uint8_t>((page + step) % kPageEnd);
    if (has_page(next)) {
      return next;
    }
  }
  return std::nullopt;
}

std::size_t Telemetry::page_count() const {
  std::size_t count = 0;
  for (unsigned page = 0; page < kPageEnd; ++page) {
    count += has_page(static_cast<std::uint8_t>(page)) ? 1U : 0U;
  }
  return count;
}

TelemetryPage Telemetry::encode(Node node, std::uint8_t page) const {
  TelemetryPage result{node, page, {}};
  if (is_cell_page(page)) {
    for (std::size_t i = 0; i < kCellsPerPage; ++i) {
      store(&result.data[2 * i], cells_[first_cell(page) + i], Endian::kLittle);
    }
    return result;
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (kFields[i].page == page) {
      bits |= std::uint64_t{raw_[i]} << kFields[i].start;
    }
  }
  for (std::uint8_t& byte : result.data) {
    byte = static_cast<std::uint8_t>(bits & 0xFFU);
    bits >>= 8U;
  }
  return result;
}

bool Telemetry::decode(const TelemetryPage& page) {
  if (is_cell_page(page.page)) {
    used_ |= page_bit(page.page);
    for (std::size_t i = 0; i < kCellsPerPage; ++i) {
      cells_[first_cell(page.page) + i] = load<std::uint16_t>(&page.data[2 * i], Endian::kLittle);
    }
    return true;
  }
  if (page.page >= kValuePageCount) {
    return false;
  }
  used_ |= page_bit(page.page);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kPageDataSize; ++i) {
    bits |= std::uint64_t{page.data[i]} << (8 * i);
  }
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (kFields[i].page == page.page) {
      raw_[i] = static_cast<std::uint32_t>(bits >> kFields[i].start) & mask_of(kFields[i]);
    }
  }
  return true;
}

}  // namespace amphora::packnet
