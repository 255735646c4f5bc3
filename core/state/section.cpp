// SPDX-License-Identifier: Apache-2.0
#include "core/state/section.hpp"

#include "core/base/crc.hpp"

namespace amphora::state {

std::uint64_t digest_of(SectionId section, const Record& record) {
  if (record.is_default()) {
    return 0;
  }
  Digest digest;
  digest.add_byte(section);
  digest.add_number(record.version);
  digest.add_number(static_cast<std::int64_t>(record.stamp.physical_ms));
  digest.add_number(record.stamp.logical);
  digest.add_number(static_cast<std::int64_t>(record.origin.value));
  digest.add(record.payload.bytes());
  return digest.value();
}

}  // namespace amphora::state
