// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/facts.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "apps/amphora/build_info.hpp"
#include "core/sections/tables.hpp"
#include "runtime/link/link_store.hpp"

namespace amphora::run {
namespace {

struct Address {
  std::string interface;
  std::uint32_t address = 0;
  std::uint32_t mask = 0;
};

std::uint32_t ip_of(const sockaddr* address) {
  return address == nullptr ? 0 : ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
}

// IPv4 addresses of the interfaces that are up and have a carrier, without loopback.
std::vector<Address> addresses() {
  std::vector<Address> list;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) {
    return list;
  }
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    const bool is_usable = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_RUNNING) != 0 &&
                           (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (is_usable && one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET) {
      list.push_back({one->ifa_name, ip_of(one->ifa_addr), ip_of(one->ifa_netmask)});
    }
  }
  freeifaddrs(all);
  return list;
}

struct Route {
  std::string interface;
  std::uint32_t gateway = 0;
};

// Lines of /proc/net/route: interface, destination, gateway …, numbers in hexadecimal in the machine's order.
std::optional<Route> default_route() {
  std::ifstream file{"/proc/net/route"};
  std::string line;
  (void)std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words{line};
    Route route;
    std::uint32_t destination = 0;
    words >> route.interface >> std::hex >> destination >> route.gateway;
    if (words && destination == 0) {
      route.gateway = ntohl(route.gateway);
      return route;
    }
  }
  return std::nullopt;
}

std::uint32_t name_server() {
  std::ifstream file{"/etc/resolv.conf"};
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words{line};
    std::string key;
    std::string value;
    in_addr address{};
    if (words >> key >> value && key == "nameserver" && inet_pton(AF_INET, value.c_str(), &address) == 1) {
      return ntohl(address.s_addr);
    }
  }
  return 0;
}

// systemd-networkd and dhclient keep their leases in files.
bool has_lease(const std::string& interface) {
  const std::string networkd =
      "/run/systemd/netif/leases/" + std::to_string(if_nametoindex(interface.c_str()));
  const std::string dhclient = "/var/lib/dhcp/dhclient." + interface + ".leases";
  return access(networkd.c_str(), F_OK) == 0 || access(dhclient.c_str(), F_OK) == 0;
}

// The first line of a file of the kernel, without the zero at the end that device trees have.
std::string first_line(const char* path) {
  std::ifstream file{path};
  std::string line;
  (void)std::getline(file, line);
  line.erase(std::find(line.begin(), line.end(), '\0'), line.end());
  std::erase_if(line, [](char c) { return c < 0x20 || c > 0x7E; });
  return line;
}

std::string board_name() {
  for (const char* path : {"/proc/device-tree/model", "/sys/class/dmi/id/product_name"}) {
    if (std::string name = first_line(path); !name.empty()) {
      return name;
    }
  }
  return "unknown";
}

// Cut to what the field holds.
void put_text(FieldChanges& changes, const sections::SectionTable& table, std::size_t index,
              std::string_view text) {
  sections::FieldValue value;
  value.text =
      FixedText<sections::kTextSizeMax>{text.substr(0, static_cast<std::size_t>(table.fields[index].max))};
  changes.emplace_back(index, value);
}

void put_number(FieldChanges& changes, std::size_t index, std::uint32_t number) {
  sections::FieldValue value;
  value.number = number;
  changes.emplace_back(index, value);
}

}  // namespace

FieldChanges metadata_facts(const std::string& name, config::Role role, NodeId self) {
  using namespace sections::metadata_field;
  const sections::SectionTable& table = *sections::find_table(sections::kMetadata);
  const BuildInfo& build = build_info();
  FieldChanges changes;
  put_text(changes, table, kMac, runtime::to_string(self));
  put_text(changes, table, kDeviceName, name);
  put_text(changes, table, kRole, config::to_text(role));
  put_text(changes, table, kFirmwareVersion, build.version);
  put_text(changes, table, kCommit, build.commit);
  put_text(changes, table, kBoard, board_name());
  return changes;
}

FieldChanges network_facts() {
  using namespace sections::network_field;
  const auto route = default_route();
  const std::vector<Address> list = addresses();
  Address own;
  for (const Address& one : list) {
    const bool is_better = own.interface.empty() ||
                           (route && one.interface == route->interface && own.interface != route->interface);
    own = is_better ? one : own;
  }
  FieldChanges changes;
  put_number(changes, kAddress, own.address);
  put_number(changes, kMask, own.mask);
  put_number(changes, kGateway, route ? route->gateway : 0);
  put_number(changes, kDns, name_server());
  put_number(changes, kDhcp, has_lease(own.interface) ? 1 : 0);
  return changes;
}

bool is_network_up() {
  return !addresses().empty();
}

}  // namespace amphora::run
