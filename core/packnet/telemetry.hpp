// SPDX-License-Identifier: Apache-2.0
// What a pack tells about itself: values in pages of seven bytes, one cycle of pages every two seconds.
//
// One table says where every value lies, in which unit and with which sign, so that codec, documentation and
// DBC file cannot disagree. Scales are as fine as anything a user sees: 10 mV, 10 mA, 1 mV a cell, 1 W, 0.01
// %. A value that is not known is sent as the highest number of its field (signed: the lowest) and is absent
// at the receiver; flags have no such pattern, 0 is "not set". A value beyond its field is cut to the end of
// the range. A page of which nothing was ever known is not sent.
//
// Cells come on pages of their own, three each. Currents and powers are positive while charging, grid power
// is positive on import.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/battery/snapshot.hpp"
#include "core/packnet/frames.hpp"

namespace amphora::packnet {

enum class FieldKind : std::uint8_t { kUnsigned, kSigned, kFlags };

struct FieldInfo {
  std::string_view name;  // as in the DBC file
  std::uint8_t page = 0;
  std::uint8_t start = 0;   // bit in the data of the page, counted from the lowest of the first byte
  std::uint8_t length = 0;  // bits, 2 to 32
  FieldKind kind = FieldKind::kUnsigned;
  std::uint16_t divisor = 1;  // value in the unit = number / divisor
  std::string_view unit;
};

// relay_…: position and asked 0 open, 1 closed; holder: RelayHolder. bms_state: BmsState. can_state:
// can::BusState. modes, pack_warnings: bits of the pack. alarms, warnings: bit i is battery::Alarm i;
// …_watched: who can be judged.
enum class Field : std::uint8_t {
  kVoltage,
  kCurrent,
  kSoc,
  kSoh,
  kPowerBattery,
  kCapacity,
  kPowerGrid,
  kPowerHome,
  kPowerSolar,
  kEnergyGridToday,
  kPowerLoad1,
  kPowerLoad2,
  kPowerLoad3,
  kPowerLoad4,
  kRelay1Position,
  kRelay1Asked,
  kRelay1Holder,
  kRelay2Position,
  kRelay2Asked,
  kRelay2Holder,
  kRelay3Position,
  kRelay3Asked,
  kRelay3Holder,
  kRelay4Position,
  kRelay4Asked,
  kRelay4Holder,
  kRelay5Position,
  kRelay5Asked,
  kRelay5Holder,
  kRelay6Position,
  kRelay6Asked,
  kRelay6Holder,
  kRelay7Position,
  kRelay7Asked,
  kRelay7Holder,
  kModes,
  kBmsState,
  kPackWarnings,
  kEnergyImport,
  kAlarms,
  kAlarmsWatched,
  kWarnings,
  kWarningsWatched,
  kCellMin,
  kCellMax,
  kCellAverage,
  kCellCount,
  kCellMinIndex,
  kCellMaxIndex,
  kCellDelta,
  kCycleCount,
  kTemperatureMin,
  kTemperatureMax,
  kTemperatureInternal,
  kUptime,
  kCanTransmitErrors,
  kCanReceiveErrors,
  kCanState,
  kFirmwareMajor,
  kFirmwareMinor,
  kFirmwarePatch,
  kBusOffCount,
  kStoreWrites,
  kGroupPower,
  kGroupSoc,
  kGroupOnline,
  kGroupKnown,
  kGroupPowerSolar,
  kGroupPowerGrid,
  kCount
};
inline constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::kCount);

