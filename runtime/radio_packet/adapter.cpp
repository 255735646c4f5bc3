// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_packet/adapter.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/nl80211.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "core/link/espnow.hpp"

namespace amphora::runtime {

namespace {

constexpr int kMtu = 2304;  // the longest 802.11 frame body, so that version 2 frames fit
// The kernel takes over a regulatory domain on a thread of its own.
constexpr int kCountryReads = 20;
constexpr auto kCountryPause = std::chrono::milliseconds{50};

std::string advice_for(int code, const std::string& interface) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "the program needs CAP_NET_ADMIN; run it as root or give its service that capability";
    case ENODEV:
      return "there is no such interface; iw dev shows those that exist";
    case ERFKILL:
      return "the radio is switched off: rfkill unblock wifi";
    case ENAMETOOLONG:
      return "shorten the name of " + interface;
    default:
      return {};
  }
}

// ioctl on the interface named in `request`.
class LinkSocket {
 public:
  explicit LinkSocket(const std::string& interface)
      : interface_{interface}, fd_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {}
  ~LinkSocket() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  LinkSocket(const LinkSocket&) = delete;
  LinkSocket& operator=(const LinkSocket&) = delete;

  std::optional<SysError> set_up(bool is_up) {
    ifreq request = named();
    if (::ioctl(fd_, SIOCGIFFLAGS, &request) != 0) {
      return error("look at " + interface_);
    }
    const auto before = request.ifr_flags;
    request.ifr_flags = static_cast<short>(is_up ? before | IFF_UP : before & ~IFF_UP);
    if (request.ifr_flags != before && ::ioctl(fd_, SIOCSIFFLAGS, &request) != 0) {
      return error((is_up ? "bring up " : "take down ") + interface_);
    }
    return std::nullopt;
  }
  // Up and with a carrier: part of a network.
  bool is_connected() {
    ifreq request = named();
    return ::ioctl(fd_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0 &&
           (request.ifr_flags & IFF_RUNNING) != 0;
  }
  void set_mtu() {
    ifreq request = named();
    request.ifr_mtu = kMtu;
    // Frames of 250 bytes fit without it.
    (void)::ioctl(fd_, SIOCSIFMTU, &request);
  }
  std::optional<SysError> set_mac(NodeId mac) {
    ifreq request = named();
    if (::ioctl(fd_, SIOCGIFHWADDR, &request) != 0) {
      return error("look at " + interface_);
    }
    const auto bytes = to_bytes(mac);
    std::memcpy(request.ifr_hwaddr.sa_data, bytes.data(), bytes.size());
    if (::ioctl(fd_, SIOCSIFHWADDR, &request) != 0) {
      return error("give " + interface_ + " its address");
    }
    return std::nullopt;
  }

 private:
  ifreq named() const {
    ifreq request{};
    std::strncpy(request.ifr_name, interface_.c_str(), IFNAMSIZ - 1);
    return request;
  }
  SysError error(std::string operation) const {
    return last_sys_error(std::move(operation), advice_for(errno, interface_));
  }

  const std::string interface_;
  int fd_;
};

std::string driver_of(const std::string& interface) {
  std::error_code error;
  const auto target = std::filesystem::read_symlink("/sys/class/net/" + interface + "/device/driver", error);
  return error ? std::string{} : target.filename().string();
}

// Passes action frames of ESP-NOW: after the radiotap header (its length is a little-endian word at 2) the
// first byte is D0, and 24 bytes on stand category and OUI.
bool set_filter(int fd) {
  std::array<sock_filter, 12> code{{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 3),
      BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 8),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 2),
      BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xD0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, espnow::kMacHeaderSize),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x7F18FE34, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xFFFF),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

Result<int, SysError> open_packet_socket(const nl80211::Interface& interface) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return last_sys_error(
        "open a packet socket",
        errno == EPERM || errno == EACCES
            ? "the program needs CAP_NET_RAW; run it as root or give its service that capability"
            : std::string{});
  }
  const auto fail = [fd](const std::string& operation) {
    SysError error = last_sys_error(operation);
    ::close(fd);
    return error;
  };
  // Our own copies would look like acknowledged send statuses; only what the radio says of them is wanted.
  const int on = 1;
  if (!set_filter(fd) || ::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) {
    return fail("set up the packet socket");
  }
  (void)::setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interface.index;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail("bind to " + interface.name);
  }
  return fd;
}

}  // namespace

