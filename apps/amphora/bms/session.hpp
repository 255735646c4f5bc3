// SPDX-License-Identifier: Apache-2.0
// One conversation with a TinyBMS on a serial port: the core's driver, hosted until an answer is there.
#pragma once

#include <functional>
#include <string>

#include "core/bms/tinybms/driver.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/serial/serial_port.hpp"

namespace amphora::bms_command {

class Session {
 public:
  using EventHandler = std::function<void(const tinybms::DriverEvent&)>;

  explicit Session(const std::string& port);

  // Serves until finish() is called from a handler, or until `limit` has passed: then false.
  bool run(Duration limit, EventHandler on_event);
  void finish();

  tinybms::Driver& driver() { return driver_; }
  TimePoint now() const { return loop_.now(); }
  // To be called after telling the driver something.
  void pump() { pump_.request(); }
  // Why nothing came: the port's own error, or that the BMS is silent.
  std::string reason() const;

 private:
  TimePoint step(TimePoint now);

  std::string port_;
  runtime::Loop loop_;
  tinybms::Driver driver_;
  EventHandler on_event_;
  bool is_finished_ = false;
  runtime::Pump pump_;
  runtime::SerialPort serial_;
};

}  // namespace amphora::bms_command
