// SPDX-License-Identifier: Apache-2.0
#include "core/link/battery_summary.hpp"

#include "core/base/assert.hpp"

namespace amphora::link {

namespace {

using battery::Activity;
using battery::Alarm;
using battery::AlarmSet;

constexpr std::uint8_t kActivityCount = static_cast<std::uint8_t>(Activity::kFault) + 1;

// Active in the low half, watched in the high half.
std::uint32_t to_bits(const AlarmSet& set) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<Alarm>(i);
    bits |= set.is_active(alarm) ? 1U << i : 0U;
    bits |= set.is_watched(alarm) ? 0x10000U << i : 0U;
  }
  return bits;
}

std::optional<AlarmSet> to_alarms(std::uint32_t bits) {
  constexpr std::uint32_t kKnown = (1U << battery::kAlarmCount) - 1;
  const std::uint32_t active = bits & 0xFFFFU;
  const std::uint32_t watched = bits >> 16U;
  if ((watched & ~kKnown) != 0 || (active & ~watched) != 0) {
    return std::nullopt;
  }
  AlarmSet set;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    if (((watched >> i) & 1U) != 0) {
      set.set(static_cast<Alarm>(i), ((active >> i) & 1U) != 0);
    }
  }
  return set;
}

// Writes the fields one after the other and notes in the bit map which are known.
class Writer {
 public:
  explicit Writer(MutableByteSpan out) : bytes_{out}, out_{out} { bytes_.u32(0); }
  template <typename Integer>
  void field(std::optional<std::int64_t> value) {
    map_ |= value ? 1U << index_ : 0U;
    ++index_;
    bytes_.write(clamp_to<Integer>(value.value_or(0)));
  }
  template <typename Integer, typename Quantity>
  void quantity(const std::optional<Quantity>& value) {
    field<Integer>(value ? std::optional<std::int64_t>{value->count()} : std::nullopt);
  }
  void finish() {
    AMPHORA_ASSERT(bytes_.ok() && bytes_.size() == kBatterySummarySize);
    store(out_.data(), map_, Endian::kLittle);
  }

 private:
  ByteWriter bytes_;
  MutableByteSpan out_;
  std::uint32_t map_ = 0;
  std::uint32_t index_ = 0;
};

class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_{bytes}, map_{bytes_.u32()} {}
  template <typename Integer>
  std::optional<Integer> field() {
    const bool is_known = ((map_ >> index_) & 1U) != 0;
    ++index_;
    const auto value = bytes_.read<Integer>();
    return is_known ? std::optional<Integer>{value} : std::nullopt;
  }
  template <typename Integer, typename Quantity>
  std::optional<Quantity> quantity() {
    using Rep = typename Quantity::rep;
    const auto value = field<Integer>();
    if (!value) {
      return std::nullopt;
    }
    const auto wide = static_cast<std::int64_t>(*value);
    is_in_range_ = is_in_range_ && wide == static_cast<std::int64_t>(static_cast<Rep>(wide));
    return Quantity{static_cast<Rep>(wide)};
  }
  // Every value has its place in its type, and no bit stands for a field that does not exist.
  bool is_sound() const { return bytes_.ok() && is_in_range_ && (map_ >> index_) == 0; }

 private:
  ByteReader bytes_;
  std::uint32_t map_;
  std::uint32_t index_ = 0;
  bool is_in_range_ = true;
};

template <typename T>
Reading<T> reading_of(const std::optional<T>& value, TimePoint at) {
  return value ? Reading<T>{Sampled<T>{*value, at}} : Reading<T>{};
}

}  // namespace

BatterySummary summarise(const battery::Snapshot& snapshot, const battery::PublishedLimits& limits,
                         TimePoint now, Duration age_max, std::optional<WallTime> time) {
  BatterySummary summary;
  summary.time = time;
  summary.voltage = fresh(snapshot.voltage, now, age_max);
  summary.current = fresh(snapshot.current, now, age_max);
  summary.soc = fresh(snapshot.soc, now, age_max);
  summary.soh = known(snapshot.soh);
  if (const auto cells = fresh(snapshot.cells, now, age_max)) {
    summary.cell_count = cells->count;
  }
  summary.cell_min = fresh(snapshot.cell_min, now, age_max);
  summary.cell_max = fresh(snapshot.cell_max, now, age_max);
  summary.temperature_internal = fresh(snapshot.temperature_internal, now, age_max);
  summary.temperature_min = fresh(snapshot.temperature_min, now, age_max);
  summary.temperature_max = fresh(snapshot.temperature_max, now, age_max);
  summary.activity = fresh(snapshot.activity, now, age_max);
  summary.alarms = fresh(snapshot.alarms, now, age_max);
  summary.warnings = fresh(snapshot.warnings, now, age_max);
  summary.capacity = known(snapshot.capacity);
  summary.cycle_count = known(snapshot.cycle_count);
  summary.energy_in = known(snapshot.energy_in);
  summary.energy_out = known(snapshot.energy_out);
  summary.charge_voltage_limit = limits.charge_voltage;
  summary.charge_current_limit = limits.charge_current;
  summary.discharge_current_limit = limits.discharge_current;
  summary.discharge_voltage_limit = limits.discharge_voltage;
  return summary;
}