Result<WifiAdapter::Opened, SysError> WifiAdapter::open(std::uint8_t channel, const std::string& country) {
  if (auto error = client_.connect()) {
    return *error;
  }
  const auto self = client_.interface_of(interface_);
  if (!self) {
    return self.error();
  }
  self_ = *self;
  Opened opened;
  opened.driver = driver_of(interface_);
  const auto abilities = client_.wiphy(self_.wiphy);
  if (!abilities) {
    return abilities.error();
  }
  if (!country.empty()) {
    if (auto error = set_country(country)) {
      return *error;
    }
  }
  if (const auto now = client_.country(self_.wiphy)) {
    opened.country = *now;
  }
  if (!abilities->has_monitor) {
    return SysError{EOPNOTSUPP, "switch " + interface_ + " to monitor mode",
                    "the driver " + opened.driver + " has no monitor mode; use another adapter"};
  }
  if (auto error = make_monitor()) {
    return *error;
  }
  if (auto error = tune(channel)) {
    return *error;
  }
  if (!abilities->has_active_monitor) {
    opened.warning =
        "the driver " + opened.driver +
        " has no active monitor: what peers send us stays without an ack; mt76 and ath9k adapters have one";
  } else if (const auto error = add_companion()) {
    opened.warning = "no active monitor, so what peers send us stays without an ack: " + error->text();
  } else {
    opened.answers_acks = true;
  }
  const auto fd = open_packet_socket(self_);
  if (!fd) {
    close();
    return fd.error();
  }
  opened.fd = *fd;
  opened.mac = self_.mac;
  return opened;
}

std::optional<SysError> WifiAdapter::set_country(const std::string& country) {
  const auto before = client_.country(self_.wiphy);
  if (before && *before == country) {
    return std::nullopt;
  }
  if (auto error = client_.request_country(country)) {
    return error;
  }
  // Without a database, or with an unknown country, the kernel says yes and changes nothing.
  for (int i = 0; i < kCountryReads; ++i) {
    const auto now = client_.country(self_.wiphy);
    if (now && *now == country) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(kCountryPause);
  }
  return SysError{0, "set the regulatory domain " + country + ": the kernel did not take it over",
                  "install the package wireless-regdb; the code is that of a country in capital letters"};
}

std::optional<SysError> WifiAdapter::make_monitor() {
  LinkSocket link{interface_};
  if (self_.type != NL80211_IFTYPE_MONITOR) {
    if (link.is_connected()) {
      return SysError{EBUSY, "switch " + interface_ + " to monitor mode",
                      "it is part of a network; disconnect it, or use an adapter that is only for this"};
    }
    if (auto error = link.set_up(false)) {
      return error;
    }
    if (auto error = client_.set_monitor(self_)) {
      return error;
    }
  }
  link.set_mtu();
  return link.set_up(true);
}

std::optional<SysError> WifiAdapter::tune(std::uint8_t channel) {
  const std::uint32_t mhz = espnow::channel_frequency_mhz(channel);
  const std::string what = "set channel " + std::to_string(channel) + " of " + interface_;
  // Asked each time: a country that another program sets takes effect at once.
  const auto abilities = client_.wiphy(self_.wiphy);
  if (!abilities) {
    return abilities.error();
  }
  const auto& list = abilities->frequencies;
  const auto found =
      std::find_if(list.begin(), list.end(), [mhz](const auto& entry) { return entry.mhz == mhz; });
  if (found == list.end()) {
    return SysError{0, what + ": the adapter has no such channel", {}};
  }
  if (found->is_disabled || found->is_listen_only) {
    const auto country = client_.country(self_.wiphy);
    const bool is_world = country && *country == "00";
    std::string advice =
        is_world ? "00 is the world domain, which knows too little to allow it; set the country of this "
                   "place: iw reg set DE (needs the package wireless-regdb)"
                 : "use another channel";
    return SysError{0,
                    what + ": the regulatory domain " + (country ? *country : std::string{"?"}) +
                        (found->is_disabled ? " forbids it" : " only allows to listen there"),
                    std::move(advice)};
  }
  if (auto error = client_.set_frequency(self_.index, mhz)) {
    error->operation = what;
    return error;
  }
  const auto now = client_.interface_of(interface_);
  if (!now) {
    return now.error();
  }
  if (now->frequency_mhz != mhz) {
    return SysError{0, what + ": the radio stands on " + std::to_string(now->frequency_mhz) + " MHz", {}};
  }
  return std::nullopt;
}

std::optional<SysError> WifiAdapter::add_companion() {
  companion_ = "amon" + std::to_string(self_.wiphy);
  remove_companion();  // of a run that ended without cleaning up
  companion_ = "amon" + std::to_string(self_.wiphy);
  if (auto error = client_.add_active_monitor(self_.wiphy, companion_)) {
    companion_.clear();
    return error;
  }
  LinkSocket link{companion_};
  auto error = link.set_mac(self_.mac);
  if (!error) {
    error = link.set_up(true);
  }
  if (error) {
    remove_companion();
  }
  return error;
}

void WifiAdapter::remove_companion() {
  if (const unsigned index = companion_.empty() ? 0 : ::if_nametoindex(companion_.c_str()); index != 0) {
    (void)client_.remove_interface(static_cast<int>(index));
  }
  companion_.clear();
}

void WifiAdapter::close() {
  remove_companion();
}

}  // namespace amphora::runtime
