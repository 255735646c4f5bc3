// SPDX-License-Identifier: Apache-2.0
// Who may hold a relay, in which order, and why: the tables that the arbiter obeys and that docs/MODES.md is
// generated from. There is no other place where precedence is decided.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/energy/relay.hpp"

namespace amphora::energy {

// Whoever asks for positions of relays.
enum class Holder : std::uint8_t {
  kSafety,
  kMinimumSoc,
  kImportLimit,
  kBackup,
  kSelfConsumption,
  kEco,
  kTimeOfUse,
  kManual,
  kDefault,
  kCount
};
inline constexpr std::size_t kHolderCount = static_cast<std::size_t>(Holder::kCount);

// Why a position is asked for.
enum class Reason : std::uint8_t {
  kNothingAsked,
  kBmsStale,
  kBmsFault,
  kOverVoltage,
  kUnderVoltage,
  kOverTemperature,
  kSocAtMinimum,
  kImportExhausted,
  kBackupOn,
  kSocLow,
  kSocHigh,
  kSocBetween,
  kSocUnknown,
  kOverEcoLimit,
  kInsideWindow,
  kOutsideWindows,
  kTimeUnknown,
  kOrdered,
  kCount
};
inline constexpr std::size_t kReasonCount = static_cast<std::size_t>(Reason::kCount);

struct HolderRow {
  Holder holder;
  std::string_view name;  // in JSON, logs and documentation
  bool overrides_minimum_times;
  bool is_veto;  // what it opens nobody closes, whoever comes first
  std::string_view asks;
};

inline constexpr auto kHolders = std::array{
    HolderRow{Holder::kSafety, "safety", true, false,
              "Grid closed, loads open, inverter output stays as it is, while the BMS is stale or reports a "
              "fault, or voltage or temperature are out of bounds."},
    HolderRow{Holder::kMinimumSoc, "minimum_soc", false, false,
              "Grid closed while the battery is at its minimum state of charge. Where the import limit keeps "
              "the grid open, loads and inverter output open instead."},
    HolderRow{Holder::kImportLimit, "import_limit", true, true,
              "Grid open from the moment the limit is exhausted until the reset time. Nobody, safety "
              "included, closes the grid against it."},
    HolderRow{Holder::kBackup, "backup", false, false, "Grid closed."},
    HolderRow{Holder::kSelfConsumption, "self_consumption", false, false,
              "Grid closed at the low state of charge, open at the high one, in between as it was."},
    HolderRow{Holder::kEco, "eco", false, false, "Shed loads open; it holds no other."},
    HolderRow{Holder::kTimeOfUse, "time_of_use", false, false,
              "Inverter output closed inside the windows and while the time is unknown, open outside."},
    HolderRow{Holder::kManual, "manual", false, false,
              "What a person ordered, until the order's end; only where no mode holds the relay."},
    HolderRow{Holder::kDefault, "default", false, false, "Closed."}};
static_assert(kHolders.size() == kHolderCount);

// First come, first served: the first of the list that asks for anything holds the relay.
inline constexpr auto kGridPrecedence =
    std::array{Holder::kSafety,          Holder::kMinimumSoc, Holder::kImportLimit, Holder::kBackup,
               Holder::kSelfConsumption, Holder::kManual,     Holder::kDefault};
inline constexpr auto kOutputPrecedence =
    std::array{Holder::kSafety,    Holder::kMinimumSoc, Holder::kEco,
               Holder::kTimeOfUse, Holder::kManual,     Holder::kDefault};

constexpr std::span<const Holder> precedence_of(Relay relay) {
  return relay == Relay::kGrid ? std::span<const Holder>{kGridPrecedence}
                               : std::span<const Holder>{kOutputPrecedence};
}

struct ReasonRow {
  Reason reason;
  std::string_view name;
  std::string_view meaning;
};

inline constexpr auto kReasons = std::array{
    ReasonRow{Reason::kNothingAsked, "nothing_asked", "No mode asks for anything."},
    ReasonRow{Reason::kBmsStale, "bms_stale", "Nothing heard from the BMS for 10 s."},
    ReasonRow{Reason::kBmsFault, "bms_fault", "The BMS reports a fault."},
    ReasonRow{Reason::kOverVoltage, "over_voltage", "Pack or cell above its highest voltage."},
    ReasonRow{Reason::kUnderVoltage, "under_voltage", "Pack or cell below its lowest voltage."},
    ReasonRow{Reason::kOverTemperature, "over_temperature", "Battery above its highest temperature."},
    ReasonRow{Reason::kSocAtMinimum, "soc_at_minimum", "State of charge at the minimum."},
    ReasonRow{Reason::kImportExhausted, "import_exhausted", "The day's energy from the grid is used up."},
    ReasonRow{Reason::kBackupOn, "backup_on", "Backup is on."},
    ReasonRow{Reason::kSocLow, "soc_low", "State of charge at or below the low threshold."},
    ReasonRow{Reason::kSocHigh, "soc_high", "State of charge at or above the high threshold."},
    ReasonRow{Reason::kSocBetween, "soc_between", "State of charge between the thresholds: as it was."},
    ReasonRow{Reason::kSocUnknown, "soc_unknown", "State of charge unknown: the grid carries the house."},
    ReasonRow{Reason::kOverEcoLimit, "over_eco_limit", "Shed, because consumption was over the limit."},
    ReasonRow{Reason::kInsideWindow, "inside_window", "Inside a window."},
    ReasonRow{Reason::kOutsideWindows, "outside_windows", "Outside all windows."},
    ReasonRow{Reason::kTimeUnknown, "time_unknown", "Time unknown: the position that keeps the house on."},
    ReasonRow{Reason::kOrdered, "ordered", "Ordered by a person."}};
static_assert(kReasons.size() == kReasonCount);

namespace detail {
constexpr bool tables_are_in_order() {
  for (std::size_t i = 0; i < kHolders.size(); ++i) {
    if (kHolders[i].holder != static_cast<Holder>(i)) {
      return false;
    }
  }
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (kReasons[i].reason != static_cast<Reason>(i)) {
      return false;
    }
  }
  return true;
}
}  // namespace detail
static_assert(detail::tables_are_in_order());

constexpr const HolderRow& row_of(Holder holder) {
  return kHolders[static_cast<std::size_t>(holder)];
}
constexpr std::string_view to_text(Holder holder) {
  return row_of(holder).name;
}
constexpr std::string_view to_text(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)].name;
}
constexpr std::string_view meaning_of(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)].meaning;
}

}  // namespace amphora::energy
