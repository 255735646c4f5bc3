// SPDX-License-Identifier: Apache-2.0
// Moves the two lines of a TM1637.
//
// The lines are open drain with a pull-up: a level of true releases them. While the clock is high a change of
// data is a start or a stop, so where both change the clock goes low before data moves.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <thread>
#include <variant>

#include "core/indicator/tm1637.hpp"
#include "runtime/loop/sys_error.hpp"

namespace amphora::runtime {

// Pins has set_clock(bool) and set_data(bool), which give std::optional<SysError>, and data(), which gives
// std::variant<bool, SysError>.
template <class Pins>
class Tm1637Mover {
 public:
  explicit Tm1637Mover(Pins& pins) : pins_{pins} {}

  // All three transactions. A byte without acknowledge is an error, told after the stop.
  std::optional<SysError> write(const indicator::Tm1637Frame& frame) {
    const std::array<std::uint8_t, 1> data_command{frame.data_command};
    const std::array<std::uint8_t, 1> control_command{frame.control_command};
    for (const std::span<const std::uint8_t> bytes : {std::span<const std::uint8_t>{data_command},
                                                      std::span<const std::uint8_t>{frame.address_and_digits},
                                                      std::span<const std::uint8_t>{control_command}}) {
      if (auto error = transact(bytes)) {
        return error;
      }
    }
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kStepsMax =
      indicator::tm1637_step_count(std::tuple_size_v<decltype(indicator::Tm1637Frame::address_and_digits)>);

  std::optional<SysError> transact(std::span<const std::uint8_t> bytes) {
    std::array<indicator::Tm1637Step, kStepsMax> steps;
    bool is_answered = true;
    for (const indicator::Tm1637Step& step : indicator::encode_tm1637_steps(bytes, steps)) {
      if (auto error = move(step)) {
        return error;
      }
      std::this_thread::sleep_for(indicator::kTm1637HalfPeriod);
      if (step.is_acknowledge) {
        const std::variant<bool, SysError> level = pins_.data();
        if (const auto* error = std::get_if<SysError>(&level)) {
          return *error;
        }
        is_answered = is_answered && !std::get<bool>(level);
      }
    }
    if (!is_answered) {
      return SysError{0, "the display does not answer", "check its clock, data and supply"};
    }
    return std::nullopt;
  }

  std::optional<SysError> move(const indicator::Tm1637Step& step) {
    const bool falls = !step.clock;
    if (falls) {
      if (auto error = move_clock(false)) {
        return error;
      }
    }
    if (data_ != step.data) {
      if (auto error = pins_.set_data(step.data)) {
        return error;
      }
      data_ = step.data;
    }
    return falls ? std::nullopt : move_clock(true);
  }
  std::optional<SysError> move_clock(bool level) {
    if (clock_ == level) {
      return std::nullopt;
    }
    clock_ = level;
    return pins_.set_clock(level);
  }

  Pins& pins_;
  bool clock_ = true;
  bool data_ = true;
};

}  // namespace amphora::runtime