inline constexpr auto kFields = std::array{
    FieldInfo{"voltage", 0, 0, 16, FieldKind::kUnsigned, 100, "V"},
    FieldInfo{"current", 0, 16, 24, FieldKind::kSigned, 100, "A"},
    FieldInfo{"soc", 0, 40, 16, FieldKind::kUnsigned, 100, "%"},
    FieldInfo{"soh", 1, 0, 16, FieldKind::kUnsigned, 100, "%"},
    FieldInfo{"power_battery", 1, 16, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"capacity", 1, 40, 16, FieldKind::kUnsigned, 10, "Ah"},
    FieldInfo{"power_grid", 2, 0, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"power_home", 2, 24, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"power_solar", 3, 0, 24, FieldKind::kUnsigned, 1, "W"},
    FieldInfo{"energy_grid_today", 3, 24, 32, FieldKind::kUnsigned, 1, "Wh"},
    FieldInfo{"power_load_1", 4, 0, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"power_load_2", 4, 24, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"power_load_3", 5, 0, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"power_load_4", 5, 24, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"relay_1_position", 6, 0, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_1_asked", 6, 2, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_1_holder", 6, 4, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_2_position", 6, 8, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_2_asked", 6, 10, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_2_holder", 6, 12, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_3_position", 6, 16, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_3_asked", 6, 18, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_3_holder", 6, 20, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_4_position", 6, 24, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_4_asked", 6, 26, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_4_holder", 6, 28, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_5_position", 6, 32, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_5_asked", 6, 34, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_5_holder", 6, 36, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_6_position", 6, 40, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_6_asked", 6, 42, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_6_holder", 6, 44, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_7_position", 6, 48, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_7_asked", 6, 50, 2, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"relay_7_holder", 6, 52, 4, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"modes", 7, 0, 8, FieldKind::kFlags, 1, ""},
    FieldInfo{"bms_state", 7, 8, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"pack_warnings", 7, 16, 16, FieldKind::kFlags, 1, ""},
    FieldInfo{"energy_import", 7, 32, 24, FieldKind::kUnsigned, 1, "Wh"},
    FieldInfo{"alarms", 8, 0, 14, FieldKind::kFlags, 1, ""},
    FieldInfo{"alarms_watched", 8, 14, 14, FieldKind::kFlags, 1, ""},
    FieldInfo{"warnings", 8, 28, 14, FieldKind::kFlags, 1, ""},
    FieldInfo{"warnings_watched", 8, 42, 14, FieldKind::kFlags, 1, ""},
    FieldInfo{"cell_min", 9, 0, 16, FieldKind::kUnsigned, 1000, "V"},
    FieldInfo{"cell_max", 9, 16, 16, FieldKind::kUnsigned, 1000, "V"},
    FieldInfo{"cell_average", 9, 32, 16, FieldKind::kUnsigned, 1000, "V"},
    FieldInfo{"cell_count", 9, 48, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"cell_min_index", 10, 0, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"cell_max_index", 10, 8, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"cell_delta", 10, 16, 16, FieldKind::kUnsigned, 1000, "V"},
    FieldInfo{"cycle_count", 10, 32, 24, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"temperature_min", 11, 0, 16, FieldKind::kSigned, 10, "degC"},
    FieldInfo{"temperature_max", 11, 16, 16, FieldKind::kSigned, 10, "degC"},
    FieldInfo{"temperature_internal", 11, 32, 16, FieldKind::kSigned, 10, "degC"},
    FieldInfo{"uptime", 12, 0, 32, FieldKind::kUnsigned, 1, "s"},
    FieldInfo{"can_transmit_errors", 12, 32, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"can_receive_errors", 12, 40, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"can_state", 12, 48, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"firmware_major", 13, 0, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"firmware_minor", 13, 8, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"firmware_patch", 13, 16, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"bus_off_count", 13, 24, 16, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"store_writes", 13, 40, 16, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"group_power", 14, 0, 24, FieldKind::kSigned, 1, "W"},
    FieldInfo{"group_soc", 14, 24, 16, FieldKind::kUnsigned, 100, "%"},
    FieldInfo{"group_online", 14, 40, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"group_known", 14, 48, 8, FieldKind::kUnsigned, 1, ""},
    FieldInfo{"group_power_solar", 15, 0, 24, FieldKind::kUnsigned, 1, "W"},
    FieldInfo{"group_power_grid", 15, 24, 24, FieldKind::kSigned, 1, "W"},
};
static_assert(kFields.size() == kFieldCount);
constexpr const FieldInfo& info_of(Field field) {
  return kFields[static_cast<std::size_t>(field)];
}

enum class RelayHolder : std::uint8_t {
  kDefault = 0,
  kManual = 1,
  kTimeOfUse = 2,
  kEco = 3,
  kSelfConsumption = 4,
  kBackup = 5,
  kImportLimit = 6,
  kSafety = 7,
  kMinimumTime = 8,
  kWearLimit = 9,
  kMinimumSoc = 10
};
enum class BmsState : std::uint8_t { kNever = 0, kConnected = 1, kStale = 2, kFault = 3 };
// Names of the numbers in these fields; "unknown" for one that a later version has.
std::string_view holder_name(std::int64_t number);
std::string_view bms_state_name(std::int64_t number);

inline constexpr std::uint8_t kValuePageCount = 16;
inline constexpr std::uint8_t kCellPageFirst = 0x20;
inline constexpr std::size_t kCellsPerPage = 3;
inline constexpr std::size_t kCellsMax = 96;
inline constexpr std::uint8_t kCellPageCount = kCellsMax / kCellsPerPage;
inline constexpr std::size_t kRelaysMax = 7;
inline constexpr std::size_t kLoadsMax = 4;
inline constexpr std::uint16_t kCellUnknown = 0xFFFF;

// The values of one pack, in the numbers of the table.
class Telemetry {
 public:
  Telemetry();

  // Cut to the range of the field; empty: not known.
  void set(Field field, std::optional<std::int64_t> number);
  // Empty while not known; flags: always a number.
  std::optional<std::int64_t> value(Field field) const;
  void set_cell(std::size_t index, std::optional<Millivolts> voltage);
  std::optional<Millivolts> cell(std::size_t index) const;

  // All that a BMS tells, unknowns included. Values older than `age_max` count as not known.
  void set_battery(const battery::Snapshot& snapshot, TimePoint now, Duration age_max);
  // Fields of relay 0 to kRelaysMax - 1 and of load 0 to kLoadsMax - 1.
  static Field relay_position(std::size_t relay);
  static Field relay_asked(std::size_t relay);
  static Field relay_holder(std::size_t relay);
  static Field power_load(std::size_t load);

  // Whether anything on `page` was ever known; false for pages that do not exist.
  bool has_page(std::uint8_t page) const;
  // The next such page after `page`, round and round; empty when there is none at all.
  std::optional<std::uint8_t> next_page(std::uint8_t page) const;
  std::size_t page_count() const;
  TelemetryPage encode(Node node, std::uint8_t page) const;
  // Takes over the whole page. False, and nothing changed, for a page that does not exist.
  bool decode(const TelemetryPage& page);

  friend bool operator==(const Telemetry&, const Telemetry&) = default;

 private:
  std::uint64_t used_ = 0;  // bit: page
  std::array<std::uint32_t, kFieldCount> raw_{};
  std::array<std::uint16_t, kCellsMax> cells_{};
};

}  // namespace amphora::packnet
