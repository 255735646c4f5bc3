// SPDX-License-Identifier: Apache-2.0
// The wall clock and time zone of this machine, as the control of a pack wants them told.
//
// The zone is the system's (TZ or /etc/localtime). The next change of its offset is looked for through the C
// library, since there is no other way to the rules; the search is repeated only after its result has passed
// or a day has gone by, because the rules may be updated.
#pragma once

#include <cstdint>
#include <optional>

#include "core/energy/local_time.hpp"

namespace amphora::runtime {

class HostClock {
 public:
  energy::TimeReading read(std::int64_t unix_s);

 private:
  std::optional<energy::OffsetChange> change_;
  std::int64_t searched_at_s_ = 0;
  bool has_searched_ = false;
};

// Local time minus UTC at that moment, by the system's zone.
std::int32_t utc_offset_s(std::int64_t unix_s);

// The first change of the offset after `unix_s`, within a little more than a year.
std::optional<energy::OffsetChange> next_offset_change(std::int64_t unix_s);

// Whether the kernel's clock is kept right by somebody (NTP, PTP): adjtimex(2). False where that may not be
// asked.
bool is_clock_synchronised();

}  // namespace amphora::runtime
