// SPDX-License-Identifier: Apache-2.0
#include "runtime/can_socketcan/socketcan_port.hpp"

#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>

namespace amphora::runtime {

namespace {

constexpr std::size_t kReadBatchMax = 64;
// A frame that could not leave for this long is not sent any more: whoever asked has a newer one.
constexpr Duration kFrameAgeMax = std::chrono::milliseconds{100};
constexpr Duration kBusyRetry = std::chrono::milliseconds{2};  // after ENOBUFS: about 8 frames at 500 kbit/s
// Bus-off without the kernel's automatic restart: the interface is looked at this often.
constexpr Duration kBusOffCheck = std::chrono::seconds{1};

std::string advice_for(int code, const std::string& interface) {
  switch (code) {
    case ENODEV:
    case ENXIO:
      return "there is no such interface; ip link shows those that exist";
    case ENETDOWN:
      return "bring it up: ip link set " + interface + " up type can bitrate 500000 restart-ms 100";
    case EAFNOSUPPORT:
      return "this kernel has no SocketCAN; load the module can_raw, or use udp:// or virtual:";
    case EPERM:
    case EACCES:
      return "the program may not open CAN sockets";
    default:
      return {};
  }
}

can_frame to_kernel(const can::Frame& frame) {
  can_frame out{};
  out.can_id = frame.id;
  if (frame.is_extended) {
    out.can_id |= CAN_EFF_FLAG;
  }
  if (frame.is_remote) {
    out.can_id |= CAN_RTR_FLAG;
  }
  out.can_dlc = frame.size;
  std::copy(frame.data.begin(), frame.data.end(), out.data);
  return out;
}

can::Frame from_kernel(const can_frame& frame) {
  can::Frame out;
  out.is_extended = (frame.can_id & CAN_EFF_FLAG) != 0;
  out.is_remote = (frame.can_id & CAN_RTR_FLAG) != 0;
  out.id = frame.can_id & (out.is_extended ? CAN_EFF_MASK : CAN_SFF_MASK);
  out.size = static_cast<std::uint8_t>(std::min<std::size_t>(frame.can_dlc, can::kDataSizeMax));
  std::copy_n(frame.data, out.size, out.data.begin());
  return out;
}

bool set_filters(int fd, const std::vector<CanFilter>& filters) {
  const can_err_mask_t errors = CAN_ERR_MASK;
  if (::setsockopt(fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors, sizeof errors) != 0) {
    return false;
  }
  if (filters.empty()) {
    return true;  // the kernel's default passes every frame
  }
  std::vector<can_filter> list;
  for (const CanFilter& filter : filters) {
    const canid_t kind = filter.is_extended ? CAN_EFF_FLAG : 0U;
    list.push_back({filter.id | kind, filter.mask | CAN_EFF_FLAG});
  }
  return ::setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, list.data(),
                      static_cast<socklen_t>(list.size() * sizeof list[0])) == 0;
}

OpenedFd open_socket(const std::string& interface, const CanOptions& options) {
  const int fd = ::socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_RAW);
  if (fd < 0) {
    return not_opened(fd, last_sys_error("open a CAN socket", advice_for(errno, interface)));
  }
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  if (::ioctl(fd, SIOCGIFINDEX, &request) != 0) {
    return not_opened(fd,
                      last_sys_error("find the CAN interface " + interface, advice_for(ENODEV, interface)));
  }
  const int index = request.ifr_ifindex;
  if (::ioctl(fd, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0) {
    return not_opened(fd, SysError{ENETDOWN, "use " + interface, advice_for(ENETDOWN, interface)});
  }
  if (!set_filters(fd, options.filters)) {
    return not_opened(fd, last_sys_error("set the filters of " + interface));
  }
  sockaddr_can address{};
  address.can_family = AF_CAN;
  address.can_ifindex = index;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return not_opened(fd, last_sys_error("bind to " + interface, advice_for(errno, interface)));
  }
  // The least the kernel allows, about five frames: on a bus where nobody acknowledges, frames wait in the
  // kernel, and the first device that appears would hear all of them, however old.
  const int least = 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
  // The kernel tells with each message how many it had to drop on this socket.
  const int on = 1;
  (void)::setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  return OpenedFd{fd, {}};
}

