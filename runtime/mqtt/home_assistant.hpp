// SPDX-License-Identifier: Apache-2.0
// Home Assistant's device discovery: the one retained message that makes a battery appear there.
//
// Pure: builds topic and JSON from names; and a small machine that says when to announce again. The rules
// come from Home Assistant's MQTT documentation: one JSON object per device with `dev`, `o`, `cmps` and
// availability at the root and nothing else (an unknown root key makes it reject the whole device); every
// component has platform `p` and unique id; energies are total_increasing and are absent from the state until
// known, because a counter that starts at zero would look like a meter reset; measurements expire, energies
// do not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"

namespace amphora::runtime {

struct HomeAssistantDevice {
  std::string base = "amphora";  // first level of all topics
  std::string site = "home";     // one topic level; part of every unique id
  std::string unit;              // one of several batteries of the site, a topic level; empty: the only one
  std::string discovery_prefix = "homeassistant";
  std::string name = "Battery";  // as a person sees it
  std::string manufacturer;      // empty: absent
  std::string model;
  std::string serial;
  std::string hardware;
  std::string software;           // of the BMS
  std::string program_version;    // of Amphora
  std::string configuration_url;  // empty: absent
  int expire_after_s = 60;
  std::size_t cell_count = 0;  // 0: no entity per cell
  bool has_inverter = true;    // whether there are limits and an inverter's link to show
};

// "homeassistant/device/amphora_<site>_battery/config", or …_<site>_<unit>_battery…; empty when prefix or
// site is not a topic level.
std::optional<std::string> discovery_topic(const HomeAssistantDevice& device);
// The JSON document, compact. Empty under the same conditions.
std::optional<std::string> discovery_payload(const HomeAssistantDevice& device);

// When to announce: after each connect at once, and a random 1…10 s after Home Assistant says it is online.
class DiscoveryAnnouncer {
 public:
  explicit DiscoveryAnnouncer(std::uint64_t seed) : rng_{seed} {}
  void handle_connected(TimePoint now) { at_ = now; }
  void handle_disconnected() { at_ = kNever; }
  // A message on <discovery_prefix>/status.
  void handle_home_assistant_status(TimePoint now, std::string_view payload);
  TimePoint poll_timeout() const { return at_; }
  // True once when it is time: publish the config, then the state.
  bool poll_announce(TimePoint now);

 private:
  Rng rng_;
  TimePoint at_ = kNever;
};

}  // namespace amphora::runtime
