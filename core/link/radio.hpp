// SPDX-License-Identifier: Apache-2.0
// What a radio does for a node, whatever carries the frames: ESP-NOW on a microcontroller, a Wi-Fi adapter in
// monitor mode, a UDP socket, the simulated air.
//
// One command is under way at a time. The host executes it and reports how it ended; a node that hears
// nothing for kRadioPatience goes on. Nothing is ever sent from within a handle_ call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/node_id.hpp"
#include "core/base/time.hpp"

namespace amphora::link {

// Of 2.4 GHz.
inline constexpr std::uint8_t kChannelMax = 14;

struct RadioCommand {
  enum class Kind : std::uint8_t { kSend, kTune } kind = Kind::kSend;
  NodeId to;                 // kSend: kEverybody for a broadcast
  std::size_t size = 0;      // kSend: bytes written to the caller's buffer
  std::uint8_t channel = 0;  // kTune
};

// Broadcasts are always acknowledged in this sense: they have been sent.
enum class SendStatus : std::uint8_t { kAcked, kNoAck, kNotSent };
constexpr std::string_view to_text(SendStatus status) {
  constexpr std::string_view kNames[] = {"acked", "no_ack", "not_sent"};
  return kNames[static_cast<std::size_t>(status)];
}

inline constexpr Duration kRadioPatience = std::chrono::milliseconds{300};

// The command under way and how long to wait for it.
class RadioTurn {
 public:
  bool is_free() const { return due_ == kNever; }
  void begin(TimePoint now) { due_ = add_saturating(now, kRadioPatience); }
  void end() { due_ = kNever; }
  // True, once, when the radio has said nothing for too long.
  bool give_up(TimePoint now) {
    if (now < due_ || is_free()) {
      return false;
    }
    end();
    ++unreported_count_;
    return true;
  }
  TimePoint poll_timeout() const { return due_; }
  std::uint64_t unreported_count() const { return unreported_count_; }

 private:
  TimePoint due_ = kNever;
  std::uint64_t unreported_count_ = 0;
};

}  // namespace amphora::link
