// SPDX-License-Identifier: Apache-2.0
// A Wi-Fi adapter made ready for frames of ESP-NOW, and tuned. All calls block and come from one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/node_id.hpp"
#include "core/base/result.hpp"
#include "runtime/loop/sys_error.hpp"
#include "runtime/radio_packet/nl80211.hpp"

namespace amphora::runtime {

class WifiAdapter {
 public:
  struct Opened {
    int fd = -1;  // packet socket, now the caller's
    NodeId mac;
    std::string driver;
    std::string country;
    std::string warning;
    bool answers_acks = false;
  };

  explicit WifiAdapter(std::string interface) : interface_{std::move(interface)} {}
  ~WifiAdapter() { close(); }
  WifiAdapter(const WifiAdapter&) = delete;
  WifiAdapter& operator=(const WifiAdapter&) = delete;

  // Monitor mode, up, on `channel`, with an active monitor beside it where the driver has one.
  Result<Opened, SysError> open(std::uint8_t channel, const std::string& country);
  // Refuses what the regulatory domain does not allow; reads back.
  std::optional<SysError> tune(std::uint8_t channel);
  // Removes the active monitor. Does nothing when there is none.
  void close();

 private:
  std::optional<SysError> set_country(const std::string& country);
  std::optional<SysError> make_monitor();
  std::optional<SysError> add_companion();
  void remove_companion();

  const std::string interface_;
  nl80211::Client client_;
  nl80211::Interface self_;
  std::string companion_;  // name of the active monitor; empty without
};

}  // namespace amphora::runtime
