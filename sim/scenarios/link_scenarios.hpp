// SPDX-License-Identifier: Apache-2.0
// The named scenarios of the radio link, and random plans for the swarm.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sim/scenarios/link_plan.hpp"

namespace amphora::sim {

// What happens to the receiver in link-recovery.
enum class RecoveryEvent : std::uint8_t {
  kReboot,   // it loses its power for some seconds
  kChannel,  // its router moves from channel 6 to 11
  kHang,     // its radio goes on acknowledging, its application does nothing for a minute or two
};

struct LinkScenarioOptions {
  RecoveryEvent event = RecoveryEvent::kReboot;
  bool is_last_channel_right = false;  // link-discovery: the transmitter remembers where the receiver is
};

struct LinkScenario {
  std::string_view name;
  std::string_view summary;
  Duration duration{};
};

std::span<const LinkScenario> link_scenarios();

// The plan of one seed. `duration` empty: the scenario's own. Empty for an unknown name.
std::optional<LinkPlan> make_link_plan(std::string_view name, std::uint64_t seed,
                                       std::optional<Duration> duration, std::uint32_t loss_ppm,
                                       const LinkScenarioOptions& options);

void add_fault(LinkPlan& plan, LinkFaultKind kind, Duration from, Duration length,
               std::uint32_t parameter = 0);

// One to three transmitters, edits on all sides and a random mix of all faults, then a quiet time.
LinkPlan make_random_link_plan(std::uint64_t seed);

}  // namespace amphora::sim
