// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/demo/house.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "apps/amphora/demo/ports.hpp"
#include "runtime/link/link_store.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/radio/radio_port.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora::demo {

namespace {

constexpr std::uint16_t kUsualWebPort = 8080;
constexpr std::uint16_t kUsualMqttPort = 1883;
constexpr std::uint16_t kUsualCanPort = 43113;
constexpr std::uint16_t kUsualPackCanPort = 43114;
constexpr std::uint16_t kUsualAirPort = 47000;
// The hardware number that commands of a gateway on the packs' bus come from.
constexpr const char* kGatewayHardware = "02000000000000fe";
constexpr const char* kTransmitterMac = "02:00:00:00:00:01";
constexpr const char* kReceiverMac = "02:00:00:00:00:02";
constexpr const char* kCanGroup = "239.74.163.2";

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file{path, std::ios::trunc};
  file << content;
  if (!file.flush()) {
    throw std::runtime_error{fmt::format("{}: cannot be written", path)};
  }
}

// A folder of our own that nobody else can look into.
void make_private_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw std::runtime_error{fmt::format("{}: {}", path, std::strerror(errno))};
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid()) {
    throw std::runtime_error{
        fmt::format("{}: is not a folder of this user; choose another with --data", path)};
  }
}

// Held until the program ends; a second demo in the same folder would mix its files with ours.
bool lock_folder(const std::string& folder) {
  const int fd = open((folder + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

std::string choose_folder(const DemoOptions& options) {
  const bool is_whole = options.only.empty();
  if (!options.data.empty()) {
    std::filesystem::create_directories(options.data);
    std::string folder = std::filesystem::absolute(options.data);
    if (is_whole && !lock_folder(folder)) {
      throw std::runtime_error{fmt::format("{}: another demo is running in this folder", folder)};
    }
    return folder;
  }
  const std::string usual =
      fmt::format("{}/amphora-demo-{}", std::filesystem::temp_directory_path().string(), geteuid());
  make_private_folder(usual);
  if (!is_whole || lock_folder(usual)) {
    return usual;
  }
  const std::string own = fmt::format("{}-{}", usual, getpid());
  make_private_folder(own);
  (void)lock_folder(own);
  return own;
}

std::uint16_t choose_tcp_port(std::optional<std::uint16_t> asked, std::uint16_t usual, std::string_view what,
                              bool is_listened_here, House& house) {
  const std::uint16_t wanted = asked.value_or(usual);
  if (!is_listened_here || is_tcp_port_free(wanted)) {
    return wanted;
  }
  if (asked) {
    throw std::runtime_error{fmt::format("port {} for {} is taken by another program", wanted, what)};
  }
  const std::uint16_t other = find_tcp_port();
  house.remarks.push_back(fmt::format("port {} is taken, so {} is on {}", usual, what, other));
  return other;
}

std::uint16_t choose_air_port(bool is_whole, House& house) {
  if (!is_whole || is_udp_port_free(kUsualAirPort)) {
    return kUsualAirPort;
  }
  const std::uint16_t other = find_udp_port();
  house.remarks.push_back(fmt::format("UDP port {} is in use, so the air is on {}", kUsualAirPort, other));
  return other;
}

// Both boxes know each other from the start: what pairing would leave behind stands in their databases.
void pair_boxes(const House& house) {
  crypto::Key key{};
  if (getentropy(key.data(), key.size()) != 0) {
    throw std::runtime_error{"the system gives no random numbers"};
  }
  for (const auto& [box, peer] :
       {std::pair{"/gateway", kReceiverMac}, std::pair{"/receiver", kTransmitterMac}}) {
    auto store = runtime::Store::open({.directory = house.folder + box});
    if (!store.ok()) {
      throw std::runtime_error{store.error().text()};
    }
    (*store)->put_section(runtime::key_name(*runtime::parse_mac(peer)),
                          runtime::key_text(key, runtime::wall_now()));
  }
}

std::string radio_configuration(const House& house, const char* mac) {
  return fmt::format("\n[radio]\ninterface = \"air://127.0.0.1:{}?mac={}\"\n", house.air_port, mac);
}

std::string choose_can(bool is_whole, std::uint16_t usual, std::string_view what, House& house) {
  std::uint16_t port = usual;
  if (is_whole && !is_udp_port_free(port)) {
    port = find_udp_port();
    house.remarks.push_back(fmt::format("UDP port {} is in use, so {} is on {}", usual, what, port));
  }
  return fmt::format("udp://{}:{}", kCanGroup, port);
}

void plan_packs(bool is_whole, const DemoOptions& options, House& house) {
  house.pack_can = choose_can(is_whole, kUsualPackCanPort, "the packs' CAN bus", house);
  for (int i = 1; i <= kPackCount; ++i) {
    DemoPack pack;
    pack.name = fmt::format("pack_{}", i);
    pack.bms_name = fmt::format("bms_{}", i);
    pack.bms_link = house.folder + "/" + pack.bms_name;
    const int usual = std::min(house.receiver_port + i, 0xFFFF - kPackCount + i);
    pack.web_port = choose_tcp_port(std::nullopt, static_cast<std::uint16_t>(usual),
                                    fmt::format("the page of {}", pack.name),
                                    is_whole || options.only == pack.name, house);
    make_private_folder(house.folder + "/" + pack.name);
    house.packs.push_back(pack);
  }
}

// 32 random bytes as hexadecimal digits, readable by us alone.
void make_bus_key(const House& house) {
  crypto::Key key{};
  if (getentropy(key.data(), key.size()) != 0) {
    throw std::runtime_error{"the system gives no random numbers"};
  }
  std::string digits;
  for (const std::uint8_t byte : key) {
    digits += fmt::format("{:02x}", byte);
  }
  const std::string path = house.bus_key_file();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool is_written =
      fd >= 0 && write(fd, digits.data(), digits.size()) == static_cast<ssize_t>(digits.size());
  if (fd >= 0) {
    (void)close(fd);
  }
  if (!is_written) {
    throw std::runtime_error{fmt::format("{}: cannot be written", path)};
  }
}

void find_web_root(House& house) {
  const std::filesystem::path self = std::filesystem::canonical("/proc/self/exe").parent_path();
  for (const auto& candidate :
       {self / "../share/amphora/web", self / "../../web/dist", self / "../../../web/dist"}) {
    if (std::filesystem::exists(candidate / "index.html")) {
      house.web_root = std::filesystem::canonical(candidate);
      house.has_web_page = true;
      return;
    }
  }
  house.web_root = "/usr/share/amphora/web";
  house.has_web_page = std::filesystem::exists(house.web_root + "/index.html");
  if (!house.has_web_page) {
    house.remarks.emplace_back("the web page is not built (make web); the HTTP interface works without it");
  }
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      out += '\\';
    }
    out += character;
  }
  return out + '"';
}

std::vector<Program> make_programs(const House& house) {
  const std::string self = std::filesystem::canonical("/proc/self/exe");
  const auto log = [&](const std::string& name) { return fmt::format("{}/{}.log", house.folder, name); };
  const auto box = [&](const std::string& name, std::uint16_t port) {
    return Program{.name = name,
                   .arguments = {self, "run", fmt::format("{}/{}.toml", house.folder, name)},
                   .log_file = log(name),
                   .listens_on = port};
  };
  // Boxes would find broker and BMS later too, but not within a second.
  std::vector<Program> programs{
      {.name = "broker",
       .arguments = {"mosquitto", "-c", house.folder + "/mosquitto.conf"},
       .log_file = log("broker"),
       .is_essential = true,
       .listens_on = house.mqtt_port,
       .is_waited_for = true},
      {.name = "bms",
       .arguments = {self, "emulate", "tinybms", "--pty", house.bms_link()},
       .log_file = log("bms"),
       .makes_link = house.bms_link(),
       .is_waited_for = true},
      {.name = "gx",
       .arguments = {self, "emulate", "gx", "--can", house.can, "--events"},
       .log_file = log("gx")},
      {.name = "air",
       .arguments = {self, "emulate", "air", "--listen", fmt::format("127.0.0.1:{}", house.air_port)},
       .log_file = log("air")},
      box("gateway", house.web_port),
      box("receiver", house.receiver_port)};
  programs[4].is_essential = true;
  std::string soc = "44";
  for (const DemoPack& pack : house.packs) {
    programs.push_back({.name = pack.bms_name,
                        .arguments = {self, "emulate", "modbus-bms", "--pty", pack.bms_link, "--soc", soc,
                                      "--seed", pack.name.substr(pack.name.size() - 1)},
                        .log_file = log(pack.bms_name),
                        .makes_link = pack.bms_link});
    soc = soc == "44" ? "62" : "81";
  }
  programs.push_back(
      {.name = "house",
       .arguments = {self, "emulate", "house", "--mqtt", fmt::format("127.0.0.1:{}", house.mqtt_port),
                     "--packs", std::to_string(kPackCount), "--site", "demo"},
       .log_file = log("house")});
  for (const DemoPack& pack : house.packs) {
    programs.push_back(box(pack.name, pack.web_port));
  }
  return programs;
}

}  // namespace

