// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_packet/packet_port.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/rng.hpp"
#include "core/link/espnow.hpp"
#include "runtime/radio/exchange.hpp"
#include "runtime/radio_packet/ack_judge.hpp"
#include "runtime/radio_packet/adapter.hpp"
#include "runtime/radio_packet/job_thread.hpp"

namespace amphora::runtime {

namespace {

constexpr std::size_t kReadBatchMax = 64;
constexpr std::size_t kPacketSizeMax = 4096;
constexpr Duration kStatusMax = std::chrono::milliseconds{100};
// A change takes about 10 ms; beyond this it counts as failed, and the machine above goes on.
constexpr Duration kChannelMax = std::chrono::milliseconds{250};
constexpr std::size_t kRememberedPeers = 32;
constexpr std::uint64_t kLocalBit = 0x0200'0000'0000;
constexpr std::uint64_t kMulticastBit = 0x0100'0000'0000;
// What the calibration frame carries: a type that no message has.
constexpr std::uint8_t kCalibrationData[] = {0x00};

// The sequence numbers of the newest frame of each peer, to know a repetition.
class SequenceMemory {
 public:
  bool is_repetition(const espnow::Frame& frame) {
    for (Entry& entry : entries_) {
      if (entry.source == frame.source) {
        const bool is_same = entry.sequence == frame.sequence && entry.random == frame.random;
        entry = {frame.source, frame.sequence, frame.random};
        return is_same && frame.is_retry;
      }
    }
    entries_[next_] = {frame.source, frame.sequence, frame.random};
    next_ = (next_ + 1) % kRememberedPeers;
    return false;
  }

 private:
  struct Entry {
    NodeId source;
    std::uint16_t sequence = 0;
    std::uint32_t random = 0;
  };
  std::array<Entry, kRememberedPeers> entries_{};
  std::size_t next_ = 0;
};

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
    seed = static_cast<std::uint64_t>(steady_now().time_since_epoch().count());
  }
  return seed;
}

class PacketPort final : public RadioExchange {
 public:
  PacketPort(Loop& loop, std::string interface, RadioOptions options, RadioHandlers handlers)
      : RadioExchange{loop, interface, std::move(options), std::move(handlers),
                      Limits{kStatusMax, kChannelMax}},
        adapter_{std::make_shared<WifiAdapter>(std::move(interface))},
        rng_{random_seed()},
        retry_after_{options_.retry_after_min},
        retry_timer_{loop},
        calibration_timer_{loop},
        wanted_channel_{options_.channel} {}
  ~PacketPort() override {
    close_socket();
    jobs_.add([adapter = adapter_] { adapter->close(); });
  }

  void open() {
    set_state(RadioState::kStarting);
    jobs_.add([this_weak = weak_self(), adapter = adapter_, channel = wanted_channel_,
               country = options_.country, &loop = loop_] {
      auto opened = std::make_shared<Result<WifiAdapter::Opened, SysError>>(adapter->open(channel, country));
      loop.post([this_weak, opened, adapter] {
        if (const auto self = this_weak.lock()) {
          self->finish_open(*opened);
        } else if (*opened) {
          ::close(opened->value().fd);
        }
      });
    });
  }

 private:
  std::weak_ptr<PacketPort> weak_self() { return std::static_pointer_cast<PacketPort>(shared_from_this()); }

  void finish_open(const Result<WifiAdapter::Opened, SysError>& opened) {
    if (!opened) {
      status_.error = opened.error();
      set_state(RadioState::kDown);
      return try_later();
    }
    fd_ = opened->fd;
    address_ = opened->mac;
    status_.driver = opened->driver;
    status_.country = opened->country;
    status_.warning = opened->warning;
    status_.answers_acks = opened->answers_acks;
    status_.channel = wanted_channel_;
    watch_ = std::make_unique<FdWatch>(loop_, fd_);
    watch_->on_readable(guarded(&PacketPort::read));
    calibrate();
  }

