// SPDX-License-Identifier: Apache-2.0
// A BMS on a half-duplex serial line that answers Modbus RTU reads of three registers: pack voltage (0.1 V),
// pack current (0.01 A, signed, positive while charging), state of charge (0.01 %).
//
// A request is answered after 15 to 60 ms. While it is silent it hears nothing. Requests for other registers
// or addresses, and those with a wrong checksum, get no answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "core/base/units.hpp"
#include "core/bms/modbus/poller.hpp"

namespace amphora::sim {

// What a reader of it needs to know.
modbus::Profile modbus_bms_profile();

class ModbusBms {
 public:
  static constexpr std::uint16_t kRegisterCount = 3;
  static constexpr std::size_t kReplySize = 5 + 2 * std::size_t{kRegisterCount};
  using Reply = std::array<std::uint8_t, kReplySize>;

  explicit ModbusBms(Rng rng) : rng_{rng} {}

  // What the battery is like from now on, and what the registers tell of it.
  void set_values(Millivolts voltage, Milliamps current, BasisPoints soc);
  Millivolts told_voltage() const { return Millivolts{decivolts_ * 100}; }
  void set_silent(bool is_silent);

  // A whole request: hosts write them at once.
  void handle_request(TimePoint now, ByteSpan request);
  TimePoint poll_timeout() const { return due_; }
  // The answer when it is due, with the values of that moment.
  std::optional<Reply> poll_reply(TimePoint now);

 private:
  Rng rng_;
  std::int32_t decivolts_ = 0;
  std::int32_t centiamps_ = 0;
  std::int32_t soc_ = 0;
  bool is_silent_ = false;
  TimePoint due_ = kNever;
};

}  // namespace amphora::sim