std::string gateway_configuration(const House& house) {
  return fmt::format(
             "# Written anew by each start of the demo.\n"
             "role = \"bms-gateway\"\n"
             "name = \"Demo battery\"\n"
             "site = \"demo\"\n"
             "\n[bms]\ndriver = \"tinybms\"\nport = {}\npoll_interval_ms = 500\n"
             "\n[battery]\nchemistry = \"lfp\"\nseries_cells = 16\ncapacity_ah = 100\n"
             "charge_current_max_a = 50\ndischarge_current_max_a = 100\n"
             "\n[inverter]\ninterface = {}\n"
             "\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n"
             "\n[web]\nlisten = \"127.0.0.1:{}\"\nroot = {}\nlogin = \"none\"\n"
             "\n[storage]\npath = {}\n",
             quoted(house.bms_link()), quoted(house.can), house.mqtt_port, house.web_port,
             quoted(house.web_root), quoted(house.folder + "/gateway")) +
         radio_configuration(house, kTransmitterMac);
}

std::string receiver_configuration(const House& house) {
  return fmt::format(
             "# Written anew by each start of the demo.\n"
             "role = \"receiver\"\n"
             "name = \"Demo house\"\n"
             "site = \"demo\"\n"
             "\n[web]\nlisten = \"127.0.0.1:{}\"\nroot = {}\nlogin = \"none\"\n"
             "\n[storage]\npath = {}\n",
             house.receiver_port, quoted(house.web_root), quoted(house.folder + "/receiver")) +
         radio_configuration(house, kReceiverMac) + "channel = 6\n";
}

