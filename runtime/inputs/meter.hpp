// SPDX-License-Identifier: Apache-2.0
// Energy meters on Modbus RTU lines.
//
// A meter is asked for one block of its input registers (function 4) that holds all that is wanted; each
// value is an IEEE 754 float in two words, high word first.
//   SDM120  registers 0 to 13:  voltage 0x0000, current 0x0006, active power 0x000C
//   SDM630  registers 0 to 53:  phase voltages 0x0000 to 0x0004, phase currents 0x0006 to 0x000A, total power
//           0x0034. The current is the sum of the phases, the voltage the mean of those that are connected.
// (Eastron, register maps of the SDM series.)
//
// Several meters may share a line; the caller asks one after the other. Asking waits on the loop that is
// handed in, so it is for a thread that may wait.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/bms/modbus/frame.hpp"
#include "runtime/inputs/input_spec.hpp"
#include "runtime/inputs/sensor_reading.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::runtime {

// How long a meter may think; the time of the bytes on the line comes on top.
inline constexpr Duration kMeterTimeout = std::chrono::milliseconds{200};
// Between an answer and the next request on a line: 3.5 characters at 2400 baud are 16 ms.
inline constexpr Duration kMeterPause = std::chrono::milliseconds{20};
inline constexpr int kMeterTries = 3;

// The values in a block of registers, or why they are none (no finite number, or more than any house has).
std::variant<SensorReading, SysError> decode_meter(const MeterSpec& spec, ByteSpan registers);
// Words of the block that is read of a meter, from register 0 on.
std::uint16_t meter_word_count(MeterType type);

class MeterLines {
 public:
  explicit MeterLines(Loop& loop) : loop_{loop} {}

  // Place and time of the reading are the caller's to fill in.
  std::variant<SensorReading, SysError> ask(const MeterSpec& spec);

 private:
  struct Line {
    std::unique_ptr<SerialPort> port;
    modbus::ReplyReader reader;
    bms::Statistics statistics;
    bool is_waiting = false;
    std::optional<std::variant<SensorReading, SysError>> answer;
  };
  Line& line_of(const MeterSpec& spec);
  void wait(Duration duration) { loop_.run_until(loop_.now() + duration); }
  void take_bytes(Line& line, const MeterSpec& spec, ByteSpan bytes);

  Loop& loop_;
  std::map<std::string, std::unique_ptr<Line>> lines_;
  const MeterSpec* asked_ = nullptr;
};

}  // namespace amphora::runtime