class SocketCanPort final : public CanPort, public std::enable_shared_from_this<SocketCanPort> {
 public:
  SocketCanPort(Loop& loop, std::string interface, CanOptions options, CanHandlers handlers)
      : loop_{loop},
        interface_{std::move(interface)},
        options_{std::move(options)},
        handlers_{std::move(handlers)},
        retry_after_{options_.retry_after_min},
        retry_timer_{loop},
        busy_timer_{loop},
        bus_off_timer_{loop} {}
  ~SocketCanPort() override { close(); }

  void open() {
    OpenedFd opened = open_socket(interface_, options_);
    if (opened.fd < 0) {
      error_ = std::move(opened.error);
      retry_timer_.arm(loop_.now() + retry_after_, guarded(&SocketCanPort::open));
      retry_after_ = std::min(retry_after_ * 2, options_.retry_after_max);
      return;
    }
    fd_ = opened.fd;
    error_.reset();
    retry_after_ = options_.retry_after_min;
    watch_ = std::make_unique<FdWatch>(loop_, fd_);
    watch_->on_readable(guarded(&SocketCanPort::read));
    set_state(can::BusState::kActive);
  }

  bool send(const can::Frame& frame) override {
    drop_stale();
    if (fd_ < 0 || state_ == can::BusState::kBusOff || output_.size() >= options_.tx_capacity) {
      ++counters_.dropped;
      return false;
    }
    output_.push_back({frame, loop_.now()});
    if (output_.size() == 1) {
      flush();
    }
    return fd_ >= 0;
  }
  can::BusState state() const override { return state_; }
  const CanCounters& counters() const override { return counters_; }
  std::optional<SysError> last_error() const override { return error_; }
  const std::string& name() const override { return interface_; }

 private:
  Loop::Task guarded(void (SocketCanPort::*function)()) {
    return [weak = weak_from_this(), function] {
      if (const auto self = weak.lock()) {
        (self.get()->*function)();
      }
    };
  }

  void drop_stale() {
    const TimePoint oldest = loop_.now() - kFrameAgeMax;
    while (!output_.empty() && output_.front().at < oldest) {
      output_.pop_front();
      ++counters_.dropped;
    }
  }

