// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/events.hpp"

#include <algorithm>

namespace amphora::tinybms {

namespace {

using battery::Alarm;

// From the event tables of the maker's protocol document. Regeneration over-current counts as charge
// over-current, because both push current into the battery.
constexpr auto kKinds = std::array{
    EventKind{0x02, "under_voltage", "Under-voltage cut-off", Alarm::kLowVoltage},
    EventKind{0x03, "over_voltage", "Over-voltage cut-off", Alarm::kHighVoltage},
    EventKind{0x04, "over_temperature", "Over-temperature cut-off", Alarm::kHighTemperature},
    EventKind{0x05, "discharge_over_current", "Discharge over-current cut-off", Alarm::kHighDischargeCurrent},
    EventKind{0x06, "charge_over_current", "Charge over-current cut-off", Alarm::kHighChargeCurrent},
    EventKind{0x07, "regeneration_over_current", "Regeneration over-current cut-off",
              Alarm::kHighChargeCurrent},
    EventKind{0x0A, "low_temperature", "Low-temperature cut-off", Alarm::kLowTemperature},
    EventKind{0x0B, "charger_switch_error", "Charger switch error", Alarm::kContactor},
    EventKind{0x0C, "load_switch_error", "Load switch error", Alarm::kContactor},
    EventKind{0x0D, "single_port_switch_error", "Single-port switch error", Alarm::kContactor},
    EventKind{0x0E, "current_sensor_disconnected", "External current sensor disconnected; restart needed",
              Alarm::kBmsInternal},
    EventKind{0x0F, "current_sensor_connected", "External current sensor connected; restart needed",
              Alarm::kBmsInternal},
    EventKind{0x31, "fully_discharged", "Fully discharged", Alarm::kLowVoltage},
    EventKind{0x37, "low_temperature_charging", "Low temperature while charging",
              Alarm::kLowTemperatureCharge},
    EventKind{0x38, "charging_done_voltage_high", "Charging done, charger voltage too high", std::nullopt},
    EventKind{0x39, "charging_done_voltage_low", "Charging done, charger voltage too low", std::nullopt},
    EventKind{0x61, "system_started", "System started", std::nullopt},
    EventKind{0x62, "charging_started", "Charging started", std::nullopt},
    EventKind{0x63, "charging_done", "Charging done", std::nullopt},
    EventKind{0x64, "charger_connected", "Charger connected", std::nullopt},
    EventKind{0x65, "charger_disconnected", "Charger disconnected", std::nullopt},
    EventKind{0x66, "dual_port_mode", "Dual-port operation", std::nullopt},
    EventKind{0x67, "single_port_mode", "Single-port operation", std::nullopt},
    EventKind{0x73, "over_temperature_recovered", "Recovered from over-temperature", std::nullopt, 0x04},
    EventKind{0x74, "low_temperature_charging_recovered", "Recovered from low temperature while charging",
              std::nullopt, 0x37},
    EventKind{0x75, "low_temperature_recovered", "Recovered from low temperature", std::nullopt, 0x0A},
    EventKind{0x76, "charge_over_current_recovered", "Recovered from charge over-current", std::nullopt,
              0x06},
    EventKind{0x77, "discharge_over_current_recovered", "Recovered from discharge over-current", std::nullopt,
              0x05},
    EventKind{0x78, "regeneration_over_current_recovered", "Recovered from regeneration over-current",
              std::nullopt, 0x07},
    EventKind{0x79, "over_voltage_recovered", "Recovered from over-voltage", std::nullopt, 0x03},
    EventKind{0x7A, "fully_discharged_recovered", "Recovered from full discharge", std::nullopt, 0x31},
    EventKind{0x7B, "under_voltage_recovered", "Recovered from under-voltage", std::nullopt, 0x02},
    EventKind{0x7C, "external_temperature_1", "External temperature sensor 1 changed", std::nullopt},
    EventKind{0x7D, "external_temperature_2", "External temperature sensor 2 changed", std::nullopt}};

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kEntrySize = 4;

}  // namespace

std::span<const EventKind> event_kinds() {
  return kKinds;
}

const EventKind* find_event(std::uint8_t id) {
  const auto found =
      std::find_if(kKinds.begin(), kKinds.end(), [id](const EventKind& kind) { return kind.id == id; });
  return found == kKinds.end() ? nullptr : &*found;
}

std::optional<Severity> severity_of(std::uint8_t id) {
  if (id >= 0x01 && id <= 0x30) {
    return Severity::kFault;
  }
  if (id >= 0x31 && id <= 0x60) {
    return Severity::kWarning;
  }
  if (id >= 0x61 && id <= 0x90) {
    return Severity::kInfo;
  }
  return std::nullopt;
}

bool EventList::contains(const LoggedEvent& searched) const {
  return std::find(list().begin(), list().end(), searched) != list().end();
}

std::uint32_t age_s(const EventList& list, const LoggedEvent& logged) {
  return (list.now_s - logged.time_s) & kEventTimeMask;
}

Result<EventList, FrameError> decode_events(ByteSpan payload) {
  if (payload.size() < kHeaderSize || (payload.size() - kHeaderSize) % kEntrySize != 0 ||
      payload.size() > kHeaderSize + kEntrySize * kEventCountMax) {
    return FrameError::kBadLength;
  }
  ByteReader reader{payload};
  EventList list;
  list.now_s = reader.u32();
  while (reader.remaining() > 0) {
    const std::uint32_t word = reader.u32();
    const LoggedEvent logged{word & kEventTimeMask, static_cast<std::uint8_t>(word >> 24U)};
    if (logged.id != 0) {
      list.events[list.count++] = logged;
    }
  }
  const auto begin = list.events.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(list.count);
  if (list.count > 1 && age_s(list, list.events[0]) < age_s(list, list.events[list.count - 1])) {
    std::reverse(begin, end);  // the newest came first
  }
  // Insertion sort: stable, in place, and the list is nearly sorted.
  for (auto next = begin; next != end; ++next) {
    const auto place = std::upper_bound(
        begin, next, *next,
        [&list](const LoggedEvent& a, const LoggedEvent& b) { return age_s(list, a) > age_s(list, b); });
    std::rotate(place, next, next + 1);
  }
  return list;
}

Result<std::size_t, FrameError> encode_events(const EventList& list, MutableByteSpan out) {
  ByteWriter writer{out};
  writer.u32(list.now_s);
  for (const LoggedEvent& logged : list.list()) {
    writer.u32((logged.time_s & kEventTimeMask) | (std::uint32_t{logged.id} << 24U));
  }
  if (!writer.ok()) {
    return FrameError::kNoRoom;
  }
  return writer.size();
}

ActiveAlarms active_alarms(const EventList* list, bool has_fault_status) {
  // By event id: is it active after the whole list?
  std::array<bool, 256> is_active{};
  if (list != nullptr) {
    for (const LoggedEvent& logged : list->list()) {
      if (logged.id == event::kSystemStarted) {
        is_active.fill(false);
      } else if (const EventKind* kind = find_event(logged.id); kind != nullptr && kind->recovers != 0) {
        is_active[kind->recovers] = false;
      } else {
        is_active[logged.id] = true;
      }
    }
  }
  ActiveAlarms result;
  bool has_named_fault = false;
  for (const EventKind& kind : kKinds) {
    if (!kind.alarm) {
      continue;
    }
    const bool is_fault = severity_of(kind.id) == Severity::kFault;
    battery::AlarmSet& set = is_fault ? result.alarms : result.warnings;
    const bool is_on = is_active[kind.id] && (!is_fault || has_fault_status);
    // Two events can mean one alarm: the second must not clear what the first has set.
    set.set(*kind.alarm, is_on || set.is_active(*kind.alarm));
    has_named_fault = has_named_fault || (is_fault && is_on);
  }
  result.alarms.set(battery::Alarm::kGeneral, has_fault_status && !has_named_fault);
  return result;
}

}  // namespace amphora::tinybms
