// SPDX-License-Identifier: Apache-2.0
// What the demo consists of: folders, ports, configuration files and the command lines of its programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/amphora/demo/child_process.hpp"

namespace amphora::demo {

struct DemoOptions {
  std::optional<int> seconds;              // ends by itself
  std::optional<std::uint16_t> web_port;   // 8080, or a free one when that is taken
  std::optional<std::uint16_t> mqtt_port;  // 1883, likewise
  std::string data;                        // folder; a private one below the temporary folder without it
  std::string only;                        // one of program_names(), or empty for all
};

inline constexpr int kPackCount = 3;

// An energy pack of the demo, with a BMS of its own.
struct DemoPack {
  std::string name;            // "pack_1": of its program, its files and its topics
  std::string bms_name;        // "bms_1": of the program that is its BMS
  std::string bms_link;        // pseudo-terminal
  std::uint16_t web_port = 0;  // of its page
};

struct House {
  std::string folder;
  std::uint16_t web_port = 0;
  std::uint16_t mqtt_port = 0;
  std::uint16_t receiver_port = 0;  // of the receiver's web page
  std::uint16_t air_port = 0;       // UDP, of the air between both radios
  std::string can;                  // "udp://239.74.163.2:43113"
  std::string pack_can;             // of the packs, a bus of their own
  std::vector<DemoPack> packs;
  std::string web_root;  // folder of the web page
  bool has_web_page = false;
  std::vector<std::string> remarks;  // for people: ports that were taken, a page that is not built
  std::vector<Program> programs;     // in the order of starting

  std::string bms_link() const { return folder + "/bms"; }
  std::string bus_key_file() const { return folder + "/bus-key"; }
};

// Every program of the demo, in the order of starting.
std::vector<std::string> program_names();

// Chooses ports, makes the folders and writes the configuration files. Throws std::runtime_error with what is
// wrong: a port that was asked for is taken, the folder is in use or belongs to somebody else.
House plan_house(const DemoOptions& options);

// The configurations of the two boxes, as TOML: the gateway beside the battery, which is a transmitter as
// well, and the receiver in the house.
std::string gateway_configuration(const House& house);
std::string receiver_configuration(const House& house);
// The configuration of one of the packs, which share a bus and its key.
std::string pack_configuration(const House& house, const DemoPack& pack);
// The configuration of the broker: loopback only, its data in its own folder.
std::string broker_configuration(const House& house);

}  // namespace amphora::demo
