// SPDX-License-Identifier: Apache-2.0
// What a run looked like from outside: a digest over everything, and the last entries in full.
//
// Every byte on a line, frame on a bus, event of a node, fault edge and broken invariant is recorded. Two
// runs are equal when their digests are; when an invariant breaks, the last entries tell what led to it.
// Recording does not allocate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/crc.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

enum class Channel : std::uint8_t {
  kCanFrame,      // number: id; bytes: payload; who: sender on the bus
  kCanState,      // number: BusState; who: node on the bus
  kSerialToBms,   // bytes as the BMS receives them
  kSerialToNode,  // bytes as the node receives them
  kNodeEvent,     // number: kind of event
  kFaultBegin,    // number: kind; bytes: parameter
  kFaultEnd,      // number: kind
  kNode,          // number: 1 started, 0 stopped
  kViolation,     // number: invariant
  kAirFrame,      // number: stations that got it, try and channel in a byte each; bytes: payload; who: sender
  kSection,       // what a box shows; number: section, bytes: owner and version; who: box
  kDelivery,      // a reading became durable at the consumer; number: sequence; who: source
  kRelay,         // a contact moved; number: position; who: relay
  kEnergy,        // hourly; number: stored, imported, consumed so far; who: which of them
  kCount
};

inline constexpr std::size_t kRecordedBytesMax =
    24;  // longer payloads are cut in the trace, not in the digest
inline constexpr std::size_t kRecordCapacity = 200;

struct Record {
  TimePoint at{};
  Channel channel{};
  std::uint8_t who = 0;
  std::uint8_t size = 0;        // bytes kept
  std::uint16_t full_size = 0;  // bytes there were
  std::int64_t number = 0;
  std::array<std::uint8_t, kRecordedBytesMax> bytes{};
};

class Recorder {
 public:
  void add(TimePoint at, Channel channel, std::uint8_t who, std::int64_t number, ByteSpan bytes = {});
  std::uint64_t digest() const { return digest_.value(); }
  // Everything recorded so far, whether still in the trace or not.
  std::uint64_t record_count() const { return record_count_; }
  // Oldest first, one line each: time in seconds, channel, numbers, bytes in hexadecimal.
  std::vector<std::string> lines() const;

 private:
  Digest digest_;
  std::uint64_t record_count_ = 0;
  std::array<Record, kRecordCapacity> records_{};
  std::size_t next_ = 0;
};

std::string to_line(const Record& record);

}  // namespace amphora::sim
