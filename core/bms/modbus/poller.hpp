// SPDX-License-Identifier: Apache-2.0
// Reads one BMS that speaks Modbus RTU, as a profile describes it: a Machine and a bms::Bms.
//
// A profile says which registers hold what: function 3 or 4, register, scale, sign, one word or two and their
// order. One request reads one block of registers; the blocks of a profile are read one after the other each
// poll_interval. The default profile is a pack that tells voltage and current only: function 3, register 0,
// two words, 0.1 V unsigned and 0.01 A signed, positive while charging.
//
// The line is half duplex: one request is on its way at a time. Bytes may come in any portions. A reply that
// has not come within reply_timeout is asked for again after 100 and then 200 ms; with the third failed try
// the poll has failed and the line rests for 400 ms at least. Until the next complete poll the BMS is stale
// (is_stale()) and old values stay with their age.
//
// How a reply is found among the bytes: frame.hpp. A late answer is dropped with the silence before a retry.
//
// What it does not do: writing registers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/ring.hpp"
#include "core/base/time.hpp"
#include "core/battery/snapshot.hpp"
#include "core/bms/bms.hpp"
#include "core/bms/modbus/frame.hpp"

namespace amphora::modbus {

enum class Quantity : std::uint8_t {
  kVoltage,              // mV
  kCurrent,              // mA, positive while charging
  kSoc,                  // 0.01 %
  kSoh,                  // 0.01 %
  kCell,                 // mV; `count` cells, one word each
  kTemperatureMin,       // 0.1 degC
  kTemperatureMax,       // 0.1 degC
  kTemperatureInternal,  // 0.1 degC
  kAlarms                // bit i of the word is alarm_bits[i]
};

// value in the unit of the quantity = (number + offset) * multiplier / divisor
struct Point {
  Quantity quantity = Quantity::kVoltage;
  std::uint16_t at = 0;  // word in the block
  bool is_signed = false;
  bool is_double = false;          // two words
  bool is_low_word_first = false;  // of two
  std::int32_t offset = 0;
  std::int32_t multiplier = 1;  // negative inverts the sign
  std::int32_t divisor = 1;
  std::uint16_t count = 1;  // kCell
};
struct Block {
  Function function = Function::kHoldingRegisters;
  std::uint16_t first = 0;
  std::uint16_t count = 0;
};

inline constexpr std::size_t kPointsMax = 12;
inline constexpr std::size_t kBlocksMax = 4;
inline constexpr std::size_t kAlarmBits = 16;
struct ProfilePoint {
  std::uint8_t block = 0;
  Point point;
};
struct Profile {
  std::uint8_t address = 1;  // 1 to 247
  std::array<Block, kBlocksMax> blocks{{{Function::kHoldingRegisters, 0, 2}}};
  std::size_t block_count = 1;
  std::array<ProfilePoint, kPointsMax> points{
      {{0, {Quantity::kVoltage, 0, false, false, false, 0, 100, 1, 1}},
       {0, {Quantity::kCurrent, 1, true, false, false, 0, 10, 1, 1}}}};
  std::size_t point_count = 2;
  std::array<std::optional<battery::Alarm>, kAlarmBits> alarm_bits{};
  // What can be real; other values are counted and not taken over.
  Millivolts voltage_max{1'000'000};
  Milliamps current_max{2'000'000};
};

struct PollerConfig {
  Profile profile;
  Duration poll_interval = std::chrono::seconds{2};
  Duration reply_timeout = std::chrono::milliseconds{100};
};
// The first wrong field; empty when all is well.
std::string_view check_config(const PollerConfig& config);

inline constexpr auto kBackOff = std::array<Duration, 3>{
    std::chrono::milliseconds{100}, std::chrono::milliseconds{200}, std::chrono::milliseconds{400}};

struct PollerEvent {
  enum class Kind : std::uint8_t {
    kUpdated,  // a poll is complete; the snapshot holds it
    kFresh,    // the first complete poll after being stale, or at all
    kStale,    // a poll failed
    kRefused   // the BMS answered with an exception; detail: its code
  };
  TimePoint at{};
  Kind kind = Kind::kUpdated;
  std::uint8_t detail = 0;
  friend constexpr bool operator==(const PollerEvent&, const PollerEvent&) = default;
};

class Poller {
 public:
  // Needs check_config(config).empty().
  explicit Poller(const PollerConfig& config);

  void handle_line(TimePoint now, bool is_open);
  void handle_bytes(TimePoint now, ByteSpan bytes);
  void handle_timeout(TimePoint now);

  // Bytes written into `out`, which must hold kRequestSize; 0: nothing to send.
  std::size_t poll_transmit(TimePoint now, MutableByteSpan out);
  std::optional<PollerEvent> poll_event() { return events_.pop(); }
  TimePoint poll_timeout() const;

  bool is_stale() const { return is_stale_; }
  const battery::Snapshot& snapshot() const { return snapshot_; }
  const bms::Statistics& statistics() const { return statistics_; }

 private:
  enum class State : std::uint8_t { kClosed, kIdle, kReady, kWaiting, kBackOff };

  void handle_reply(TimePoint now, ByteSpan data);
  void handle_failure(TimePoint now);
  void finish_poll(TimePoint now, bool is_good);
  void take(const ProfilePoint& point, ByteSpan data);
  void take_cells(const Point& point, ByteSpan data);
  void emit(TimePoint now, PollerEvent::Kind kind, std::uint8_t detail = 0);

  PollerConfig config_;
  State state_ = State::kClosed;
  TimePoint due_ = kNever;
  TimePoint poll_started_{};
  TimePoint asked_at_{};  // of the block: its values are that old
  std::size_t block_ = 0;
  std::size_t failures_ = 0;
  bool is_stale_ = true;
  ReplyReader reader_;
  battery::Snapshot snapshot_;
  bms::Statistics statistics_;
  Ring<PollerEvent, 8> events_;
};

static_assert(bms::Bms<Poller>);

}  // namespace amphora::modbus
