// SPDX-License-Identifier: Apache-2.0
// A BMS that answers Modbus RTU on RS-485: a stand-in for the device in simulations, in tests and on a
// pseudo-terminal.
//
// It serves functions 3 and 4 from one file of registers and refuses as the protocol says: an unknown
// function (exception 1), a range with a register that it does not have (2), a count of 0 or above 125 (3).
// It never answers requests to other addresses, broadcasts, replies of its neighbours on the line or frames
// with a wrong CRC. RTU frames end by silence: it judges what it has received when the line has been quiet
// for kModbusFrameGap and answers after that pause, as half-duplex lines demand; while it has to answer it
// does not listen. Because bytes behind USB adapters come in lumps, an incomplete request gets kModbusLumpGap
// before it is dropped. It is also a Machine: time comes in, bytes go out.
//
// The plant (a battery model, a register dump, a test) sets the registers; faults of the device and of its
// line are injected with set_fault().
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/battery/alarm.hpp"

namespace amphora::sim {

// 3.5 characters of 11 bits at 9600 baud, rounded up (MODBUS over serial line V1.02, 2.5.1.1).
inline constexpr Duration kModbusFrameGap = std::chrono::microseconds{4'011};
inline constexpr Duration kModbusLumpGap = std::chrono::milliseconds{20};

enum class ModbusException : std::uint8_t {
  kIllegalFunction = 1,
  kIllegalAddress = 2,
  kIllegalValue = 3,
  kDeviceFailure = 4
};

enum class ModbusFault : std::uint8_t {
  kNone,
  kSilent,     // no answer at all
  kCorrupt,    // one byte of every answer is wrong
  kRefuse,     // every request is refused with a device failure
  kStuck,      // the plant's values do not arrive any more
  kTruncated,  // every answer lacks its end
  kJoined,     // every second answer is held back and sent together with the next
  kSplit,      // answers come in two pieces with a pause between
  kNoise,      // bytes of noise before every answer
  kLate        // answers come 1.2 s after the request: nobody waits any more
};
// Names for configuration and command line: "none", "silent", …
std::string_view to_text(ModbusFault fault);
std::optional<ModbusFault> modbus_fault_from_text(std::string_view text);

struct ModbusBmsDeviceConfig {
  std::uint64_t seed = 1;
  std::uint8_t address = 1;
  Duration reply_delay = std::chrono::milliseconds{2};  // after the silence that ends the request
};

struct ModbusBmsDeviceCounters {
  std::uint64_t requests = 0;    // served
  std::uint64_t exceptions = 0;  // refused
  std::uint64_t ignored = 0;     // good frames, but for others, or while it had to answer
  std::uint64_t crc_errors = 0;  // what was no frame when the line fell quiet
  std::uint64_t lost_while_silent = 0;
};

// Reported for refusals, so that whoever sets up a reader sees what it asks for.
struct ModbusRefusal {
  std::uint8_t function = 0;
  std::uint16_t first = 0;
  std::uint16_t count = 0;
  ModbusException code = ModbusException::kIllegalFunction;
};

class ModbusBmsDevice {
 public:
  // Without registers: the plant brings them.
  explicit ModbusBmsDevice(const ModbusBmsDeviceConfig& config = {});

  void handle_bytes(TimePoint now, ByteSpan bytes);
  void handle_timeout(TimePoint now);
  std::size_t poll_transmit(TimePoint now, MutableByteSpan out);
  std::optional<ModbusRefusal> poll_event() { return refusals_.pop(); }
  TimePoint poll_timeout() const;

  // The raw words, whatever the fault. A register exists once it has been set.
  void set_register(std::uint16_t number, std::uint16_t value) { registers_[number] = value; }
  std::optional<std::uint16_t> register_value(std::uint16_t number) const;

  // The plant, in the units of the profile `full` (core/bms/modbus/profiles.hpp).
  void set_voltage(Millivolts voltage);
  void set_current(Milliamps current);
  void set_soc(BasisPoints soc);
  void set_soh(BasisPoints soh);
  void set_temperatures(Decicelsius lowest, Decicelsius highest, Decicelsius internal);
  void set_alarms(const battery::AlarmSet& alarms);
  void set_cell(std::uint16_t index, Millivolts voltage);

  void set_fault(ModbusFault fault) { fault_ = fault; }
  ModbusFault fault() const { return fault_; }
  const ModbusBmsDeviceCounters& counters() const { return counters_; }

 private:
  struct Piece {
    TimePoint at{};
    std::vector<std::uint8_t> bytes;
  };

  void measure(std::uint16_t number, std::int64_t value);
  void measure_signed(std::uint16_t number, std::int64_t value);
  void judge(TimePoint now);
  void serve(TimePoint now, ByteSpan frame);
  void refuse(TimePoint now, const ModbusRefusal& refusal);
  void send(TimePoint now, std::vector<std::uint8_t> reply);
  // When what has been received is judged; kNever when there is nothing.
  TimePoint quiet_at() const;

  ModbusBmsDeviceConfig config_;
  Rng rng_;
  std::map<std::uint16_t, std::uint16_t> registers_;
  ModbusFault fault_ = ModbusFault::kNone;
  std::vector<std::uint8_t> input_;  // kFrameSizeMax + 1 at most: longer is no frame
  TimePoint last_byte_{};
  std::deque<Piece> output_;  // in the order of their times
  std::vector<std::uint8_t> held_;
  Ring<ModbusRefusal, 16> refusals_;
  ModbusBmsDeviceCounters counters_;
};

}  // namespace amphora::sim
