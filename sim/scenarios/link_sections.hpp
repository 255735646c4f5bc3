// SPDX-License-Identifier: Apache-2.0
// The sections that the boxes of the radio link's world share, and where their hosts store them.
#pragma once

#include <cstddef>

#include "core/state/section.hpp"
#include "sim/models/flash_store.hpp"
#include "sim/scenarios/link_plan.hpp"

namespace amphora::sim {

inline constexpr state::SectionSpec kPeerSections[] = {
    {1, "network", true}, {2, "mqtt", true}, {3, "battery", true}, {4, "power_profile", true}};
inline constexpr state::SectionSpec kOwnSectionSpecs[] = {{0, "system", true}};

// "Owner" of the receiver's own sections; others are numbered as transmitters are.
inline constexpr std::size_t kOwnSections = kTransmittersMax;

constexpr StoreKey section_key(std::size_t owner, state::SectionId section) {
  return owner * 256 + section + 1;
}

}  // namespace amphora::sim
