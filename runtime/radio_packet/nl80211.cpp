// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_packet/nl80211.hpp"

#include <linux/nl80211.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace amphora::runtime::nl80211 {

namespace {

constexpr int kFrequencyAttributes = NL80211_FREQUENCY_ATTR_MAX + 1;
constexpr int kBandAttributes = NL80211_BAND_ATTR_MAX + 1;

using Attributes = std::array<nlattr*, NL80211_ATTR_MAX + 1>;

Attributes attributes_of(nl_msg* message) {
  Attributes out{};
  auto* header = static_cast<genlmsghdr*>(nlmsg_data(nlmsg_hdr(message)));
  (void)nla_parse(out.data(), NL80211_ATTR_MAX, genlmsg_attrdata(header, 0), genlmsg_attrlen(header, 0),
                  nullptr);
  return out;
}

// Calls `visit` for each attribute within `parent`.
template <class Visit>
void for_each(const nlattr* parent, Visit visit) {
  auto* at = static_cast<nlattr*>(nla_data(parent));
  int remaining = nla_len(parent);
  while (nla_ok(at, remaining) != 0) {
    visit(at);
    at = nla_next(at, &remaining);
  }
}

int take_interface(nl_msg* message, void* context) {
  const Attributes attributes = attributes_of(message);
  Interface interface;
  if (attributes[NL80211_ATTR_IFINDEX] == nullptr || attributes[NL80211_ATTR_IFNAME] == nullptr) {
    return NL_SKIP;
  }
  interface.index = static_cast<int>(nla_get_u32(attributes[NL80211_ATTR_IFINDEX]));
  interface.name = nla_get_string(attributes[NL80211_ATTR_IFNAME]);
  if (const nlattr* at = attributes[NL80211_ATTR_WIPHY]) {
    interface.wiphy = nla_get_u32(at);
  }
  if (const nlattr* at = attributes[NL80211_ATTR_IFTYPE]) {
    interface.type = nla_get_u32(at);
  }
  if (const nlattr* at = attributes[NL80211_ATTR_MAC]; at != nullptr && nla_len(at) == int{kNodeIdSize}) {
    interface.mac = to_node_id({static_cast<const std::uint8_t*>(nla_data(at)), kNodeIdSize});
  }
  if (const nlattr* at = attributes[NL80211_ATTR_WIPHY_FREQ]) {
    interface.frequency_mhz = nla_get_u32(at);
  }
  static_cast<std::vector<Interface>*>(context)->push_back(std::move(interface));
  return NL_OK;
}

void take_frequency(nlattr* entry, Wiphy& wiphy) {
  std::array<nlattr*, kFrequencyAttributes> attributes{};
  (void)nla_parse(attributes.data(), NL80211_FREQUENCY_ATTR_MAX, static_cast<nlattr*>(nla_data(entry)),
                  nla_len(entry), nullptr);
  if (attributes[NL80211_FREQUENCY_ATTR_FREQ] == nullptr) {
    return;
  }
  wiphy.frequencies.push_back({nla_get_u32(attributes[NL80211_FREQUENCY_ATTR_FREQ]),
                               attributes[NL80211_FREQUENCY_ATTR_DISABLED] != nullptr,
                               attributes[NL80211_FREQUENCY_ATTR_NO_IR] != nullptr});
}

// A phy is told in many messages, each with a part.
int take_wiphy(nl_msg* message, void* context) {
  auto& wiphy = *static_cast<Wiphy*>(context);
  const Attributes attributes = attributes_of(message);
  if (const nlattr* features = attributes[NL80211_ATTR_FEATURE_FLAGS]) {
    wiphy.has_active_monitor = (nla_get_u32(features) & NL80211_FEATURE_ACTIVE_MONITOR) != 0;
  }
  if (const nlattr* types = attributes[NL80211_ATTR_SUPPORTED_IFTYPES]) {
    for_each(types, [&](const nlattr* type) {
      wiphy.has_monitor = wiphy.has_monitor || nla_type(type) == NL80211_IFTYPE_MONITOR;
    });
  }
  if (const nlattr* bands = attributes[NL80211_ATTR_WIPHY_BANDS]) {
    for_each(bands, [&](nlattr* band) {
      std::array<nlattr*, kBandAttributes> parts{};
      (void)nla_parse(parts.data(), NL80211_BAND_ATTR_MAX, static_cast<nlattr*>(nla_data(band)),
                      nla_len(band), nullptr);
      if (parts[NL80211_BAND_ATTR_FREQS] != nullptr) {
        for_each(parts[NL80211_BAND_ATTR_FREQS], [&](nlattr* entry) { take_frequency(entry, wiphy); });
      }
    });
  }
  return NL_OK;
}

int take_country(nl_msg* message, void* context) {
  const Attributes attributes = attributes_of(message);
  if (const nlattr* at = attributes[NL80211_ATTR_REG_ALPHA2]; at != nullptr && nla_len(at) >= 2) {
    const auto* letters = static_cast<const char*>(nla_data(at));
    static_cast<std::string*>(context)->assign(letters, 2);
  }
  return NL_OK;
}

// What became of an exchange: 1 while it goes on, 0 done, negative errno.
int note_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  *static_cast<int*>(context) = error->error;
  return NL_STOP;
}
int note_end(nl_msg*, void* context) {
  *static_cast<int*>(context) = 0;
  return NL_SKIP;
}
int note_ack(nl_msg*, void* context) {
  *static_cast<int*>(context) = 0;
  return NL_STOP;
}
int ignore_message(nl_msg*, void*) {
  return NL_OK;
}

