// SPDX-License-Identifier: Apache-2.0
// What is known about one battery, whatever BMS tells it.
//
// Every value is a Reading: absent until the BMS has reported it, and sampled with its moment, so that each
// user judges its age for itself. A BMS driver fills the snapshot; inverter output, history, MQTT and the web
// page only read it. Current and power are positive while charging.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/sampled.hpp"
#include "core/base/text.hpp"
#include "core/base/units.hpp"
#include "core/battery/alarm.hpp"

namespace amphora::battery {

// Two packs of 96 cells in series are the largest battery that one box shows.
inline constexpr std::size_t kCellCountMax = 192;
inline constexpr std::size_t kExternalSensorCountMax = 4;

// Cell voltages of one moment, counted from the negative end of the pack.
struct CellVoltages {
  std::array<Millivolts, kCellCountMax> voltage{};
  std::uint16_t count = 0;
  friend constexpr bool operator==(const CellVoltages&, const CellVoltages&) = default;
};

// Bit i is cell i; cells beyond 64 have no balancing report.
struct Balancing {
  std::uint64_t cells = 0;
  friend constexpr bool operator==(const Balancing&, const Balancing&) = default;
};

struct ExternalTemperatures {
  // An empty element: no sensor connected there.
  std::array<std::optional<Decicelsius>, kExternalSensorCountMax> sensor{};
  friend constexpr bool operator==(const ExternalTemperatures&, const ExternalTemperatures&) = default;
};

enum class Activity : std::uint8_t { kIdle, kCharging, kFullyCharged, kDischarging, kRegeneration, kFault };

constexpr std::string_view to_text(Activity activity) {
  constexpr std::string_view kNames[] = {"idle",        "charging",     "fully_charged",
                                         "discharging", "regeneration", "fault"};
  return kNames[static_cast<std::size_t>(activity)];
}

// Limits as the BMS itself publishes them. TinyBMS publishes none; CAN batteries publish all four.
struct PublishedLimits {
  std::optional<Millivolts> charge_voltage;
  std::optional<Milliamps> charge_current;     // magnitude, never negative
  std::optional<Milliamps> discharge_current;  // magnitude, never negative
  std::optional<Millivolts> discharge_voltage;
  friend constexpr bool operator==(const PublishedLimits&, const PublishedLimits&) = default;
};

// Currents at which the BMS opens its own switches: settings, so their age means nothing. A limit must stay
// below them with a margin, because a switch that opens under load takes the house down.
struct CutOffs {
  std::optional<Milliamps> charge_current;
  std::optional<Milliamps> discharge_current;
  friend constexpr bool operator==(const CutOffs&, const CutOffs&) = default;
};

// Static facts. Empty text or empty optional: unknown.
struct Identity {
  FixedText<16> manufacturer;
  FixedText<16> model;
  FixedText<24> serial;  // printable; binary serial numbers as hexadecimal
  FixedText<16> firmware;
  FixedText<16> hardware;
  friend constexpr bool operator==(const Identity&, const Identity&) = default;
};

struct Snapshot {
  Reading<CellVoltages> cells;
  Reading<Millivolts> cell_min;  // as the BMS reports them; from `cells` where it does not
  Reading<Millivolts> cell_max;
  Reading<Balancing> balancing;

  Reading<Millivolts> voltage;
  Reading<Milliamps> current;
  Reading<BasisPoints> soc;
  Reading<BasisPoints> soh;

  Reading<Decicelsius> temperature_internal;
  Reading<ExternalTemperatures> temperature_external;
  Reading<Decicelsius> temperature_min;  // over all sensors of the cells; internal where there is no other
  Reading<Decicelsius> temperature_max;

  Reading<Activity> activity;
  Reading<AlarmSet> alarms;    // raised by the BMS itself
  Reading<AlarmSet> warnings;  // likewise, less severe
  Reading<PublishedLimits> limits;
  Reading<CutOffs> cut_offs;

  Reading<MilliampHours> capacity;  // installed
  Reading<std::uint32_t> cycle_count;
  Reading<std::uint32_t> lifetime_s;
  Reading<WattHours> energy_in;  // only where the BMS counts it
  Reading<WattHours> energy_out;
  Identity identity;
};

// The index and value of the lowest and highest cell; the lowest index among equals. Empty without cells.
struct CellExtremes {
  std::uint16_t min_index = 0;
  std::uint16_t max_index = 0;
  Millivolts min;
  Millivolts max;
};
std::optional<CellExtremes> extremes_of(const CellVoltages& cells);

// Arithmetic mean, rounded. Empty without cells.
std::optional<Millivolts> average_of(const CellVoltages& cells);

}  // namespace amphora::battery
