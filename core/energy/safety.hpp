// SPDX-License-Identifier: Apache-2.0
// Is the battery in a state in which modes must not decide.
//
// Causes: the BMS silent for 10 s, a fault it reports, pack or cell outside its voltage bounds, temperature
// above its bound. A cause ends when the value is back inside by the hysteresis and has stayed there for the
// hold time; a value that is unknown ends nothing. While there is a cause the grid is asked closed (the home
// stays on), loads open, the inverter output stays as it is. Over-voltage and over-temperature also forbid
// charging, under-voltage forbids discharging.
//
// The minimum state of charge is watched here too, because it is enforced against modes and people alike.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/enum_set.hpp"
#include "core/base/time.hpp"
#include "core/energy/balance.hpp"
#include "core/energy/precedence.hpp"
#include "core/energy/settings.hpp"

namespace amphora::energy {

// The gravest first: it is the reason that relays show.
enum class SafetyCause : std::uint8_t {
  kOverVoltage,
  kOverTemperature,
  kUnderVoltage,
  kBmsFault,
  kBmsStale,
  kCount
};
inline constexpr std::size_t kSafetyCauseCount = static_cast<std::size_t>(SafetyCause::kCount);

struct SafetyCauseRow {
  SafetyCause cause;
  Reason reason;
  bool stops_charging;
  bool stops_discharging;
};
inline constexpr auto kSafetyCauses =
    std::array{SafetyCauseRow{SafetyCause::kOverVoltage, Reason::kOverVoltage, true, false},
               SafetyCauseRow{SafetyCause::kOverTemperature, Reason::kOverTemperature, true, false},
               SafetyCauseRow{SafetyCause::kUnderVoltage, Reason::kUnderVoltage, false, true},
               SafetyCauseRow{SafetyCause::kBmsFault, Reason::kBmsFault, false, false},
               SafetyCauseRow{SafetyCause::kBmsStale, Reason::kBmsStale, false, false}};
static_assert(kSafetyCauses.size() == kSafetyCauseCount);

constexpr std::string_view to_text(SafetyCause cause) {
  return to_text(kSafetyCauses[static_cast<std::size_t>(cause)].reason);
}

class Safety {
 public:
  explicit Safety(const Protection& protection) : protection_{protection} {}

  // `started_at`: when the machine first ran; a BMS that was never heard is stale from then on counted.
  void update(TimePoint now, TimePoint started_at, const Inputs& inputs);
  EnumSet<SafetyCause> causes() const { return causes_; }
  // The reason to show. Needs causes().
  Reason reason() const;
  bool forbids_charging() const;
  bool forbids_discharging() const;

 private:
  enum class Judgement : std::uint8_t { kUnknown, kBad, kBetween, kGood };
  struct Latch {
    bool is_active = false;
    std::optional<TimePoint> good_since;
  };
  Judgement judge(SafetyCause cause, TimePoint now, TimePoint started_at, const Inputs& inputs) const;

  Protection protection_;
  std::array<Latch, kSafetyCauseCount> latches_{};
  EnumSet<SafetyCause> causes_;
};

// At or below the minimum until at or above the release. An unknown SOC changes nothing.
class MinimumSoc {
 public:
  bool update(std::optional<BasisPoints> soc, const ModeSettings& settings);
  bool is_reached() const { return is_reached_; }

 private:
  bool is_reached_ = false;
};

}  // namespace amphora::energy
