// SPDX-License-Identifier: Apache-2.0
// A section: a group of settings that is stored, sent and merged as one piece. And the law of merging.
//
// The engine knows a section by its number and treats its content as bytes; what the bytes mean is the
// business of core/sections. A record is the content with its history:
//   version   how many changes led here, for people
//   stamp     when the content was changed (stamp.hpp)
//   origin    which node changed it
//
// merge(a, b) is a product of two joins: the content, stamp and origin are those of the newer record (the
// higher stamp; equal: the higher origin; still equal: the larger payload), and the version is the greater of
// both. Both parts are maxima, so merging is commutative, associative and idempotent: in whatever order, how
// often or through whom records arrive, all nodes end with the same, and neither version nor stamp ever runs
// backwards. Equal stamp and origin with different payloads can only come from a node that lost its memory;
// sessions (session.hpp) prevent it, and the third comparison makes even that case converge.
//
// The default record has version 0 and the lowest stamp, so that a box with empty memory never wins against
// data.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/state/stamp.hpp"

namespace amphora::state {

// Numbers of sections are 0…15 and never reused.
inline constexpr std::size_t kSectionCountMax = 16;
// So that a section with its record, envelope and address fits one radio frame of 250 bytes.
inline constexpr std::size_t kPayloadSizeMax = 200;

using SectionId = std::uint8_t;

// Bytes with their storage inside. Ordered by size, then by content.
class Payload {
 public:
  constexpr Payload() = default;
  // The first kPayloadSizeMax bytes; callers check the size before where more could come.
  constexpr explicit Payload(ByteSpan bytes) { append(bytes); }

  constexpr ByteSpan bytes() const { return {bytes_.data(), size_}; }
  constexpr std::size_t size() const { return size_; }
  constexpr bool is_empty() const { return size_ == 0; }
  // False when not all of it had room.
  constexpr bool append(ByteSpan more) {
    const std::size_t taken = std::min(more.size(), kPayloadSizeMax - size_);
    std::copy_n(more.begin(), taken, bytes_.begin() + size_);
    size_ = static_cast<std::uint8_t>(size_ + taken);
    return taken == more.size();
  }
  friend constexpr bool operator==(const Payload& a, const Payload& b) {
    return std::ranges::equal(a.bytes(), b.bytes());
  }
  friend constexpr std::strong_ordering operator<=>(const Payload& a, const Payload& b) {
    if (const auto by_size = a.size_ <=> b.size_; by_size != 0) {
      return by_size;
    }
    return std::lexicographical_compare_three_way(a.bytes_.begin(), a.bytes_.begin() + a.size_,
                                                  b.bytes_.begin(), b.bytes_.begin() + b.size_);
  }

 private:
  std::array<std::uint8_t, kPayloadSizeMax> bytes_{};
  std::uint8_t size_ = 0;
};

struct Record {
  std::uint32_t version = 0;
  Stamp stamp;
  NodeId origin;
  Payload payload;
  friend constexpr bool operator==(const Record&, const Record&) = default;
  constexpr bool is_default() const { return version == 0 && stamp == kLowestStamp; }
};

// Which of two contents is the newer one; the version does not count.
constexpr std::strong_ordering compare_age(const Record& a, const Record& b) {
  if (const auto by_stamp = a.stamp <=> b.stamp; by_stamp != 0) {
    return by_stamp;
  }
  if (const auto by_origin = a.origin <=> b.origin; by_origin != 0) {
    return by_origin;
  }
  return a.payload <=> b.payload;
}

constexpr Record merge(const Record& a, const Record& b) {
  Record merged = compare_age(a, b) >= 0 ? a : b;
  merged.version = std::max(a.version, b.version);
  return merged;
}

// Over everything in the record; 0 for the default record, so that a section only one side knows does not
// count before it is used.
std::uint64_t digest_of(SectionId section, const Record& record);

// An entry of the table a Replica is made for.
struct SectionSpec {
  SectionId id = 0;
  std::string_view name;
  // False: only the owner of the replica changes it, its peers show it.
  bool is_peer_editable = true;
};

}  // namespace amphora::state
