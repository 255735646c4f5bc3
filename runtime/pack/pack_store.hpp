// SPDX-License-Identifier: Apache-2.0
// How what a pack must not forget stands in the store: by name, as text with the store's checksum.
//
//   pack_hardware          the hardware number that was made for this pack, in 16 hexadecimal digits
//   pack_node              the node id on the bus, as a number
//   pack_floor             the floor of the counter of sealed commands, as a number
//   pack_facts             what the control must remember (core/energy/facts.hpp), in hexadecimal
//   pack_section_<name>    a shared section: version, stamp, origin and content in hexadecimal
// A record that is damaged or not of this form is reported and left out: node id and facts begin anew, and a
// section comes back from the other packs. A floor that is lost is not left out: is_floor_lost then says that
// no sealed command may count, because an old one could be given again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/node/pack/pack.hpp"
#include "runtime/link/link_store.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::runtime {

struct StoredPack {
  packnet::HardwareNumber hardware = 0;  // 0: none was made
  packnet::Node node = packnet::kNodeNone;
  std::uint64_t floor = 0;
  bool is_floor_lost = false;
  energy::Facts facts;
  std::vector<StoredSection> sections;  // `owner` is nobody
  std::vector<std::string> complaints;  // for people
};
StoredPack load_pack(const StoredState& stored);

// Name and content of what a request wants kept.
struct PackRecord {
  std::string name;
  std::string content;
};
PackRecord to_record(const node::PackStoreRequest& request);
PackRecord to_record(const energy::Facts& facts);
PackRecord hardware_record(packnet::HardwareNumber hardware);

}  // namespace amphora::runtime