  // One frame, without repetitions, to an address that nobody has.
  void calibrate() {
    is_calibrating_ = true;
    const NodeId nobody{((rng_.next() & 0xFFFF'FFFF'FFFF) | kLocalBit) & ~kMulticastBit};
    if (write_frame(nobody, kCalibrationData, 0)) {
      calibration_timer_.arm(loop_.now() + kStatusMax, guarded(&PacketPort::expire_calibration));
    } else if (fd_ >= 0) {
      expire_calibration();
    }
  }
  void expire_calibration() {
    read();
    if (is_calibrating_) {
      finish_calibration(RadioSendResult::kNotSent);
    }
  }
  void finish_calibration(RadioSendResult result) {
    is_calibrating_ = false;
    calibration_timer_.cancel();
    judge_.handle_calibration(result);
    show_verdict();
    status_.error.reset();
    retry_after_ = options_.retry_after_min;
    set_state(RadioState::kUp);
  }

  void show_verdict() {
    status_.send_status = judge_.verdict();
    std::string text;
    switch (judge_.verdict()) {
      case RadioSendStatus::kAlwaysAcked:
        text = "the driver reports every frame as acknowledged, so a lost peer is found by its silence only";
        break;
      case RadioSendStatus::kAlwaysFailed:
        text = "the driver reports every frame as not acknowledged, so its reports are of no use";
        break;
      case RadioSendStatus::kNone:
        text = "the driver reports nothing about frames that were sent, or drops them";
        break;
      case RadioSendStatus::kUnknown:
      case RadioSendStatus::kReal:
        break;
    }
    if (!text.empty() && status_.warning.find(text) == std::string::npos) {
      status_.warning += (status_.warning.empty() ? "" : "; ") + text;
    }
  }

  bool begin_send(NodeId to, ByteSpan bytes) override {
    return write_frame(to, bytes, to == kEverybody ? std::uint8_t{0} : options_.retries);
  }

