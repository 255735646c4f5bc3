// SPDX-License-Identifier: Apache-2.0
#include "sim/world/recorder.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace amphora::sim {

namespace {

const char* to_text(Channel channel) {
  constexpr const char* kNames[] = {
      "can",  "can_state", "serial_to_bms", "serial_to_node", "node_event", "fault_begin", "fault_end",
      "node", "violation", "air",           "section",        "delivery",   "relay",       "energy"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Channel::kCount));
  return kNames[static_cast<std::size_t>(channel)];
}

}  // namespace

void Recorder::add(TimePoint at, Channel channel, std::uint8_t who, std::int64_t number, ByteSpan bytes) {
  digest_.add_number(to_microseconds(at));
  digest_.add_byte(static_cast<std::uint8_t>(channel));
  digest_.add_byte(who);
  digest_.add_number(number);
  digest_.add(bytes);
  ++record_count_;

  Record& record = records_[next_];
  next_ = (next_ + 1) % kRecordCapacity;
  const std::size_t kept = std::min(bytes.size(), kRecordedBytesMax);
  record.at = at;
  record.channel = channel;
  record.who = who;
  record.size = static_cast<std::uint8_t>(kept);
  record.full_size = static_cast<std::uint16_t>(std::min<std::size_t>(bytes.size(), 0xFFFF));
  record.number = number;
  std::copy_n(bytes.begin(), kept, record.bytes.begin());
}

std::vector<std::string> Recorder::lines() const {
  std::vector<std::string> lines;
  const std::uint64_t count = std::min<std::uint64_t>(record_count_, kRecordCapacity);
  const std::size_t first = record_count_ > kRecordCapacity ? next_ : 0;
  for (std::size_t i = 0; i < count; ++i) {
    lines.push_back(to_line(records_[(first + i) % kRecordCapacity]));
  }
  return lines;
}

std::string to_line(const Record& record) {
  char text[128];
  const std::int64_t at_us = to_microseconds(record.at);
  const bool is_can = record.channel == Channel::kCanFrame;
  std::snprintf(text, sizeof text,
                is_can ? "%8" PRId64 ".%06" PRId64 " %-14s %u %03" PRIx64
                       : "%8" PRId64 ".%06" PRId64 " %-14s %u %" PRId64,
                at_us / 1'000'000, at_us % 1'000'000, to_text(record.channel), unsigned{record.who},
                record.number);
  std::string line = text;
  if (record.full_size > 0) {
    line += " [" + std::to_string(record.full_size) + "]";
  }
  for (std::size_t i = 0; i < record.size; ++i) {
    std::snprintf(text, sizeof text, " %02x", unsigned{record.bytes[i]});
    line += text;
  }
  if (record.full_size > record.size) {
    line += " …";
  }
  return line;
}

}  // namespace amphora::sim