std::string advice_for(int code) {
  switch (code) {
    case EPERM:
    case EACCES:
      return "the program needs CAP_NET_ADMIN; run it as root or give its service that capability";
    case EBUSY:
      return "another interface of the same adapter is in use; take it down, or tell NetworkManager to leave "
             "the "
             "adapter alone";
    case ENODEV:
      return "there is no such Wi-Fi interface; iw dev shows those that exist";
    case EOPNOTSUPP:
      return "the driver cannot do this";
    default:
      return {};
  }
}

SysError to_error(int code, std::string operation) {
  return SysError{code, std::move(operation), advice_for(code)};
}

}  // namespace

struct Client::Request {
  Request(const Client& client, nl80211_commands command, std::string what, int flags = 0)
      : operation{std::move(what)}, message{nlmsg_alloc()} {
    (void)genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, client.family_, 0, flags,
                      static_cast<std::uint8_t>(command), 0);
  }
  ~Request() { nlmsg_free(message); }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  void number(int attribute, std::uint32_t value) { (void)nla_put_u32(message, attribute, value); }
  void text(int attribute, const std::string& value) {
    (void)nla_put_string(message, attribute, value.c_str());
  }
  void flag(int attribute) { (void)nla_put_flag(message, attribute); }
  void monitor_flag(int flag) {
    nlattr* nest = nla_nest_start(message, NL80211_ATTR_MNTR_FLAGS);
    (void)nla_put_flag(message, flag);
    (void)nla_nest_end(message, nest);
  }

  std::string operation;
  nl_msg* message;
};

Client::Client() = default;

Client::~Client() {
  if (socket_ != nullptr) {
    nl_socket_free(socket_);
  }
}

std::optional<SysError> Client::connect() {
  if (family_ >= 0) {
    return std::nullopt;
  }
  if (socket_ == nullptr) {
    socket_ = nl_socket_alloc();
  }
  if (const int code = genl_connect(socket_); code != 0) {
    nl_socket_free(socket_);
    socket_ = nullptr;
    return SysError{0, std::string{"open generic netlink: "} + nl_geterror(code), {}};
  }
  family_ = genl_ctrl_resolve(socket_, NL80211_GENL_NAME);
  if (family_ < 0) {
    nl_socket_free(socket_);
    socket_ = nullptr;
    return SysError{0, "this kernel has no Wi-Fi (nl80211)",
                    "plug in the adapter, or load its driver; the air process needs none"};
  }
  return std::nullopt;
}

std::optional<SysError> Client::exchange(Request& request, int (*on_message)(nl_msg*, void*), void* context) {
  int outcome = 1;
  nl_cb* callbacks = nl_cb_alloc(NL_CB_DEFAULT);
  (void)nl_cb_err(callbacks, NL_CB_CUSTOM, note_error, &outcome);
  (void)nl_cb_set(callbacks, NL_CB_FINISH, NL_CB_CUSTOM, note_end, &outcome);
  (void)nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, note_ack, &outcome);
  (void)nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_message, context);
  if (nl_send_auto(socket_, request.message) < 0) {
    outcome = -EIO;
  }
  while (outcome > 0) {
    if (nl_recvmsgs(socket_, callbacks) < 0 && outcome > 0) {
      outcome = -EIO;
    }
  }
  nl_cb_put(callbacks);
  if (outcome < 0) {
    return to_error(-outcome, request.operation);
  }
  return std::nullopt;
}

