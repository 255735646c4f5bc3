// SPDX-License-Identifier: Apache-2.0
// When a setting was changed, in a way that two boxes agree on: the hybrid logical clock.
//
// Uptimes of two devices cannot be compared, and wall clocks step, drift or are missing. A stamp is therefore
// wall time in milliseconds with a counter behind it, and every clock follows the newest stamp it has seen:
//   - a stamp is newer than every stamp this clock has issued or seen before; it never runs backwards, even
//     when the wall clock does;
//   - as long as wall time moves on, the physical part is the wall time, so that people can read it;
//   - 65,536 stamps within one millisecond carry into the physical part.
//
// Who may stamp. A node without wall time cannot; a session brings it its peer's time (take_peer_reading()),
// and when neither side has any, both count on from the newest stamp that either has seen. A node that has
// lost its memory (Memory::kVolatile) cannot stamp before a session either, even if it knows the time: its
// peer may hold stamps that it issued in an earlier life, and only the peer's clock is certain to lie above
// them. Otherwise one stamp could name two values.
//
// Absurd stamps. A peer whose clock is years wrong is followed all the same: refusing what it says would
// leave the boxes different for ever, and a clock that runs ahead harms only the date shown
// (ahead_of_wall()). But a stamp near the end of the number range would leave no room for newer ones, so
// physical parts above kStampPhysicalMax are refused. Wall times are accepted up to kWallTimeMax, half of
// that, so an honest node never issues a stamp that another refuses.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include "core/base/crc.hpp"
#include "core/base/time.hpp"

namespace amphora::state {

struct Stamp {
  std::uint64_t physical_ms = 0;  // since 1970-01-01 UTC where the time was known; 48 bits on every wire
  std::uint16_t logical = 0;
  friend constexpr auto operator<=>(const Stamp&, const Stamp&) = default;
};

inline constexpr Stamp kLowestStamp{};
// 2^43 ms: the year 2248.
inline constexpr std::uint64_t kStampPhysicalMax = std::uint64_t{1} << 43U;
// 2^42 ms: May 2109.
inline constexpr std::uint64_t kWallTimeMax = std::uint64_t{1} << 42U;

constexpr bool is_plausible(const Stamp& stamp) {
  return stamp.physical_ms <= kStampPhysicalMax;
}

// The smallest stamp above this one.
constexpr Stamp successor(const Stamp& stamp) {
  return stamp.logical == 0xFFFF ? Stamp{stamp.physical_ms + 1, 0}
                                 : Stamp{stamp.physical_ms, static_cast<std::uint16_t>(stamp.logical + 1)};
}

// What one node tells another about its clock.
struct ClockReading {
  bool has_time = false;  // false: `stamp` is only the newest one seen, no time
  Stamp stamp;
  friend constexpr bool operator==(const ClockReading&, const ClockReading&) = default;
};

// Whether this node still knows which stamps it has issued.
enum class Memory : std::uint8_t {
  kDurable,  // its store was read, or it is new
  kVolatile  // it has no store, or the store was lost or corrupt
};

class HybridClock {
 public:
  explicit HybridClock(Memory memory = Memory::kDurable) : memory_{memory} {}

  // Own wall time, whenever the host learns or corrects it. False and counted for times before 1970 or after
  // kWallTimeMax; nothing changes then.
  bool set_wall_time(TimePoint now, WallTime wall);
  // For settings that no peer shares, on a node without wall time: counts on from the newest stamp seen.
  void start_without_wall_time(TimePoint now);
  // A stamp seen in a record or message: later stamps are above it. False and counted when implausible.
  bool merge(const Stamp& seen);
  // At the start of a session: merges, and lends the peer's time to a node that has none of its own. False
  // and counted when implausible.
  bool take_peer_reading(TimePoint now, const ClockReading& reading);

  Memory memory() const { return memory_; }
  bool has_time() const { return source_ != Source::kNone; }
  bool can_stamp() const { return has_time() && (memory_ == Memory::kDurable || has_met_peer_); }
  // A new stamp, above everything issued and seen. Nothing while !can_stamp().
  std::optional<Stamp> stamp(TimePoint now);
  // The stamp that a change made at `made_at` deserves, in the past and without a claim to be unique. Nothing
  // while !can_stamp().
  std::optional<Stamp> stamp_of_past(TimePoint now, TimePoint made_at) const;
  // For the peer: not below anything issued or seen.
  ClockReading reading(TimePoint now) const;
  // The newest stamp issued or seen.
  const Stamp& newest() const { return newest_; }
  // Wall time as this node knows it, nothing if it has none (or only counts).
  std::optional<WallTime> wall_time(TimePoint now) const;
  // How far stamps run ahead of wall time: zero in a healthy system.
  Duration ahead_of_wall(TimePoint now) const;
  std::uint64_t refused_count() const { return refused_count_; }
  // Everything that decides what this clock does next; for searches over states.
  void add_to(Digest& digest) const;

 private:
  // Worst first: a source is replaced by an equal or better one.
  enum class Source : std::uint8_t { kNone, kCounting, kPeer, kWall };
  std::uint64_t physical_at(TimePoint now) const;
  void set_reference(TimePoint now, std::uint64_t physical_ms, Source source);

  Memory memory_;
  Source source_ = Source::kNone;
  bool has_met_peer_ = false;
  Stamp newest_;
  TimePoint reference_at_{};
  std::uint64_t reference_ms_ = 0;
  std::uint64_t refused_count_ = 0;
};

}  // namespace amphora::state
