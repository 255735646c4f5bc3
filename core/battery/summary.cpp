// SPDX-License-Identifier: Apache-2.0
#include "core/battery/summary.hpp"

#include <limits>
#include <type_traits>

namespace amphora::battery {

namespace {

constexpr std::uint32_t kOnlineBit = 1;

// Both directions visit the values in the order of their bits; `visit` gets a member and a number of the type
// that stands for it on the wire.
template <class SummaryType, class Visit>
void visit_values(SummaryType& summary, Visit&& visit) {
  visit(summary.soc, std::uint16_t{});
  visit(summary.soh, std::uint16_t{});
  visit(summary.voltage, std::uint32_t{});
  visit(summary.current, std::int32_t{});
  visit(summary.temperature_min, std::int16_t{});
  visit(summary.temperature_max, std::int16_t{});
  visit(summary.temperature_internal, std::int16_t{});
  visit(summary.cell_min, std::uint16_t{});
  visit(summary.cell_max, std::uint16_t{});
  visit(summary.cell_count, std::uint16_t{});
  visit(summary.activity, std::uint8_t{});
  visit(summary.alarms, std::uint32_t{});
  visit(summary.warnings, std::uint32_t{});
  visit(summary.capacity, std::uint32_t{});
  visit(summary.energy_in, std::uint32_t{});
  visit(summary.energy_out, std::uint32_t{});
  visit(summary.charge_voltage_limit, std::uint32_t{});
  visit(summary.charge_current_limit, std::uint32_t{});
  visit(summary.discharge_current_limit, std::uint32_t{});
  visit(summary.discharge_voltage_limit, std::uint32_t{});
  visit(summary.cycle_count, std::uint32_t{});
}

std::int64_t to_number(Activity activity) {
  return static_cast<std::int64_t>(activity);
}
std::int64_t to_number(const AlarmSet& alarms) {
  std::uint32_t bits = 0;
  for (unsigned i = 0; i < kAlarmCount; ++i) {
    const auto alarm = static_cast<Alarm>(i);
    bits |= alarms.is_active(alarm) ? 1U << i : 0U;
    bits |= alarms.is_watched(alarm) ? 1U << (16 + i) : 0U;
  }
  return bits;
}
template <class Value>
std::int64_t to_number(const Value& value) {
  if constexpr (std::is_integral_v<Value>) {
    return value;
  } else {
    return value.count();
  }
}

bool from_number(std::int64_t number, Activity& activity) {
  activity = static_cast<Activity>(number);
  return number <= static_cast<std::int64_t>(Activity::kFault);
}
// Active alarms are watched ones; bits without an alarm are refused.
bool from_number(std::int64_t number, AlarmSet& alarms) {
  const auto bits = static_cast<std::uint32_t>(number);
  const std::uint32_t active = bits & 0xFFFFU;
  const std::uint32_t watched = bits >> 16U;
  for (unsigned i = 0; i < kAlarmCount; ++i) {
    if ((watched & (1U << i)) != 0) {
      alarms.set(static_cast<Alarm>(i), (active & (1U << i)) != 0);
    }
  }
  return (active & ~watched) == 0 && (watched >> kAlarmCount) == 0;
}
template <class Value>
bool from_number(std::int64_t number, Value& value) {
  if constexpr (std::is_integral_v<Value>) {
    value = static_cast<Value>(number);
  } else {
    value = Value{static_cast<typename Value::rep>(number)};
    return value.count() == number;
  }
  return true;
}

template <class Value>
std::optional<Value> fresh_value(const Reading<Value>& reading, TimePoint now, Duration age_max) {
  return fresh(reading, now, age_max);
}

template <class Value>
Reading<Value> sampled(const std::optional<Value>& value, TimePoint at) {
  return value ? Reading<Value>{Sampled<Value>{*value, at}} : Reading<Value>{};
}

}  // namespace

Summary summary_of(const Snapshot& snapshot, TimePoint now, Duration age_max) {
  const auto newest = [now, age_max](const auto& reading) { return fresh_value(reading, now, age_max); };
  Summary summary;
  summary.soc = newest(snapshot.soc);
  summary.soh = known(snapshot.soh);
  summary.voltage = newest(snapshot.voltage);
  summary.current = newest(snapshot.current);
  summary.is_online = summary.current.has_value();
  summary.temperature_min = newest(snapshot.temperature_min);
  summary.temperature_max = newest(snapshot.temperature_max);
  summary.temperature_internal = newest(snapshot.temperature_internal);
  summary.cell_min = newest(snapshot.cell_min);
  summary.cell_max = newest(snapshot.cell_max);
  if (snapshot.cells) {
    summary.cell_count = snapshot.cells->value.count;
  }
  summary.activity = newest(snapshot.activity);
  summary.alarms = newest(snapshot.alarms);
  summary.warnings = newest(snapshot.warnings);
  summary.capacity = known(snapshot.capacity);
  summary.energy_in = known(snapshot.energy_in);
  summary.energy_out = known(snapshot.energy_out);
  summary.cycle_count = known(snapshot.cycle_count);
  return summary;
}

Snapshot to_snapshot(const Summary& summary, TimePoint at) {
  Snapshot snapshot;
  snapshot.soc = sampled(summary.soc, at);
  snapshot.soh = sampled(summary.soh, at);
  snapshot.voltage = sampled(summary.voltage, at);
  snapshot.current = sampled(summary.current, at);
  snapshot.temperature_min = sampled(summary.temperature_min, at);
  snapshot.temperature_max = sampled(summary.temperature_max, at);
  snapshot.temperature_internal = sampled(summary.temperature_internal, at);
  snapshot.cell_min = sampled(summary.cell_min, at);
  snapshot.cell_max = sampled(summary.cell_max, at);
  snapshot.activity = sampled(summary.activity, at);
  snapshot.alarms = sampled(summary.alarms, at);
  snapshot.warnings = sampled(summary.warnings, at);
  snapshot.capacity = sampled(summary.capacity, at);
  snapshot.energy_in = sampled(summary.energy_in, at);
  snapshot.energy_out = sampled(summary.energy_out, at);
  snapshot.cycle_count = sampled(summary.cycle_count, at);
  return snapshot;
}

std::size_t encode(const Summary& summary, MutableByteSpan out) {
  ByteWriter writer{out};
  writer.write(std::uint32_t{0});
  std::uint32_t mask = summary.is_online ? kOnlineBit : 0;
  std::uint32_t bit = kOnlineBit;
  visit_values(summary, [&](const auto& value, auto wire) {
    using Wire = decltype(wire);
    bit <<= 1U;
    if (!value) {
      return;
    }
    const std::int64_t number = to_number(*value);
    if (number < std::numeric_limits<Wire>::min() || number > std::numeric_limits<Wire>::max()) {
      return;
    }
    mask |= bit;
    writer.write(static_cast<Wire>(number));
  });
  store(out.data(), mask, Endian::kLittle);
  return writer.size();
}

std::optional<Summary> decode_summary(ByteSpan bytes) {
  ByteReader reader{bytes};
  const std::uint32_t mask = reader.u32();
  Summary summary;
  summary.is_online = (mask & kOnlineBit) != 0;
  std::uint32_t bit = kOnlineBit;
  bool is_good = true;
  visit_values(summary, [&](auto& value, auto wire) {
    bit <<= 1U;
    if ((mask & bit) == 0) {
      return;
    }
    const auto number = static_cast<std::int64_t>(reader.read<decltype(wire)>());
    is_good = from_number(number, value.emplace()) && is_good;
  });
  return reader.ok() && is_good ? std::optional{summary} : std::nullopt;
}

}  // namespace amphora::battery
