// SPDX-License-Identifier: Apache-2.0
// A TinyBMS as seen from its UART: a stand-in for the device in simulations, in tests and on a
// pseudo-terminal.
//
// It answers every command of the protocol from a register file of 512 words, refuses what the device refuses
// (unknown command, wrong CRC, register outside of the file, write outside of 300..399, value out of range,
// broken constraint between settings), keeps an event list and statistics, sleeps when it is left alone and
// loses the request that wakes it, is silent while it saves settings, and sends broadcast text when register
// 342 asks for it. It is also a Machine: time comes in, bytes go out.
//
// The plant (a battery model, a register dump, a test) sets its values; faults of the device and of its line
// are injected with set_fault().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/bms/tinybms/decode.hpp"
#include "core/bms/tinybms/events.hpp"
#include "core/bms/tinybms/frame.hpp"
#include "core/bms/tinybms/registers.hpp"
#include "core/bms/tinybms/settings.hpp"
#include "core/bms/tinybms/stream.hpp"

namespace amphora::sim {

// What kCorrupt flips in one byte.
inline constexpr std::uint8_t kTinyBmsCorruptedBit = 0x10;

enum class TinyBmsFault : std::uint8_t {
  kNone,
  kSilent,     // no answer at all
  kCorrupt,    // one byte of every answer is wrong
  kNack,       // every request is refused with a command error
  kStuck,      // measured values do not change any more
  kTruncated,  // every answer lacks its end
  kJoined,     // every second answer is held back and sent together with the next
};
// Names for configuration and command line: "none", "silent", …
std::string_view to_text(TinyBmsFault fault);
std::optional<TinyBmsFault> tinybms_fault_from_text(std::string_view text);

struct TinyBmsDeviceConfig {
  std::uint64_t seed = 1;
  bool is_sleepy = false;  // sleeps after sleep_after without a request, also at the start
  Duration sleep_after = std::chrono::seconds{10};
  Duration reply_delay = std::chrono::milliseconds{5};
  Duration flash_save = std::chrono::milliseconds{400};    // silent after a write of settings
  Duration restart_time = std::chrono::milliseconds{800};  // silent after a reset
  std::size_t packet_payload_size = tinybms::kPacketPayloadMax;
};

struct TinyBmsDeviceCounters {
  std::uint64_t requests = 0;  // understood and served
  std::uint64_t nacks = 0;
  std::uint64_t lost_while_asleep = 0;
  std::uint64_t lost_while_silent = 0;
  std::uint64_t settings_writes = 0;  // words stored
};

enum class TinyBmsDeviceEventType : std::uint8_t { kWokeUp, kFellAsleep, kSettingWritten, kReset };
struct TinyBmsDeviceEvent {
  TinyBmsDeviceEventType type = TinyBmsDeviceEventType::kWokeUp;
  std::uint16_t number = 0;  // kSettingWritten
  std::uint16_t value = 0;
};

class TinyBmsDevice {
 public:
  static constexpr std::size_t kRegisterCount = 512;

  // A 16-cell LFP pack at rest: 16 cells of 3.300 V, 0 A, 50 %, 25 °C, idle, with sensible settings.
  explicit TinyBmsDevice(const TinyBmsDeviceConfig& config = {});

  void handle_bytes(TimePoint now, ByteSpan bytes);
  void handle_timeout(TimePoint now);
  std::size_t poll_transmit(TimePoint now, MutableByteSpan out);
  std::optional<TinyBmsDeviceEvent> poll_event() { return events_out_.pop(); }
  TimePoint poll_timeout() const;

  // The raw words. False, and nothing changed, for a number of 512 and above.
  bool set_register(std::uint16_t number, std::uint16_t value);
  std::uint16_t register_value(std::uint16_t number) const;
  // All registers zero: before loading a dump.
  void clear_registers();

  // The plant. Cells are counted from 0 at the negative end; they lie in the last `count` of registers 0..15.
  // Pack voltage, smallest and largest cell follow from the cells unless set_voltage() overrides the former
  // until the next set_cell().
  void set_cell_count(std::size_t count);  // 1..16, else ignored
  void set_cell(std::size_t index, Millivolts voltage);
  void set_cell(std::size_t index, Microvolts voltage);
  void set_voltage(Millivolts voltage);
  void set_current(Milliamps current);
  void set_soc(BasisPoints soc);
  void set_soh(BasisPoints soh);
  void set_temperature_internal(Decicelsius temperature);
  void set_temperature_external(std::size_t index, std::optional<Decicelsius> temperature);  // index 0..1
  void set_status(tinybms::OnlineStatus status);
  void set_balancing(std::uint16_t cells);
  // Appends to the event list with the present lifetime.
  void add_event(TimePoint now, std::uint8_t id);
  void set_fault(TinyBmsFault fault) { fault_ = fault; }
  TinyBmsFault fault() const { return fault_; }
  bool is_asleep() const { return is_asleep_; }
  const TinyBmsDeviceCounters& counters() const { return counters_; }

 private:
  void serve(TimePoint now, const tinybms::Request& request);
  void serve_control(TimePoint now, tinybms::ControlOption option);
  void serve_write(TimePoint now, const tinybms::Request& request);
  void serve_read(TimePoint now, const tinybms::Request& request);
  void serve_settings(TimePoint now, const tinybms::Request& request);
  void serve_query(TimePoint now, tinybms::Command command);
  bool may_write(const tinybms::Request& request) const;
  void reply_ack(TimePoint now, tinybms::Command command);
  void reply_nack(TimePoint now, std::uint8_t command_code, std::uint8_t error);
  void reply_data(TimePoint now, tinybms::Command command, ByteSpan payload);
  void send(TimePoint now, ByteSpan frame);
  void send_broadcast(TimePoint now);
  void fall_asleep(TimePoint now);
  void wake_up(TimePoint now);
  void serve_incoming(TimePoint now);
  bool has_output() const { return output_.size() > held_size_; }
  void reset(TimePoint now);
  void update_lifetime(TimePoint now);
  void update_pack();
  void measure(std::uint16_t number, std::uint16_t value);
  void measure_pair(std::uint16_t number, std::uint32_t value);
  void serve_events(TimePoint now, tinybms::Command command);
  void store_word(TimePoint now, std::uint16_t number, std::uint16_t value);
  std::size_t cell_count() const;
  std::uint32_t pair(std::uint16_t number) const;
  Duration broadcast_period() const;

  TinyBmsDeviceConfig config_;
  Rng rng_;
  std::array<std::uint16_t, kRegisterCount> registers_{};
  std::array<std::uint16_t, tinybms::kSettingsBlock.count> defaults_{};
  tinybms::RequestReader reader_;
  TinyBmsFault fault_ = TinyBmsFault::kNone;
  bool is_asleep_ = false;
  bool is_holding_ = false;
  TimePoint last_request_{};
  TimePoint last_byte_{};
  std::optional<TimePoint> lifetime_at_;  // when the lifetime counter was last advanced
  TimePoint silent_until_{};
  TimePoint output_at_{};
  TimePoint broadcast_at_ = kNever;
  Ring<std::uint8_t, 2048> output_;
  std::size_t held_size_ = 0;  // bytes at the end of output_ that wait for the next answer
  Ring<TinyBmsDeviceEvent, 16> events_out_;
  TinyBmsDeviceCounters counters_;
};

}  // namespace amphora::sim