Result<Interface, SysError> Client::interface_of(const std::string& name) {
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) {
    return SysError{ENODEV, "use " + name, "there is no such interface; iw dev shows those that exist"};
  }
  Request request{*this, NL80211_CMD_GET_INTERFACE, "look at " + name};
  request.number(NL80211_ATTR_IFINDEX, index);
  std::vector<Interface> found;
  if (auto error = exchange(request, take_interface, &found)) {
    if (error->code == ENODEV || error->code == EOPNOTSUPP || error->code == EINVAL) {
      return SysError{0, name + " is not a Wi-Fi interface", "iw dev shows those that exist"};
    }
    return *error;
  }
  if (found.empty()) {
    return SysError{0, name + " is not a Wi-Fi interface", "iw dev shows those that exist"};
  }
  return found.front();
}

Result<std::vector<Interface>, SysError> Client::interfaces() {
  Request request{*this, NL80211_CMD_GET_INTERFACE, "list the Wi-Fi interfaces", NLM_F_DUMP};
  std::vector<Interface> found;
  if (auto error = exchange(request, take_interface, &found)) {
    return *error;
  }
  return found;
}

Result<Wiphy, SysError> Client::wiphy(std::uint32_t number) {
  Request request{*this, NL80211_CMD_GET_WIPHY, "ask for the abilities of phy" + std::to_string(number),
                  NLM_F_DUMP};
  request.number(NL80211_ATTR_WIPHY, number);
  request.flag(NL80211_ATTR_SPLIT_WIPHY_DUMP);
  Wiphy wiphy;
  if (auto error = exchange(request, take_wiphy, &wiphy)) {
    return *error;
  }
  return wiphy;
}

Result<std::string, SysError> Client::country(std::uint32_t wiphy) {
  Request request{*this, NL80211_CMD_GET_REG, "ask for the regulatory domain"};
  request.number(NL80211_ATTR_WIPHY, wiphy);
  std::string country;
  if (auto error = exchange(request, take_country, &country)) {
    return *error;
  }
  return country;
}

std::optional<SysError> Client::request_country(const std::string& country) {
  Request request{*this, NL80211_CMD_REQ_SET_REG, "set the regulatory domain " + country};
  request.text(NL80211_ATTR_REG_ALPHA2, country);
  return exchange(request, ignore_message, nullptr);
}

std::optional<SysError> Client::set_monitor(const Interface& interface) {
  Request request{*this, NL80211_CMD_SET_INTERFACE, "switch " + interface.name + " to monitor mode"};
  request.number(NL80211_ATTR_IFINDEX, static_cast<std::uint32_t>(interface.index));
  request.number(NL80211_ATTR_IFTYPE, NL80211_IFTYPE_MONITOR);
  request.monitor_flag(NL80211_MNTR_FLAG_OTHER_BSS);
  return exchange(request, ignore_message, nullptr);
}

std::optional<SysError> Client::add_active_monitor(std::uint32_t wiphy, const std::string& name) {
  Request request{*this, NL80211_CMD_NEW_INTERFACE, "add the active monitor " + name};
  request.number(NL80211_ATTR_WIPHY, wiphy);
  request.text(NL80211_ATTR_IFNAME, name);
  request.number(NL80211_ATTR_IFTYPE, NL80211_IFTYPE_MONITOR);
  request.monitor_flag(NL80211_MNTR_FLAG_ACTIVE);
  return exchange(request, ignore_message, nullptr);
}

std::optional<SysError> Client::remove_interface(int index) {
  Request request{*this, NL80211_CMD_DEL_INTERFACE, "remove interface " + std::to_string(index)};
  request.number(NL80211_ATTR_IFINDEX, static_cast<std::uint32_t>(index));
  return exchange(request, ignore_message, nullptr);
}

std::optional<SysError> Client::set_frequency(int index, std::uint32_t mhz) {
  Request request{*this, NL80211_CMD_SET_WIPHY, "tune to " + std::to_string(mhz) + " MHz"};
  request.number(NL80211_ATTR_IFINDEX, static_cast<std::uint32_t>(index));
  request.number(NL80211_ATTR_WIPHY_FREQ, mhz);
  request.number(NL80211_ATTR_CHANNEL_WIDTH, NL80211_CHAN_WIDTH_20_NOHT);
  request.number(NL80211_ATTR_CENTER_FREQ1, mhz);
  return exchange(request, ignore_message, nullptr);
}

}  // namespace amphora::runtime::nl80211
