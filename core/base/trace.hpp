// SPDX-License-Identifier: Apache-2.0
// The black box of a node: the last few decisions as small records, kept without allocation.
//
// A record is a moment, the source machine, a code and two numbers; the host turns codes into words when
// somebody asks. The newest record overwrites the oldest, which is counted, so that the moments before a
// failure are always there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/crc.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"

namespace amphora {

struct TraceRecord {
  TimePoint at{};
  std::uint16_t source = 0;
  std::uint16_t code = 0;
  std::int32_t a = 0;
  std::int32_t b = 0;
};

template <std::size_t Capacity>
class Trace {
 public:
  constexpr void add(TimePoint at, std::uint16_t source, std::uint16_t code, std::int32_t a = 0,
                     std::int32_t b = 0) {
    (void)records_.push_overwrite(TraceRecord{at, source, code, a, b});
    digest_.add_number(to_microseconds(at));
    digest_.add_number((std::int64_t{source} << 16) | code);
    digest_.add_number((static_cast<std::int64_t>(a) << 32) ^ b);
  }
  constexpr const Ring<TraceRecord, Capacity>& records() const { return records_; }
  // Over every record ever added, also those overwritten since.
  constexpr std::uint64_t digest() const { return digest_.value(); }

 private:
  Ring<TraceRecord, Capacity> records_;
  Digest digest_;
};

}  // namespace amphora
