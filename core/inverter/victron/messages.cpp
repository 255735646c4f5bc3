// SPDX-License-Identifier: Apache-2.0
#include "core/inverter/victron/messages.hpp"

#include <string_view>

namespace amphora::victron {

namespace {

// Wire units, always towards the safe side: current and charge voltage down, discharge voltage up.
constexpr std::int32_t kMilliPerDeci = 100;
Decivolts floor_decivolts(Millivolts voltage) {
  return Decivolts{voltage.count() / kMilliPerDeci};
}
Decivolts ceil_decivolts(Millivolts voltage) {
  return Decivolts{(voltage.count() + kMilliPerDeci - 1) / kMilliPerDeci};
}
Deciamps floor_deciamps(Milliamps current) {
  return Deciamps{current.count() / kMilliPerDeci};
}

can::Text8 numbered(std::string_view prefix, std::uint32_t number) {
  can::Text8 text{prefix};
  bool has_begun = false;
  for (std::uint32_t divisor = 100; divisor > 0; divisor /= 10) {
    const std::uint32_t digit = number / divisor % 10;
    has_begun = has_begun || digit != 0 || divisor == 1;
    if (has_begun) {
      text.push_back(static_cast<char>('0' + digit));
    }
  }
  return text;
}

can::Text8 half_of(std::string_view text, can::Half half) {
  if (half == can::Half::kFirst) {
    return can::Text8{text.substr(0, can::kTextSizeMax)};
  }
  return text.size() > can::kTextSizeMax ? can::Text8{text.substr(can::kTextSizeMax)} : can::Text8{};
}

std::optional<can::Frame> frame_of(const can::Message& message) {
  const auto encoded = can::encode(message);
  return encoded.ok() ? std::optional<can::Frame>{encoded.value()} : std::nullopt;
}

std::optional<can::Frame> limits_frame(const inverter::LimitDecision& decision) {
  can::Limits limits;
  limits.charge_voltage = floor_decivolts(decision.charge_voltage.value());
  limits.charge_current = floor_deciamps(decision.charge_current.value());
  limits.discharge_current = floor_deciamps(decision.discharge_current.value());
  limits.discharge_voltage = ceil_decivolts(decision.discharge_voltage.value());
  AMPHORA_ASSERT(*limits.charge_voltage > Decivolts{0});
  return frame_of(limits);
}

std::optional<can::Frame> charge_frame(const Sources& s) {
  const auto soc = fresh(s.snapshot.soc, s.now, s.age_max.soc);
  if (!soc) {
    return std::nullopt;
  }
  can::Charge charge;
  charge.soc = quantity_cast<Percent>(*soc);
  if (const auto soh = fresh(s.snapshot.soh, s.now, s.config.slow_age_max)) {
    charge.soh = quantity_cast<Percent>(*soh);
    charge.soc_fine = *soc;
  }
  return frame_of(charge);
}

std::optional<can::Frame> measurements_frame(const Sources& s) {
  const inverter::AgeBounds& age_max = s.age_max;
  const auto voltage = fresh(s.snapshot.voltage, s.now, age_max.voltage);
  const auto current = fresh(s.snapshot.current, s.now, age_max.current);
  if (!voltage || !current) {
    return std::nullopt;
  }
  can::Measurements measurements;
  measurements.voltage = quantity_cast<Centivolts>(*voltage);
  measurements.current = quantity_cast<Deciamps>(*current);
  measurements.temperature = fresh(s.snapshot.temperature_max, s.now, age_max.temperature);
  return frame_of(measurements);
}

std::optional<can::Frame> extremes_frame(const Sources& s) {
  const inverter::AgeBounds& age_max = s.age_max;
  can::CellExtremes extremes;
  extremes.cell_min = fresh(s.snapshot.cell_min, s.now, age_max.cells);
  extremes.cell_max = fresh(s.snapshot.cell_max, s.now, age_max.cells);
  extremes.temperature_min = fresh(s.snapshot.temperature_min, s.now, age_max.temperature);
  extremes.temperature_max = fresh(s.snapshot.temperature_max, s.now, age_max.temperature);
  return frame_of(extremes);
}

MilliampHours capacity_of(const Sources& s) {
  return known(s.snapshot.capacity).value_or(s.profile.capacity);
}

std::optional<can::Frame> info_frame(const Sources& s) {
  constexpr std::int64_t kWhole = 10'000;
  std::int64_t usable = capacity_of(s).count();
  if (const auto soh = fresh(s.snapshot.soh, s.now, s.config.slow_age_max)) {
    usable = usable * soh->count() / kWhole;
  }
  can::Info info;
  info.model = s.config.model;
  info.firmware = s.config.firmware;
  info.hardware = s.config.hardware;
  const auto capacity = quantity_cast<AmpHours>(MilliampHours{clamp_to<std::int32_t>(usable)});
  if (capacity > AmpHours{0}) {
    info.capacity = capacity;
  }
  return frame_of(info);
}

std::optional<can::Frame> modules_frame(const Sources& s) {
  const bool is_ok = s.decision.is_trusted() && !s.decision.is_fault;
  can::Modules modules;
  modules.ok = std::uint16_t{is_ok};
  modules.blocking_charge = std::uint16_t{s.decision.charge_current.value() == Milliamps{0}};
  modules.blocking_discharge = std::uint16_t{s.decision.discharge_current.value() == Milliamps{0}};
  modules.offline = std::uint16_t{!s.decision.is_fresh()};
  return frame_of(modules);
}

std::optional<can::Frame> energy_frame(const Sources& s) {
  const auto in = fresh(s.snapshot.energy_in, s.now, s.config.slow_age_max);
  const auto out = fresh(s.snapshot.energy_out, s.now, s.config.slow_age_max);
  if (!in || *in < WattHours{0} || (out && *out < WattHours{0})) {
    return std::nullopt;
  }
  // The counter of the protocol rolls over at 32 bits.
  constexpr std::int64_t kModulus = std::int64_t{1} << 32;
  can::Energy energy;
  energy.in = HectowattHours{quantity_cast<HectowattHours>(*in).count() % kModulus};
  if (out) {
    energy.out = HectowattHours{quantity_cast<HectowattHours>(*out).count() % kModulus};
  }
  return frame_of(energy);
}

std::optional<can::Text8> cell_name(const Sources& s, can::ExtremeName::Which which) {
  const auto cells = fresh(s.snapshot.cells, s.now, s.age_max.cells);
  if (!cells) {
    return std::nullopt;
  }
  const auto extremes = battery::extremes_of(*cells);
  if (!extremes) {
    return std::nullopt;
  }
  const bool is_min = which == can::ExtremeName::Which::kCellMin;
  return numbered("Cell ", std::uint32_t{is_min ? extremes->min_index : extremes->max_index} + 1);
}

std::optional<can::Text8> sensor_name(const Sources& s, can::ExtremeName::Which which) {
  const Duration age_max = s.age_max.temperature;
  const bool is_min = which == can::ExtremeName::Which::kTemperatureMin;
  const auto extreme =
      fresh(is_min ? s.snapshot.temperature_min : s.snapshot.temperature_max, s.now, age_max);
  if (!extreme) {
    return std::nullopt;
  }
  if (const auto external = fresh(s.snapshot.temperature_external, s.now, age_max)) {
    for (std::uint32_t i = 0; i < battery::kExternalSensorCountMax; ++i) {
      if (external->sensor[i] == *extreme) {
        return numbered("Sensor ", i + 1);
      }
    }
  }
  if (fresh(s.snapshot.temperature_internal, s.now, age_max) == *extreme) {
    return can::Text8{"Internal"};
  }
  return std::nullopt;
}

std::optional<can::Frame> extreme_name_frame(const Sources& s, std::uint32_t id) {
  can::ExtremeName name;
  name.which = static_cast<can::ExtremeName::Which>(id - can::kCellMinNameId);
  name.text = id <= can::kCellMaxNameId ? cell_name(s, name.which) : sensor_name(s, name.which);
  return frame_of(name);
}

std::optional<can::Frame> serial_frame(const Sources& s, can::Half half) {
  const std::string_view text =
      s.config.serial.is_empty() ? s.snapshot.identity.serial.view() : s.config.serial.view();
  if (text.empty()) {
    return std::nullopt;
  }
  can::Serial serial;
  serial.half = half;
  serial.text = half_of(text, half);
  return frame_of(serial);
}

std::optional<can::Frame> name_frame(const Sources& s, can::Half half) {
  can::Name name;
  name.half = half;
  name.text = half_of(s.config.name.view(), half);
  return frame_of(name);
}

std::optional<can::Frame> installed_frame(const Sources& s) {
  can::Installed installed;
  installed.capacity = quantity_cast<AmpHours>(capacity_of(s));
  return frame_of(installed);
}

std::optional<can::Frame> family_frame(const Sources& s) {
  can::Family family;
  family.text = s.config.family;
  if (s.config.family.is_empty()) {
    family.text = can::Text8{s.profile.chemistry == battery::Chemistry::kLfp ? "LFP" : "NMC"};
  }
  return frame_of(family);
}

// Frames that carry measured values; left out while the values are not believed.
bool is_measured(std::uint32_t id) {
  switch (id) {
    case can::kChargeId:
    case can::kMeasurementsId:
    case can::kCellExtremesId:
    case can::kCellMinNameId:
    case can::kCellMaxNameId:
    case can::kTemperatureMinNameId:
    case can::kTemperatureMaxNameId:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::optional<can::Frame> compose(std::uint32_t id, const Sources& sources) {
  // Plausibility is judged on complete and fresh data only, so a single stale value hides the others too.
  if (is_measured(id) && !sources.decision.is_trusted()) {
    return std::nullopt;
  }
  switch (id) {
    case can::kLimitsId:
      return limits_frame(sources.decision);
    case can::kAlarmBitsId:
      return frame_of(can::AlarmBits{sources.alarms, sources.warnings, std::nullopt});
    case can::kChargeId:
      return charge_frame(sources);
    case can::kMeasurementsId:
      return measurements_frame(sources);
    case can::kManufacturerId:
      return frame_of(can::Manufacturer{sources.config.manufacturer});
    case can::kInfoId:
      return info_frame(sources);
    case can::kNameFirstId:
      return name_frame(sources, can::Half::kFirst);
    case can::kNameSecondId:
      return name_frame(sources, can::Half::kSecond);
    case can::kModulesId:
      return modules_frame(sources);
    case can::kCellExtremesId:
      return extremes_frame(sources);
    case can::kEnergyId:
      return energy_frame(sources);
    case can::kInstalledId:
      return installed_frame(sources);
    case can::kSerialFirstId:
      return serial_frame(sources, can::Half::kFirst);
    case can::kSerialSecondId:
      return serial_frame(sources, can::Half::kSecond);
    case can::kFamilyId:
      return family_frame(sources);
    default:
      return extreme_name_frame(sources, id);
  }
}

}  // namespace amphora::victron
