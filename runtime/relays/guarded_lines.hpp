// SPDX-License-Identifier: Apache-2.0
// What the guard decides: which line is driven how. Without socket and clock, and with the line as a
// parameter, so that it can be tested without GPIO.
#pragma once

#include <array>
#include <cerrno>
#include <optional>
#include <variant>

#include "core/energy/relay.hpp"
#include "runtime/relays/relay_guard.hpp"
#include "runtime/relays/relay_spec.hpp"

namespace amphora::runtime {

// Line has take(), set(), get() and is_taken() as GpioLine has them.
template <class Line>
class GuardedLines {
 public:
  explicit GuardedLines(const RelaySpecs& specs) : specs_{specs} {}

  // Drives every relay that has a position; takes lines that are not held yet.
  void apply(const WantedPositions& wanted) {
    for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
      if (wanted[i]) {
        wanted_[i] = wanted[i];
      }
    }
    drive();
  }

  // The safe positions, also of lines that nothing was wanted of yet; `keep` leaves them as they are.
  void make_safe() {
    for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
      const auto* gpio = std::get_if<GpioRelay>(&specs_[i]);
      if (gpio != nullptr && gpio->safe != SafePosition::kKeep) {
        wanted_[i] =
            gpio->safe == SafePosition::kClosed ? energy::Position::kClosed : energy::Position::kOpen;
      }
    }
    drive();
  }

  // Again what was asked for last: for lines that failed.
  void drive() {
    for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
      const auto* gpio = std::get_if<GpioRelay>(&specs_[i]);
      if (gpio != nullptr && wanted_[i]) {
        drive(i, *gpio, *wanted_[i] == energy::Position::kClosed);
      }
    }
  }

  bool has_failure() const {
    for (const GuardedRelay& relay : state_) {
      if (relay.error != 0) {
        return true;
      }
    }
    return false;
  }
  const GuardedRelays& state() const { return state_; }

 private:
  void drive(std::size_t i, const GpioRelay& gpio, bool is_closed) {
    Line& line = lines_[i];
    const auto error =
        line.is_taken() ? line.set(is_closed) : line.take(gpio.address, is_closed, gpio.polarity);
    if (error) {
      fail(i, *error);
      return;
    }
    const auto read = line.get();
    if (const auto* unread = std::get_if<SysError>(&read)) {
      fail(i, *unread);
      return;
    }
    state_[i] = {std::get<bool>(read) ? energy::Position::kClosed : energy::Position::kOpen, 0};
  }
  // A line that failed is taken anew the next time: its chip may have been unplugged.
  void fail(std::size_t i, const SysError& error) {
    lines_[i] = Line{};
    state_[i] = {std::nullopt, error.code != 0 ? error.code : EIO};
  }

  const RelaySpecs specs_;
  std::array<Line, energy::kRelayCount> lines_{};
  WantedPositions wanted_{};
  GuardedRelays state_{};
};

}  // namespace amphora::runtime
