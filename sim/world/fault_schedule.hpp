// SPDX-License-Identifier: Apache-2.0
// Which faults are in force when.
//
// A fault is a kind (an enum of the scenario that ends in kCount), an interval and one number whose meaning
// belongs to the kind. The schedule tells when something changes next; the world then asks for each kind
// whether it is in force. Overlapping faults of one kind count as one, with the largest number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/time.hpp"

namespace amphora::sim {

template <class Kind>
struct Fault {
  Kind kind{};
  TimePoint from{};
  TimePoint until{};  // exclusive
  std::uint32_t parameter = 0;
  friend constexpr bool operator==(const Fault&, const Fault&) = default;
};

template <class Kind>
class FaultSchedule {
 public:
  FaultSchedule() = default;
  explicit FaultSchedule(std::vector<Fault<Kind>> faults) : faults_{std::move(faults)} {}

  // The first beginning or end after `now`, kNever when there is none.
  TimePoint next_change_after(TimePoint now) const {
    TimePoint next = kNever;
    for (const Fault<Kind>& fault : faults_) {
      if (fault.from > now) {
        next = earliest(next, fault.from);
      } else if (fault.until > now) {
        next = earliest(next, fault.until);
      }
    }
    return next;
  }

  // The parameter of the fault if it is in force.
  std::optional<std::uint32_t> active(Kind kind, TimePoint now) const {
    std::optional<std::uint32_t> parameter;
    for (const Fault<Kind>& fault : faults_) {
      const bool is_on = fault.kind == kind && fault.from <= now && now < fault.until;
      if (is_on && (!parameter || *parameter < fault.parameter)) {
        parameter = fault.parameter;
      }
    }
    return parameter;
  }

  const std::vector<Fault<Kind>>& faults() const { return faults_; }

 private:
  std::vector<Fault<Kind>> faults_;
};

}  // namespace amphora::sim
