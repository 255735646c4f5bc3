// SPDX-License-Identifier: Apache-2.0
// What the owner sets for the modes, and what the installer configures for relays and safety.
//
// ModeSettings is what a settings section carries: it may change at any time and is applied at once.
// Protection and RelayConfig describe the hardware and the battery; they are given at construction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/enum_set.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/energy/balance.hpp"
#include "core/energy/local_time.hpp"
#include "core/energy/relay.hpp"

namespace amphora::energy {

enum class Mode : std::uint8_t { kSelfConsumption, kEco, kTimeOfUse, kBackup, kImportLimit, kCount };
inline constexpr std::size_t kModeCount = static_cast<std::size_t>(Mode::kCount);

struct ModeRow {
  Mode mode;
  std::string_view name;
  std::string_view relays;
  std::string_view rule;
  std::string_view settings;
};

// Orders of a person need no switch: they are there while they last.
inline constexpr auto kModes = std::array{
    ModeRow{Mode::kSelfConsumption, "self_consumption", "grid",
            "The grid closes at the low state of charge and opens at the high one; in between it stays as it "
            "was. State of charge unknown: closed.",
            "low 10 %, high 50 %"},
    ModeRow{
        Mode::kEco, "eco", "loads, inverter output",
        "While the home takes more than the limit, one relay after the other opens, in the owner's order. "
        "They close again in reverse order, when what each took last still fits under 95 % of the limit. "
        "Over the limit for 120 s: a warning. For 600 s, if so chosen: self-consumption instead.",
        "limit 5000 W, order heater, pump, inverter output"},
    ModeRow{Mode::kTimeOfUse, "time_of_use", "inverter output",
            "Closed inside the windows, open outside. Time unknown: closed.", "up to 8 windows"},
    ModeRow{Mode::kBackup, "backup", "grid", "Closed.", "none"},
    ModeRow{Mode::kImportLimit, "import_limit", "grid",
            "When the day's energy from the grid reaches the limit, the grid opens and stays open until the "
            "reset time or until this mode is switched off.",
            "10 kWh (2 to 30), reset 05:00"}};
static_assert(kModes.size() == kModeCount);

constexpr std::string_view to_text(Mode mode) {
  return kModes[static_cast<std::size_t>(mode)].name;
}

inline constexpr std::size_t kWindowCountMax = 8;
inline constexpr WattHours kImportLimitMin{2'000};
inline constexpr WattHours kImportLimitMax{30'000};
inline constexpr Watts kEcoLimitMin{100};
inline constexpr Watts kEcoLimitMax{100'000};

// Relays that eco may open, first to be opened first.
struct EcoOrder {
  PerRelay<Relay> relay{Relay::kHeater, Relay::kPump, Relay::kInverterOutput};
  std::uint8_t count = 3;
  friend constexpr bool operator==(const EcoOrder&, const EcoOrder&) = default;
};

struct Windows {
  std::array<Window, kWindowCountMax> window{};
  std::uint8_t count = 0;
  friend constexpr bool operator==(const Windows&, const Windows&) = default;
};

struct ModeSettings {
  EnumSet<Mode> enabled;
  BasisPoints self_low{1000};
  BasisPoints self_high{5000};
  Watts eco_limit{5000};
  EcoOrder eco_order;
  bool eco_falls_back = false;
  Windows windows;
  WattHours import_limit{10'000};
  std::uint16_t import_reset_minute = 5 * 60;  // of the local day
  // The battery is not discharged below this, whatever modes and people want; released again higher up.
  BasisPoints soc_minimum{500};
  BasisPoints soc_minimum_release{800};
  friend constexpr bool operator==(const ModeSettings&, const ModeSettings&) = default;
};

// Limits of the battery section. Values of a whole pack of 16 LFP cells.
struct Protection {
  Millivolts pack_max{58'400};
  Millivolts pack_min{44'800};
  Millivolts cell_max{3650};
  Millivolts cell_min{2800};
  Decicelsius temperature_max{550};
  // How far inside the limit a value must be before its cause ends.
  Millivolts pack_hysteresis{800};
  Millivolts cell_hysteresis{50};
  Decicelsius temperature_hysteresis{50};
  // A cause that has ended keeps its effect for this long, so that a value on the edge does not work the
  // relays.
  Duration hold = std::chrono::seconds{10};
  Duration bms_stale_after = std::chrono::seconds{10};
};

// Fewer would leave nothing for safety: see arbiter.hpp.
inline constexpr std::uint8_t kSwitchesPerHourMin = 4;
inline constexpr std::uint8_t kSwitchesPerHourMax = 60;

struct RelayConfig {
  bool is_fitted = true;
  Duration on_min = std::chrono::seconds{30};
  Duration off_min = std::chrono::seconds{30};
  std::uint8_t switches_per_hour = 20;
  // What a load without sensor takes when it is on, for eco.
  Watts rated{2000};
};

// Grid, inverter output, pump and heater fitted; 30 s for the first two, 60 s for loads.
constexpr PerRelay<RelayConfig> default_relays() {
  PerRelay<RelayConfig> relays{};
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    relays[i].is_fitted = i <= index_of(Relay::kHeater);
    if (is_load(relay_at(i))) {
      relays[i].on_min = std::chrono::seconds{60};
      relays[i].off_min = std::chrono::seconds{60};
    }
  }
  return relays;
}

// Names the first field that cannot be worked with, and what is allowed.
struct SettingsError {
  std::string_view field;
  std::string_view allowed;
  friend constexpr bool operator==(const SettingsError&, const SettingsError&) = default;
};
std::optional<SettingsError> check_settings(const ModeSettings& settings);
std::optional<SettingsError> check_config(const Protection& protection);
std::optional<SettingsError> check_config(const PerRelay<RelayConfig>& relays);
std::optional<SettingsError> check_config(const BalanceConfig& balance);

}  // namespace amphora::energy
