// SPDX-License-Identifier: Apache-2.0
// The few questions and orders to the kernel's Wi-Fi configuration (nl80211 over generic netlink) that a
// radio port needs. Each call blocks until the kernel has answered, and is made from one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/node_id.hpp"
#include "core/base/result.hpp"
#include "runtime/loop/sys_error.hpp"

struct nl_msg;
struct nl_sock;

namespace amphora::runtime::nl80211 {

struct Interface {
  int index = 0;
  std::string name;
  std::uint32_t wiphy = 0;  // number of the phy
  std::uint32_t type = 0;   // NL80211_IFTYPE_…
  NodeId mac;
  std::uint32_t frequency_mhz = 0;  // 0: none set
};

struct Frequency {
  std::uint32_t mhz = 0;
  bool is_disabled = false;     // by the regulatory domain
  bool is_listen_only = false;  // "no IR": sending is dropped
};

struct Wiphy {
  std::vector<Frequency> frequencies;
  bool has_monitor = false;
  bool has_active_monitor = false;
};

class Client {
 public:
  Client();
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Must succeed before anything else is called. Again after a failure.
  std::optional<SysError> connect();

  Result<Interface, SysError> interface_of(const std::string& name);
  // Every interface of the machine.
  Result<std::vector<Interface>, SysError> interfaces();
  Result<Wiphy, SysError> wiphy(std::uint32_t number);
  // "00" is the world domain. That of the phy where it has its own.
  Result<std::string, SysError> country(std::uint32_t wiphy);

  std::optional<SysError> request_country(const std::string& country);
  // Monitor mode with the frames of foreign networks. The interface must be down.
  std::optional<SysError> set_monitor(const Interface& interface);
  std::optional<SysError> add_active_monitor(std::uint32_t wiphy, const std::string& name);
  std::optional<SysError> remove_interface(int index);
  std::optional<SysError> set_frequency(int index, std::uint32_t mhz);

 private:
  struct Request;
  std::optional<SysError> exchange(Request& request, int (*on_message)(nl_msg*, void*), void* context);

  nl_sock* socket_ = nullptr;
  int family_ = -1;
};

}  // namespace amphora::runtime::nl80211
