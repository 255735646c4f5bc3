// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runtime/radio/exchange.hpp"
#include "runtime/radio_air/air_codec.hpp"

namespace amphora::runtime {

namespace {

constexpr std::size_t kReadBatchMax = 64;
constexpr Duration kHelloPeriod = std::chrono::seconds{1};
constexpr Duration kSilenceMax = std::chrono::seconds{3};  // the air process has gone
// To a frame or a channel change. Six tries on a free channel take 20 ms.
constexpr Duration kAnswerMax = std::chrono::milliseconds{250};
constexpr std::string_view kStartAdvice = "start it: amphora emulate air --listen ";

std::uint64_t random_instance() {
  std::uint64_t value = 0;
  if (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    value = static_cast<std::uint64_t>(::getpid()) ^
            static_cast<std::uint64_t>(steady_now().time_since_epoch().count());
  }
  return value;
}

class AirPort final : public RadioExchange {
 public:
  AirPort(Loop& loop, const RadioSpec& spec, RadioOptions options, RadioHandlers handlers)
      : RadioExchange{loop, "air://" + spec.name + ":" + std::to_string(spec.port), std::move(options),
                      std::move(handlers), Limits{kAnswerMax, kAnswerMax}},
        place_{spec.name + ":" + std::to_string(spec.port)},
        instance_{random_instance()},
        timer_{loop} {
    air_.sin_family = AF_INET;
    air_.sin_port = htons(spec.port);
    (void)::inet_pton(AF_INET, spec.name.c_str(), &air_.sin_addr);
    address_ = spec.mac;
    status_.driver = "air";
    status_.send_status = RadioSendStatus::kReal;
    status_.answers_acks = true;
    status_.channel = options_.channel;
  }
  ~AirPort() override {
    if (fd_ >= 0) {
      tell(air::Bye{});
    }
    close();
  }

  void tick() {
    if (fd_ < 0) {
      open();
    }
    if (fd_ >= 0) {
      if (status_.state == RadioState::kUp && loop_.now() - heard_at_ >= kSilenceMax) {
        lose({ETIMEDOUT, "hear the air process at " + place_, std::string{kStartAdvice} + place_});
      }
      tell(air::Hello{instance_, address_, status_.channel, is_first_});
    }
    const Duration pause = status_.state == RadioState::kUp ? kHelloPeriod : options_.retry_after_min;
    timer_.arm(loop_.now() + pause, guarded(&AirPort::tick));
  }

 private:
  bool begin_send(NodeId to, ByteSpan bytes) override {
    ++token_;
    return tell(air::Send{token_, to, bytes});
  }
  void begin_channel(std::uint8_t channel) override {
    ++token_;
    (void)tell(air::SetChannel{token_, channel});
  }

  void open() {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // Connected, so that only the air process is heard, and its absence is an error at once.
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&air_), sizeof air_) != 0) {
      status_.error = last_sys_error("reach the air process at " + place_);
      close();
      return;
    }
    watch_ = std::make_unique<FdWatch>(loop_, fd_);
    watch_->on_readable(guarded(&AirPort::read));
  }

  bool tell(const air::Datagram& datagram) {
    std::array<std::uint8_t, air::kDatagramSizeMax> buffer;
    const MutableByteSpan bytes = air::encode_datagram(datagram, buffer);
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (::send(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) {
        return true;
      }
      // The first call after a refused datagram reports that one and sends nothing.
      if (errno != ECONNREFUSED) {
        break;
      }
    }
    return false;
  }

  void read() {
    for (std::size_t i = 0; i < kReadBatchMax && fd_ >= 0; ++i) {
      std::array<std::uint8_t, 2048> buffer;
      const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (size < 0) {
        if (errno == ECONNREFUSED) {
          lose({ECONNREFUSED, "reach the air process at " + place_, std::string{kStartAdvice} + place_});
        }
        return;
      }
      const auto datagram = air::decode_datagram(ByteSpan{buffer}.first(static_cast<std::size_t>(size)));
      if (!datagram) {
        ++status_.counters.malformed;
        continue;
      }
      heard_at_ = loop_.now();
      std::visit([this](const auto& message) { handle(message); }, *datagram);
    }
  }

  void handle(const air::Welcome& welcome) {
    if (welcome.instance != instance_) {
      ++status_.counters.malformed;
      return;
    }
    // Whatever the answer: from now on the address is taken only when nobody has it.
    is_first_ = false;
    if (welcome.result == air::HelloResult::kReplaced || welcome.result == air::HelloResult::kFull) {
      const bool is_full = welcome.result == air::HelloResult::kFull;
      return lose({EADDRINUSE, "join the air at " + place_,
                   is_full ? "it has no room for another radio"
                           : "another program uses this address; give each radio its own with mac="});
    }
    const bool is_moved = status_.state == RadioState::kUp && welcome.channel != status_.channel;
    if (is_moved && is_changing()) {
      return;  // said before the change that is under way
    }
    if (welcome.result == air::HelloResult::kBadChannel) {
      status_.warning = "the air has no channel " + std::to_string(status_.channel) + "; it stands on " +
                        std::to_string(welcome.channel);
    }
    status_.channel = welcome.channel;
    if (status_.state != RadioState::kUp) {
      status_.error.reset();
      set_state(RadioState::kUp);
    }
  }
  void handle(const air::Sent& sent) {
    if (sent.token == token_) {
      finish_send(sent.result);
    }
  }
  void handle(const air::ChannelSet& set) {
    if (set.token != token_) {
      return;
    }
    if (set.is_done) {
      return finish_channel(std::nullopt);
    }
    finish_channel(SysError{EINVAL, "set channel " + std::to_string(set.channel) + " of " + status_.interface,
                            "the air process was started without this channel"});
  }
  void handle(const air::Received& received) {
    if (received.from == address_) {
      ++status_.counters.own_copies_ignored;
    } else if (received.to == address_ || received.to == kEverybody) {
      deliver(received.from, received.bytes, received.rssi_dbm);
    }
  }
  // What only clients say.
  template <class Other>
  void handle(const Other&) {
    ++status_.counters.malformed;
  }

  // The socket stays: the air process may come back on the same port.
  void lose(SysError error) {
    status_.error = std::move(error);
    set_state(RadioState::kDown);
  }

  void close() {
    watch_.reset();
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

  const std::string place_;
  const std::uint64_t instance_;
  Timer timer_;
  sockaddr_in air_{};
  int fd_ = -1;
  std::unique_ptr<FdWatch> watch_;
  bool is_first_ = true;
  std::uint32_t token_ = 0;
  TimePoint heard_at_{};
};

}  // namespace

std::shared_ptr<RadioPort> make_air_radio_port(Loop& loop, const RadioSpec& spec, RadioOptions options,
                                               RadioHandlers handlers) {
  auto port = std::make_shared<AirPort>(loop, spec, std::move(options), std::move(handlers));
  port->tick();
  return port;
}

}  // namespace amphora::runtime
