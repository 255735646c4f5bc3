// SPDX-License-Identifier: Apache-2.0
// The conversions from a battery to the frames of the CAN-bus BMS protocol: one function for each frame, no
// state, no rhythm. The table with all formulas is in docs/protocols/can_bms.md.
//
// Rounding goes to the safe side for limits (current and charge voltage down, discharge voltage up) and to
// the nearest unit for everything that only informs. A value that is unknown, too old or does not fit its
// field becomes the sentinel of the protocol, or its frame is not composed.
#pragma once

#include <cstdint>
#include <optional>

#include "core/base/text.hpp"
#include "core/base/time.hpp"
#include "core/battery/alarm.hpp"
#include "core/battery/profile.hpp"
#include "core/battery/snapshot.hpp"
#include "core/can/bms_protocol.hpp"
#include "core/can/frame.hpp"
#include "core/inverter/charge_limits.hpp"

namespace amphora::victron {

// What the battery is called and how old its slow values may be.
struct IdentityConfig {
  // Values that only inform (SOH, energy counters) are sent up to this age.
  Duration slow_age_max = std::chrono::seconds{60};

  // "PYLON", "BYD" and some others would select rules that a GX keeps for those vendors' packs.
  can::Text8 manufacturer{"AMPHORA"};
  FixedText<16> name{"Amphora battery"};
  can::Text8 family;     // empty: the chemistry
  FixedText<16> serial;  // empty: as the BMS reports it, left out if it does not
  std::uint16_t model = 0;
  can::Info::Version firmware{0, 1};
  std::uint16_t hardware = 0;
};

// Everything a frame may be made of, all of one moment.
struct Sources {
  TimePoint now;
  const battery::Snapshot& snapshot;
  const battery::Profile& profile;
  const IdentityConfig& config;
  const inverter::AgeBounds& age_max;
  const inverter::LimitDecision& decision;
  const battery::AlarmSet& alarms;
  const battery::AlarmSet& warnings;
};

// The frame with this id; nothing when there is no value to carry. Measured values need a trusted decision.
// `id` is one of those a battery sends (can::kFrameTable without the vendors' own).
std::optional<can::Frame> compose(std::uint32_t id, const Sources& sources);

}  // namespace amphora::victron
