// SPDX-License-Identifier: Apache-2.0
// All packs of a bus as one battery: sums of powers, state of charge weighted by capacity.
//
// Every node computes it from what it hears, so that every page can show it; on the bus only the master tells
// it. A pack counts while its last telemetry page is at most kPackAgeMax old. A sum is known when at least
// one pack tells its part; how many packs are in it stands beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/base/time.hpp"
#include "core/packnet/network.hpp"
#include "core/packnet/telemetry.hpp"

namespace amphora::node {

// Three cycles of telemetry.
inline constexpr Duration kPackAgeMax = 3 * packnet::kTelemetryCycle;

struct Aggregate {
  std::optional<std::int64_t> power_w;  // positive while charging
  std::optional<std::int64_t> solar_w;
  std::optional<std::int64_t> grid_w;  // positive on import
  std::optional<std::int64_t> home_w;
  std::optional<std::int64_t> soc_basis_points;
  std::uint8_t online = 0;  // packs whose values are fresh
  std::uint8_t known = 0;   // packs in the table of nodes, this one included
  friend constexpr bool operator==(const Aggregate&, const Aggregate&) = default;
};

// `own`: this pack's telemetry, nullptr for a node that is no pack.
Aggregate aggregate_of(TimePoint now, const packnet::Telemetry* own,
                       std::span<const packnet::NodeEntry> others);

}  // namespace amphora::node
