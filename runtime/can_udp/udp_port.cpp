// SPDX-License-Identifier: Apache-2.0
#include "runtime/can_udp/udp_port.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runtime/can_udp/udp_codec.hpp"

namespace amphora::runtime {

namespace {

constexpr std::size_t kReadBatchMax = 64;  // datagrams per wake, so that a flood cannot starve the loop

struct Sockets {
  int receive_fd = -1;
  int send_fd = -1;
  sockaddr_in own{};  // where our datagrams come from
  SysError error;
};

template <class Option>
bool set_option(int fd, int level, int name, const Option& value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// Both sockets, or the first error with everything closed.
class SocketMaker {
 public:
  SocketMaker(const sockaddr_in& group, const CanOptions& options) : group_{group}, options_{options} {
    interface_.s_addr = htonl(INADDR_LOOPBACK);
    is_address_good_ = ::inet_pton(AF_INET, options.udp_interface_address.c_str(), &interface_) == 1;
  }

  Sockets make() {
    if (!is_address_good_) {
      sockets_.error = SysError{EINVAL, "use interface address " + options_.udp_interface_address,
                                "write the IPv4 address of a local interface, for example 127.0.0.1"};
    } else if (!make_receiver() || !make_sender()) {
      close_all();
    }
    return sockets_;
  }

 private:
  bool fail(const char* operation) {
    sockets_.error = last_sys_error(operation);
    return false;
  }
  void close_all() {
    for (int* fd : {&sockets_.receive_fd, &sockets_.send_fd}) {
      if (*fd >= 0) {
        ::close(*fd);
        *fd = -1;
      }
    }
  }
  bool make_receiver() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockets_.receive_fd = fd;
    if (fd < 0) {
      return fail("make a UDP socket");
    }
    // Other programs of this machine listen on the same group and port.
    if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, int{1}) ||
        !set_option(fd, SOL_SOCKET, SO_REUSEPORT, int{1})) {
      return fail("share the UDP port");
    }
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&group_), sizeof group_) != 0) {
      return fail("bind the UDP group");
    }
    const ip_mreq membership{group_.sin_addr, interface_};
    if (!set_option(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, membership)) {
      return fail("join the UDP group");
    }
    return true;
  }
  bool make_sender() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockets_.send_fd = fd;
    if (fd < 0) {
      return fail("make a UDP socket");
    }
    const auto hops = static_cast<unsigned char>(std::clamp(options_.udp_hop_limit, 0, 255));
    const unsigned char loop = 1;
    if (!set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, hops) ||
        !set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, loop) ||
        !set_option(fd, IPPROTO_IP, IP_MULTICAST_IF, interface_)) {
      return fail("set up UDP multicast");
    }
    // A port of its own on the interface's address: replies to nobody, but tells our datagrams from others'.
    sockets_.own.sin_family = AF_INET;
    sockets_.own.sin_addr = interface_;
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&sockets_.own), sizeof sockets_.own) != 0) {
      return fail("bind the UDP sender");
    }
    socklen_t size = sizeof sockets_.own;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&sockets_.own), &size) != 0) {
      return fail("read the UDP sender's address");
    }
    return true;
  }

  const sockaddr_in group_;
  const CanOptions& options_;
  in_addr interface_{};
  bool is_address_good_ = false;
  Sockets sockets_;
};

// The addresses of this machine, read again at most once a second when an unknown sender shows up.
class LocalAddresses {
 public:
  bool contains(in_addr address, TimePoint now) {
    if ((ntohl(address.s_addr) >> 24U) == 127U) {
      return true;
    }
    if (!is_known(address) && now >= reload_at_) {
      reload_at_ = now + std::chrono::seconds{1};
      reload();
    }
    return is_known(address);
  }

 private:
  bool is_known(in_addr address) const {
    return std::find(addresses_.begin(), addresses_.end(), address.s_addr) != addresses_.end();
  }
  void reload() {
    addresses_.clear();
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
      return;
    }
    for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
      if (at->ifa_addr != nullptr && at->ifa_addr->sa_family == AF_INET) {
        addresses_.push_back(reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr.s_addr);
      }
    }
    ::freeifaddrs(list);
  }
  std::vector<in_addr_t> addresses_;
  TimePoint reload_at_{};
};

class UdpPort final : public CanPort, public std::enable_shared_from_this<UdpPort> {
 public:
  UdpPort(Loop& loop, const CanSpec& spec, CanOptions options, CanHandlers handlers)
      : loop_{loop},
        name_{"udp://" + spec.name + ":" + std::to_string(spec.port)},
        options_{std::move(options)},
        handlers_{std::move(handlers)},
        retry_after_{options_.retry_after_min},
        timer_{loop} {
    group_.sin_family = AF_INET;
    group_.sin_port = htons(spec.port);
    (void)::inet_pton(AF_INET, spec.name.c_str(), &group_.sin_addr);
  }
  ~UdpPort() override { close(); }

