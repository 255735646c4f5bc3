// SPDX-License-Identifier: Apache-2.0
// The air process: an AirModel behind a UDP socket on a loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/loop/sys_error.hpp"
#include "runtime/radio_air/air_model.hpp"

namespace amphora::runtime::air {

// "127.0.0.1:47000": IPv4 address and port; port 0 lets the system choose.
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
  bool is_loopback = false;
};
std::optional<Endpoint> parse_endpoint(std::string_view text);

class AirServer {
 public:
  AirServer(Loop& loop, AirConfig config, std::function<void(const AirEvent&)> on_event);
  ~AirServer();
  AirServer(const AirServer&) = delete;
  AirServer& operator=(const AirServer&) = delete;

  // Empty, or why it cannot listen.
  std::optional<SysError> listen(const Endpoint& endpoint);
  // After listen().
  std::uint16_t port() const { return port_; }
  AirModel& model() { return model_; }

 private:
  void read();
  void pump();

  Loop& loop_;
  AirModel model_;
  std::function<void(const AirEvent&)> on_event_;
  Timer timer_;
  std::unique_ptr<FdWatch> watch_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace amphora::runtime::air
