// SPDX-License-Identifier: Apache-2.0
// The sections that boxes share, and their fields.
//
// There are two lists: what two boxes share over the wireless link, and what the packs of one bus share
// (core/packnet/section_share.hpp). A box shares the sections of one list with one kind of peer, so the
// other list never travels where nobody knows it.
//
// Numbers of sections are never reused. Reserved for sections of roles that do not exist yet: 7 can,
// 8 contactor, 10 scene, 11 inverter; 14 and 15 are free.
//
// Names, units and ranges are those of the configuration file where both have the field, so that a value
// means the same wherever it is seen.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/sections/field.hpp"
#include "core/state/section.hpp"

namespace amphora::sections {

inline constexpr state::SectionId kMetadata = 0;
inline constexpr state::SectionId kNetwork = 1;
inline constexpr state::SectionId kMqtt = 2;
inline constexpr state::SectionId kBattery = 3;
inline constexpr state::SectionId kPowerProfile = 4;
inline constexpr state::SectionId kSystem = 5;
inline constexpr state::SectionId kDisplay = 6;
inline constexpr state::SectionId kModes = 9;
inline constexpr state::SectionId kSchedule = 12;
inline constexpr state::SectionId kLoads = 13;

// Those of the link, by id.
std::span<const SectionTable> tables();
// The same for the engine: what a Replica is made for.
std::span<const state::SectionSpec> specs();
// Those of the packs of one bus, by id.
std::span<const SectionTable> pack_tables();
std::span<const state::SectionSpec> pack_specs();
// In both lists; nullptr when there is none.
const SectionTable* find_table(state::SectionId id);
const SectionTable* find_table(std::string_view name);

// Positions in Values::fields, for code that obeys a field.
namespace metadata_field {
enum : std::size_t { kMac, kDeviceName, kRole, kFirmwareVersion, kBuildTime, kCommit, kBoard };
}
namespace network_field {
enum : std::size_t { kAddress, kGateway, kMask, kDns, kDhcp };
}
namespace mqtt_field {
enum : std::size_t { kEnabled, kHost, kPort, kUsername, kPassword, kClientId };
}
namespace battery_field {
enum : std::size_t {
  kChemistry,
  kSeriesCells,
  kCapacity,
  kChargeCurrentMax,
  kDischargeCurrentMax,
  kCellMin,
  kCellEmpty,
  kCellFull,
  kCellMax,
  kSocReserve
};
}
namespace power_profile_field {
enum : std::size_t { kChargeLimited, kChargeCurrentLimit, kDischargeLimited, kDischargeCurrentLimit };
}
namespace system_field {
enum : std::size_t { kName, kSite };
}
namespace display_field {
enum : std::size_t { kTheme, kTimeZone, kFahrenheit };
}
namespace modes_field {
enum : std::size_t {
  kSelfConsumption,
  kEco,
  kTimeOfUse,
  kBackup,
  kImportLimited,
  kSocLow,
  kSocHigh,
  kEcoLimit,
  kEcoFallsBack,
  kImportLimit,
  kImportReset,
  kSocMinimum,
  kSocMinimumRelease
};
}
namespace schedule_field {
// Window i is field i.
inline constexpr std::size_t kWindowCount = 8;
}  // namespace schedule_field
namespace loads_field {
// Each 0 (never opened by eco) or its place in the order, 1 first; equal places go in the order of the
// fields.
enum : std::size_t { kInverterOutput, kPoolPump, kWaterHeater, kLoad3, kLoad4, kLoad5, kLoad6, kCount };
}  // namespace loads_field

}  // namespace amphora::sections