  void open() {
    const Sockets made = SocketMaker{group_, options_}.make();
    if (made.receive_fd < 0) {
      error_ = made.error;
      try_later();
      return;
    }
    sockets_ = made;
    error_.reset();
    retry_after_ = options_.retry_after_min;
    watch_ = std::make_unique<FdWatch>(loop_, sockets_.receive_fd);
    watch_->on_readable([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->read();
      }
    });
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->report();
      }
    });
  }

  bool send(const can::Frame& frame) override {
    if (sockets_.send_fd < 0) {
      ++counters_.dropped;
      return false;
    }
    std::array<std::uint8_t, kUdpDatagramSizeMax> buffer;
    const MutableByteSpan datagram = encode_udp_frame(frame, wall_now(), buffer);
    const ssize_t sent = ::sendto(sockets_.send_fd, datagram.data(), datagram.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&group_), sizeof group_);
    if (sent == static_cast<ssize_t>(datagram.size())) {
      ++counters_.frames_sent;
      return true;
    }
    ++counters_.dropped;
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
      ++counters_.errors;
      lose(last_sys_error("send on " + name_));
    }
    return false;
  }
  can::BusState state() const override {
    return sockets_.send_fd >= 0 ? can::BusState::kActive : can::BusState::kDown;
  }
  const CanCounters& counters() const override { return counters_; }
  std::optional<SysError> last_error() const override { return error_; }
  const std::string& name() const override { return name_; }

 private:
  void read() {
    for (std::size_t i = 0; i < kReadBatchMax && sockets_.receive_fd >= 0; ++i) {
      std::array<std::uint8_t, 2048> buffer;
      sockaddr_in from{};
      socklen_t from_size = sizeof from;
      const ssize_t size = ::recvfrom(sockets_.receive_fd, buffer.data(), buffer.size(), 0,
                                      reinterpret_cast<sockaddr*>(&from), &from_size);
      if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) {
          ++counters_.errors;
          lose(last_sys_error("receive on " + name_));
        }
        return;
      }
      if (from.sin_port == sockets_.own.sin_port && from.sin_addr.s_addr == sockets_.own.sin_addr.s_addr) {
        continue;
      }
      // A bus that does not leave this machine takes nothing from others either.
      if (options_.udp_hop_limit == 0 && !local_.contains(from.sin_addr, loop_.now())) {
        ++counters_.malformed;
        continue;
      }
      const auto frame = decode_udp_frame(ByteSpan{buffer}.first(static_cast<std::size_t>(size)));
      if (frame) {
        deliver(*frame);
      } else {
        ++counters_.malformed;
      }
    }
  }

  void deliver(const can::Frame& frame) {
    const auto& filters = options_.filters;
    if (!filters.empty() && std::none_of(filters.begin(), filters.end(),
                                         [&](const CanFilter& filter) { return filter.passes(frame); })) {
      return;
    }
    ++counters_.frames_received;
    if (handlers_.on_frame) {
      handlers_.on_frame(frame);
    }
  }

  void lose(SysError error) {
    error_ = std::move(error);
    ++counters_.restarts;
    close();
    try_later();
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->report();
      }
    });
  }
  void report() {
    const can::BusState now = state();
    if (now != reported_ && handlers_.on_state) {
      reported_ = now;
      handlers_.on_state(now);
    }
  }
  void try_later() {
    timer_.arm(loop_.now() + retry_after_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->open();
      }
    });
    retry_after_ = std::min(retry_after_ * 2, options_.retry_after_max);
  }
  void close() {
    watch_.reset();
    for (int* fd : {&sockets_.receive_fd, &sockets_.send_fd}) {
      if (*fd >= 0) {
        ::close(*fd);
        *fd = -1;
      }
    }
  }

  Loop& loop_;
  const std::string name_;
  const CanOptions options_;
  const CanHandlers handlers_;
  Duration retry_after_;
  Timer timer_;
  sockaddr_in group_{};
  Sockets sockets_;
  LocalAddresses local_;
  std::unique_ptr<FdWatch> watch_;
  can::BusState reported_ = can::BusState::kDown;
  std::optional<SysError> error_;
  CanCounters counters_;
};

}  // namespace

std::shared_ptr<CanPort> make_udp_can_port(Loop& loop, const CanSpec& spec, CanOptions options,
                                           CanHandlers handlers) {
  auto port = std::make_shared<UdpPort>(loop, spec, std::move(options), std::move(handlers));
  port->open();
  return port;
}

}  // namespace amphora::runtime