  void flush() {
    drop_stale();
    while (fd_ >= 0 && !output_.empty()) {
      const can_frame frame = to_kernel(output_.front().frame);
      if (::write(fd_, &frame, sizeof frame) == static_cast<ssize_t>(sizeof frame)) {
        ++counters_.frames_sent;
        output_.pop_front();
        continue;
      }
      if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
        busy_timer_.arm(loop_.now() + kBusyRetry, guarded(&SocketCanPort::flush));
        return;
      }
      ++counters_.errors;
      lose(last_sys_error("send on " + interface_, advice_for(errno, interface_)));
    }
  }

  void read() {
    for (std::size_t i = 0; i < kReadBatchMax && fd_ >= 0; ++i) {
      can_frame frame{};
      iovec part{&frame, sizeof frame};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t size = ::recvmsg(fd_, &message, 0);
      if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) {
          ++counters_.errors;
          lose(last_sys_error("receive on " + interface_, advice_for(errno, interface_)));
        }
        return;
      }
      note_overflow(message);
      if (size == static_cast<ssize_t>(sizeof frame)) {
        handle(frame);
      } else {
        ++counters_.malformed;
      }
    }
  }

  void note_overflow(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
        std::uint32_t total = 0;
        std::memcpy(&total, CMSG_DATA(part), sizeof total);
        counters_.receive_overflows += total - overflow_total_;
        overflow_total_ = total;
      }
    }
  }

  void handle(const can_frame& frame) {
    if ((frame.can_id & CAN_ERR_FLAG) != 0) {
      ++counters_.errors;
      if ((frame.can_id & CAN_ERR_CNT) != 0) {
        counters_.transmit_error_level = frame.data[6];
        counters_.receive_error_level = frame.data[7];
      }
      if (const auto state = bus_state_of_error_frame(frame.can_id & CAN_ERR_MASK, frame.data)) {
        change(*state);
      }
      return;
    }
    ++counters_.frames_received;
    if (state_ == can::BusState::kBusOff) {
      change(can::BusState::kActive);
    }
    if (handlers_.on_frame) {
      handlers_.on_frame(from_kernel(frame));
    }
  }

  void change(can::BusState to) {
    if (to == can::BusState::kBusOff && state_ != to) {
      ++counters_.bus_off;
      counters_.dropped += output_.size();
      output_.clear();
      busy_timer_.cancel();
      error_ = SysError{0, interface_ + " is bus-off",
                        "check wiring, termination and bit rate; ip link set " + interface_ +
                            " type can restart-ms 100 makes the kernel try again by itself"};
      bus_off_timer_.arm(loop_.now() + kBusOffCheck, guarded(&SocketCanPort::check_bus_off));
    } else if (to != can::BusState::kBusOff) {
      error_.reset();
      bus_off_timer_.cancel();
    }
    set_state(to);
  }

  // A driver that restarts without saying so would leave us silent for ever: the interface is opened afresh,
  // and a controller that is still off says so again at the first frame.
  void check_bus_off() {
    if (state_ == can::BusState::kBusOff) {
      lose(SysError{0, interface_ + " is bus-off", "check wiring, termination and bit rate"});
    }
  }

  void lose(SysError error) {
    ++counters_.restarts;
    counters_.dropped += output_.size();
    close();
    error_ = std::move(error);
    retry_timer_.arm(loop_.now() + retry_after_, guarded(&SocketCanPort::open));
    retry_after_ = std::min(retry_after_ * 2, options_.retry_after_max);
    set_state(can::BusState::kDown);
  }

  // Handlers run later, never inside send().
  void set_state(can::BusState to) {
    if (to != state_) {
      state_ = to;
      loop_.post([weak = weak_from_this(), to] {
        if (const auto self = weak.lock(); self && self->handlers_.on_state) {
          self->handlers_.on_state(to);
        }
      });
    }
  }

  void close() {
    watch_.reset();
    busy_timer_.cancel();
    bus_off_timer_.cancel();
    output_.clear();
    overflow_total_ = 0;
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

  Loop& loop_;
  const std::string interface_;
  const CanOptions options_;
  const CanHandlers handlers_;
  Duration retry_after_;
  Timer retry_timer_;
  Timer busy_timer_;
  Timer bus_off_timer_;
  std::unique_ptr<FdWatch> watch_;
  int fd_ = -1;
  can::BusState state_ = can::BusState::kDown;
  struct Waiting {
    can::Frame frame;
    TimePoint at;
  };
  std::deque<Waiting> output_;
  std::uint32_t overflow_total_ = 0;
  std::optional<SysError> error_;
  CanCounters counters_;
};

}  // namespace

std::optional<can::BusState> bus_state_of_error_frame(std::uint32_t error_class, const std::uint8_t* data) {
  if ((error_class & CAN_ERR_BUSOFF) != 0) {
    return can::BusState::kBusOff;
  }
  if ((error_class & CAN_ERR_RESTARTED) != 0) {
    return can::BusState::kActive;
  }
  if ((error_class & CAN_ERR_CRTL) != 0) {
    if ((data[1] & (CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE)) != 0) {
      return can::BusState::kErrorPassive;
    }
    if ((data[1] & (CAN_ERR_CRTL_ACTIVE | CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING)) != 0) {
      return can::BusState::kActive;
    }
  }
  return std::nullopt;
}

std::shared_ptr<CanPort> make_socketcan_port(Loop& loop, std::string interface, CanOptions options,
                                             CanHandlers handlers) {
  auto port =
      std::make_shared<SocketCanPort>(loop, std::move(interface), std::move(options), std::move(handlers));
  port->open();
  return port;
}

}  // namespace amphora::runtime
