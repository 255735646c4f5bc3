// SPDX-License-Identifier: Apache-2.0
// Tells the service manager how the program is: ready, alive, ending (sd_notify(3), the plain datagram form).
//
// Without NOTIFY_SOCKET in the environment every call does nothing and says so by returning false.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/time.hpp"

namespace amphora::runtime {

class ServiceNotifier {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID once.
  static ServiceNotifier from_environment();
  // `socket_path` as in NOTIFY_SOCKET: absolute, or '@' and an abstract name.
  ServiceNotifier(std::string socket_path, std::optional<Duration> watchdog);

  bool ready(std::string_view status = {}) const;
  bool watchdog() const;
  bool stopping() const;
  bool reloading() const;
  bool status(std::string_view text) const;

  // How often watchdog() should be called: half of what the manager allows. Empty: not asked for.
  std::optional<Duration> watchdog_period() const;

 private:
  bool send(std::string_view message) const;
  std::string path_;
  std::optional<Duration> watchdog_;
};

}  // namespace amphora::runtime
