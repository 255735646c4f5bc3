// SPDX-License-Identifier: Apache-2.0
// Codes of the reports that a pack sends on the bus (packnet::Report), besides those of the network itself,
// which lie below 100. A report with is_end tells that what began with the same code is over.
#pragma once

#include <cstdint>

#include "core/energy/controller.hpp"
#include "core/energy/safety.hpp"

namespace amphora::node {

// + SafetyCause; value: 0.
inline constexpr std::uint16_t kReportSafety = 100;
inline constexpr std::uint16_t kReportMinimumSoc = 110;
inline constexpr std::uint16_t kReportImportExhausted = 111;
// value: relay index.
inline constexpr std::uint16_t kReportRelayMismatch = 112;
// + Warning; value: 0.
inline constexpr std::uint16_t kReportWarning = 120;

constexpr std::uint16_t report_code(energy::SafetyCause cause) {
  return static_cast<std::uint16_t>(kReportSafety + static_cast<std::uint16_t>(cause));
}
constexpr std::uint16_t report_code(energy::Warning warning) {
  return static_cast<std::uint16_t>(kReportWarning + static_cast<std::uint16_t>(warning));
}
static_assert(energy::kSafetyCauseCount <= kReportMinimumSoc - kReportSafety);

}  // namespace amphora::node