  bool write_frame(NodeId to, ByteSpan bytes, std::uint8_t retries) {
    random_ = static_cast<std::uint32_t>(rng_.next());
    sequence_ = static_cast<std::uint16_t>((sequence_ + 1U) & 0x0FFFU);
    std::array<std::uint8_t, espnow::kTxFrameSizeMax> buffer;
    const auto packet = espnow::encode_packet({to, address_, sequence_, random_, retries}, bytes, buffer);
    if (!packet) {
      return false;
    }
    if (::send(fd_, packet->data(), packet->size(), 0) == static_cast<ssize_t>(packet->size())) {
      return true;
    }
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
      lose_later(last_sys_error("send on " + status_.interface));
    }
    return false;
  }

  void begin_channel(std::uint8_t channel) override {
    wanted_channel_ = channel;
    ++change_number_;
    jobs_.add([this_weak = weak_self(), adapter = adapter_, channel, number = change_number_, &loop = loop_] {
      const auto error = adapter->tune(channel);
      loop.post([this_weak, channel, number, error] {
        if (const auto self = this_weak.lock()) {
          self->end_channel(channel, number, error);
        }
      });
    });
  }
  void end_channel(std::uint8_t channel, std::uint64_t number, const std::optional<SysError>& error) {
    if (number != change_number_ || !is_changing()) {
      // Answered as failed long ago, but the radio went there in the end.
      if (!error) {
        status_.channel = channel;
      }
      return;
    }
    if (error) {
      wanted_channel_ = status_.channel;
    }
    finish_channel(error);
  }

  void handle_send_timeout() override { read(); }

  void read() {
    for (std::size_t i = 0; i < kReadBatchMax && fd_ >= 0; ++i) {
      std::array<std::uint8_t, kPacketSizeMax> buffer;
      iovec part{buffer.data(), buffer.size()};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t size = ::recvmsg(fd_, &message, 0);
      if (size < 0) {
        if (errno != EAGAIN && errno != EINTR) {
          lose(last_sys_error("receive on " + status_.interface,
                              errno == ENETDOWN ? "another program took the interface down" : std::string{}));
        }
        return;
      }
      note_overflow(message);
      handle_packet(ByteSpan{buffer}.first(static_cast<std::size_t>(size)));
    }
  }

  void note_overflow(msghdr& message) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
        std::uint32_t total = 0;
        std::memcpy(&total, CMSG_DATA(part), sizeof total);
        status_.counters.receive_overflows += total - overflow_total_;
        overflow_total_ = total;
      }
    }
  }

  void handle_packet(ByteSpan bytes) {
    const auto packet = espnow::decode_packet(bytes);
    if (!packet) {
      ++status_.counters.malformed;
      return;
    }
    const espnow::Frame& frame = packet->frame;
    if (frame.source == address_) {
      return handle_own(packet->radiotap, frame);
    }
    if (frame.destination != address_ && frame.destination != kEverybody) {
      return;
    }
    if (!is_here(packet->radiotap)) {
      ++status_.counters.other_channel;
      return;
    }
    if (frame.size > kRadioDataMax) {
      ++status_.counters.malformed;
    } else if (memory_.is_repetition(frame)) {
      ++status_.counters.duplicates;
    } else {
      judge_.handle_received(frame.source);
      deliver(frame.source, frame.first_part(), packet->radiotap.rssi_dbm);
    }
  }

  // A frame that waited unread while the channel changed would be taken for one of the new channel.
  bool is_here(const espnow::Radiotap& radiotap) const {
    const std::uint8_t channel = espnow::channel_of_frequency(radiotap.channel_mhz.value_or(0));
    return channel == 0 || channel == status_.channel || (is_changing() && channel == wanted_channel_);
  }

  void handle_own(const espnow::Radiotap& radiotap, const espnow::Frame& frame) {
    const bool is_ours = frame.random == random_ && (is_calibrating_ || is_sending());
    if (!radiotap.is_tx_status() || !is_ours) {
      ++status_.counters.own_copies_ignored;
      return;
    }
    const RadioSendResult result =
        radiotap.is_unacknowledged() ? RadioSendResult::kNoAck : RadioSendResult::kAcked;
    if (is_calibrating_) {
      return finish_calibration(result);
    }
    if (frame.destination == kEverybody) {
      return finish_send(RadioSendResult::kAcked);
    }
    judge_.handle_status(frame.destination, result == RadioSendResult::kAcked);
    show_verdict();
    finish_send(result);
  }

  // Not inside send().
  void lose_later(SysError error) {
    loop_.post([weak = weak_self(), error = std::move(error)] {
      if (const auto self = weak.lock()) {
        self->lose(error);
      }
    });
  }
  void lose(SysError error) {
    if (fd_ < 0) {
      return;
    }
    close_socket();
    is_calibrating_ = false;
    calibration_timer_.cancel();
    status_.error = std::move(error);
    set_state(RadioState::kDown);
    try_later();
  }
  void try_later() {
    retry_timer_.arm(loop_.now() + retry_after_, guarded(&PacketPort::open));
    retry_after_ = std::min(retry_after_ * 2, options_.retry_after_max);
  }
  void close_socket() {
    watch_.reset();
    overflow_total_ = 0;
    if (fd_ >= 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }

  const std::shared_ptr<WifiAdapter> adapter_;  // used by the thread of jobs only
  Rng rng_;
  Duration retry_after_;
  Timer retry_timer_;
  Timer calibration_timer_;
  std::unique_ptr<FdWatch> watch_;
  int fd_ = -1;
  std::uint8_t wanted_channel_;
  std::uint64_t change_number_ = 0;
  std::uint32_t random_ = 0;
  std::uint16_t sequence_ = 0;
  std::uint32_t overflow_total_ = 0;
  bool is_calibrating_ = false;
  AckJudge judge_;
  SequenceMemory memory_;
  JobThread jobs_;  // last: ends first
};

}  // namespace

std::shared_ptr<RadioPort> make_packet_radio_port(Loop& loop, std::string interface, RadioOptions options,
                                                  RadioHandlers handlers) {
  auto port =
      std::make_shared<PacketPort>(loop, std::move(interface), std::move(options), std::move(handlers));
  port->open();
  return port;
}

}  // namespace amphora::runtime