battery::Snapshot to_snapshot(const BatterySummary& summary, TimePoint at) {
  battery::Snapshot snapshot;
  snapshot.voltage = reading_of(summary.voltage, at);
  snapshot.current = reading_of(summary.current, at);
  snapshot.soc = reading_of(summary.soc, at);
  snapshot.soh = reading_of(summary.soh, at);
  snapshot.cell_min = reading_of(summary.cell_min, at);
  snapshot.cell_max = reading_of(summary.cell_max, at);
  snapshot.temperature_internal = reading_of(summary.temperature_internal, at);
  snapshot.temperature_min = reading_of(summary.temperature_min, at);
  snapshot.temperature_max = reading_of(summary.temperature_max, at);
  snapshot.activity = reading_of(summary.activity, at);
  snapshot.alarms = reading_of(summary.alarms, at);
  snapshot.warnings = reading_of(summary.warnings, at);
  snapshot.capacity = reading_of(summary.capacity, at);
  snapshot.cycle_count = reading_of(summary.cycle_count, at);
  snapshot.energy_in = reading_of(summary.energy_in, at);
  snapshot.energy_out = reading_of(summary.energy_out, at);
  return snapshot;
}

battery::PublishedLimits limits_of(const BatterySummary& summary) {
  return {summary.charge_voltage_limit, summary.charge_current_limit, summary.discharge_current_limit,
          summary.discharge_voltage_limit};
}

void encode_summary(const BatterySummary& summary, MutableByteSpan out) {
  Writer writer{out.first(kBatterySummarySize)};
  writer.field<std::int64_t>(summary.time ? std::optional{summary.time->unix_ms} : std::nullopt);
  writer.quantity<std::uint32_t>(summary.voltage);
  writer.quantity<std::int32_t>(summary.current);
  writer.quantity<std::uint16_t>(summary.soc);
  writer.quantity<std::uint16_t>(summary.soh);
  writer.field<std::uint16_t>(summary.cell_count);
  writer.quantity<std::uint16_t>(summary.cell_min);
  writer.quantity<std::uint16_t>(summary.cell_max);
  writer.quantity<std::int16_t>(summary.temperature_internal);
  writer.quantity<std::int16_t>(summary.temperature_min);
  writer.quantity<std::int16_t>(summary.temperature_max);
  writer.field<std::uint16_t>(summary.activity
                                  ? std::optional<std::int64_t>{static_cast<std::int64_t>(*summary.activity)}
                                  : std::nullopt);
  writer.field<std::uint32_t>(summary.alarms ? std::optional<std::int64_t>{to_bits(*summary.alarms)}
                                             : std::nullopt);
  writer.field<std::uint32_t>(summary.warnings ? std::optional<std::int64_t>{to_bits(*summary.warnings)}
                                               : std::nullopt);
  writer.quantity<std::uint32_t>(summary.capacity);
  writer.field<std::uint32_t>(summary.cycle_count);
  writer.quantity<std::uint32_t>(summary.energy_in);
  writer.quantity<std::uint32_t>(summary.energy_out);
  writer.quantity<std::uint32_t>(summary.charge_voltage_limit);
  writer.quantity<std::uint32_t>(summary.charge_current_limit);
  writer.quantity<std::uint32_t>(summary.discharge_current_limit);
  writer.quantity<std::uint32_t>(summary.discharge_voltage_limit);
  writer.finish();
}

Result<BatterySummary, SummaryError> decode_summary(ByteSpan bytes) {
  if (bytes.size() != kBatterySummarySize) {
    return SummaryError::kBadLength;
  }
  Reader reader{bytes};
  BatterySummary summary;
  const auto time = reader.field<std::int64_t>();
  summary.time = time ? std::optional{WallTime{*time}} : std::nullopt;
  summary.voltage = reader.quantity<std::uint32_t, Millivolts>();
  summary.current = reader.quantity<std::int32_t, Milliamps>();
  summary.soc = reader.quantity<std::uint16_t, BasisPoints>();
  summary.soh = reader.quantity<std::uint16_t, BasisPoints>();
  summary.cell_count = reader.field<std::uint16_t>();
  summary.cell_min = reader.quantity<std::uint16_t, Millivolts>();
  summary.cell_max = reader.quantity<std::uint16_t, Millivolts>();
  summary.temperature_internal = reader.quantity<std::int16_t, Decicelsius>();
  summary.temperature_min = reader.quantity<std::int16_t, Decicelsius>();
  summary.temperature_max = reader.quantity<std::int16_t, Decicelsius>();
  const auto activity = reader.field<std::uint16_t>();
  const auto alarms = reader.field<std::uint32_t>();
  const auto warnings = reader.field<std::uint32_t>();
  summary.capacity = reader.quantity<std::uint32_t, MilliampHours>();
  summary.cycle_count = reader.field<std::uint32_t>();
  summary.energy_in = reader.quantity<std::uint32_t, WattHours>();
  summary.energy_out = reader.quantity<std::uint32_t, WattHours>();
  summary.charge_voltage_limit = reader.quantity<std::uint32_t, Millivolts>();
  summary.charge_current_limit = reader.quantity<std::uint32_t, Milliamps>();
  summary.discharge_current_limit = reader.quantity<std::uint32_t, Milliamps>();
  summary.discharge_voltage_limit = reader.quantity<std::uint32_t, Millivolts>();
  summary.activity = activity ? std::optional{static_cast<Activity>(*activity)} : std::nullopt;
  summary.alarms = alarms ? to_alarms(*alarms) : std::nullopt;
  summary.warnings = warnings ? to_alarms(*warnings) : std::nullopt;
  const bool is_sound = reader.is_sound() && (!activity || *activity < kActivityCount) &&
                        summary.alarms.has_value() == alarms.has_value() &&
                        summary.warnings.has_value() == warnings.has_value();
  if (!is_sound) {
    return SummaryError::kBadValue;
  }
  return summary;
}

}  // namespace amphora::link