std::string pack_configuration(const House& house, const DemoPack& pack) {
  const std::string number = pack.name.substr(pack.name.size() - 1);
  std::string text = fmt::format(
      "# Written anew by each start of the demo.\n"
      "role = \"pack\"\n"
      "name = \"Pack {}\"\n"
      "site = \"demo\"\n"
      "\n[bms]\ndriver = \"modbus\"\nport = {}\nprofile = \"full\"\n"
      "\n[battery]\nchemistry = \"lfp\"\nseries_cells = 16\ncapacity_ah = 100\n"
      "\n[bus]\ninterface = {}\nmode = \"sealed\"\nkey_file = {}\ngateway = \"{}\"\n"
      "hardware = \"020000000000000{}\"\nhost_clock = \"trusted\"\n",
      number, quoted(pack.bms_link), quoted(house.pack_can), quoted(house.bus_key_file()), kGatewayHardware,
      number);
  text += "\n[inputs]\n";
  for (const char* place : {"grid", "inverter_output", "pool_pump", "water_heater"}) {
    text += fmt::format("{} = \"mqtt:emulated/pack-{}/{}_w\"\n", place, number, place);
  }
  text += "\n[relays]\n";
  for (const char* relay : {"grid", "inverter_output", "pool_pump", "water_heater"}) {
    text += fmt::format("{} = \"virtual\"\n", relay);
  }
  return text + fmt::format(
                    "\n[mqtt]\nhost = \"127.0.0.1\"\nport = {}\n"
                    "\n[web]\nlisten = \"127.0.0.1:{}\"\nroot = {}\nlogin = \"none\"\n"
                    "\n[storage]\npath = {}\n",
                    house.mqtt_port, pack.web_port, quoted(house.web_root),
                    quoted(house.folder + "/" + pack.name));
}

std::string broker_configuration(const House& house) {
  // Started by root, mosquitto would give up its rights and then could not write into our private folder.
  const std::string user = geteuid() == 0 ? "user root\n" : "";
  return fmt::format(
      "# Written anew by each start of the demo.\n"
      "listener {} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/broker/\n{}"
      "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n",
      house.mqtt_port, house.folder, user);
}

std::vector<std::string> program_names() {
  std::vector<std::string> names{"broker", "bms", "gx", "air", "gateway", "receiver"};
  for (int i = 1; i <= kPackCount; ++i) {
    names.push_back(fmt::format("bms_{}", i));
  }
  names.emplace_back("house");
  for (int i = 1; i <= kPackCount; ++i) {
    names.push_back(fmt::format("pack_{}", i));
  }
  return names;
}

House plan_house(const DemoOptions& options) {
  House house;
  const bool is_whole = options.only.empty();
  house.folder = choose_folder(options);
  for (const char* part : {"/broker", "/gateway", "/receiver"}) {
    make_private_folder(house.folder + part);
  }
  house.mqtt_port = choose_tcp_port(options.mqtt_port, kUsualMqttPort, "the broker",
                                    is_whole || options.only == "broker", house);
  house.web_port = choose_tcp_port(options.web_port, kUsualWebPort, "the web page",
                                   is_whole || options.only == "gateway", house);
  const bool is_last_port = house.web_port == 0xFFFF;
  house.receiver_port = choose_tcp_port(
      std::nullopt, static_cast<std::uint16_t>(is_last_port ? kUsualWebPort : house.web_port + 1),
      "the receiver's page", is_whole || options.only == "receiver", house);
  house.can = choose_can(is_whole, kUsualCanPort, "the CAN bus", house);
  house.air_port = choose_air_port(is_whole, house);
  plan_packs(is_whole, options, house);
  find_web_root(house);
  write_file(house.folder + "/gateway.toml", gateway_configuration(house));
  write_file(house.folder + "/receiver.toml", receiver_configuration(house));
  for (const DemoPack& pack : house.packs) {
    write_file(fmt::format("{}/{}.toml", house.folder, pack.name), pack_configuration(house, pack));
  }
  if (is_whole) {
    pair_boxes(house);
    make_bus_key(house);
  }
  write_file(house.folder + "/mosquitto.conf", broker_configuration(house));
  for (Program& program : make_programs(house)) {
    if (is_whole || program.name == options.only) {
      house.programs.push_back(std::move(program));
    }
  }
  return house;
}

}  // namespace amphora::demo
