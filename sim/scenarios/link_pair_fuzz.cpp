// SPDX-License-Identifier: Apache-2.0
// Any sequence of inputs to a transmitter and a receiver that hear each other: the bytes decide what is
// delivered, lost, altered, repeated or invented, how time passes and what people ask for. Nothing may
// assert, and both must come to rest after each input.
#include <array>
#include <cstdlib>
#include <vector>

#include "core/node/receiver/receiver.hpp"
#include "core/node/transmitter/transmitter.hpp"

namespace {

using namespace amphora;
using Bytes = std::vector<std::uint8_t>;

constexpr NodeId kBatterySide{1};
constexpr NodeId kHouseSide{2};
constexpr std::array kSections{state::SectionSpec{0, "metadata", false},
                               state::SectionSpec{1, "battery", true}};
constexpr int kPollsMax = 4096;

class Pair {
 public:
  Pair(link::Mode mode, std::uint64_t entropy)
      : transmitter_{transmitter_config(mode, entropy)}, receiver_{receiver_config(mode, entropy)} {
    (void)transmitter_.set_wall_time(now_, WallTime{1'700'000'000'000});
    (void)receiver_.add_peer(now_, {kBatterySide, {}});
    transmitter_.handle_radio(now_, true);
    receiver_.handle_radio(now_, true);
    settle();
  }

  void act(ByteReader& input) {
    const std::uint8_t what = input.u8();
    switch (what & 0xFU) {
      case 0:
        return deliver(to_house_, input, false);
      case 1:
        return deliver(to_battery_, input, false);
      case 2:
        return deliver(to_house_, input, true);
      case 3:
        return deliver(to_battery_, input, true);
      case 4:
        now_ += std::chrono::milliseconds{what};
        return;
      case 5:
        now_ += std::chrono::seconds{what};
        return;
      case 6:
        return invent(input);
      case 7:
        (void)transmitter_.add_reading(now_, input.take(input.u8() % 40U), 1);
        return;
      case 8:
        (void)transmitter_.replica().change(now_, (what >> 4U) & 3U, input.take(input.u8() % 40U));
        return transmitter_.settle(now_);
      case 9:
        (void)receiver_.replica(kBatterySide)->change(now_, (what >> 4U) & 3U, input.take(input.u8() % 40U));
        return receiver_.settle(now_);
      case 10:
        return transmitter_.handle_radio(now_, (what & 0x10U) != 0);
      case 11:
        return receiver_.set_channel(now_, static_cast<std::uint8_t>(what >> 4U));
      case 12:
        is_acked_ = (what & 0x10U) != 0;
        return;
      case 13:
        transmitter_.set_cells(now_, telemetry::CellsKind::kVoltage,
                               std::array<std::uint16_t, 40>{what, what, what});
        return;
      case 14:
        is_store_failing_ = (what & 0x10U) != 0;
        return;
      default:
        now_ = std::max(now_, earliest(transmitter_.poll_timeout(), now_ + std::chrono::seconds{5}));
        return;
    }
  }

  void settle() {
    for (int round = 0; round < 64; ++round) {
      transmitter_.handle_timeout(now_);
      receiver_.handle_timeout(now_);
      int polls = 0;
      while (poll_once()) {
        if (++polls > kPollsMax) {
          std::abort();
        }
      }
      if (transmitter_.poll_timeout() > now_ && receiver_.poll_timeout() > now_) {
        return;
      }
    }
    std::abort();
  }

 private:
  static node::TransmitterConfig transmitter_config(link::Mode mode, std::uint64_t entropy) {
    node::TransmitterConfig config;
    config.self = kBatterySide;
    config.mode = mode;
    config.peer.node = kHouseSide;
    config.sections = kSections;
    config.entropy = entropy;
    return config;
  }
  static node::ReceiverConfig receiver_config(link::Mode mode, std::uint64_t entropy) {
    node::ReceiverConfig config;
    config.self = kHouseSide;
    config.mode = mode;
    config.channel = 6;
    config.own_sections = kSections;
    config.peer_sections = kSections;
    config.entropy = entropy + 1;
    return config;
  }

  bool poll_once() {
    std::array<std::uint8_t, link::kPayloadSizeMax> out{};
    const auto status = is_acked_ ? link::SendStatus::kAcked : link::SendStatus::kNoAck;
    if (const auto command = transmitter_.poll_radio(now_, out)) {
      if (command->kind == link::RadioCommand::Kind::kTune) {
        transmitter_.handle_tuned(now_, true);
      } else {
        to_house_.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(command->size));
        transmitter_.handle_sent(now_, status);
      }
      return true;
    }
    if (const auto command = receiver_.poll_radio(now_, out)) {
      if (command->kind == link::RadioCommand::Kind::kTune) {
        receiver_.handle_tuned(now_, true);
      } else {
        to_battery_.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(command->size));
        receiver_.handle_sent(now_, status);
      }
      return true;
    }
    return poll_stores() || transmitter_.poll_event() || receiver_.poll_event() || receiver_.poll_cells();
  }

  bool poll_stores() {
    if (const auto request = transmitter_.replica().poll_store(now_)) {
      answer(transmitter_.replica(), *request);
      transmitter_.settle(now_);
      return true;
    }
    if (const auto request = receiver_.poll_store(now_)) {
      answer(*receiver_.replica(request->owner), request->request);
      receiver_.settle(now_);
      return true;
    }
    if (const auto delivery = receiver_.poll_delivery(now_)) {
      if (is_store_failing_) {
        receiver_.handle_delivery_failed(now_, delivery->peer);
      } else {
        receiver_.handle_delivered(now_, delivery->peer, delivery->delivery.entry.sequence);
      }
      return true;
    }
    return false;
  }
  void answer(state::Replica& replica, const state::StoreRequest& request) const {
    if (is_store_failing_) {
      replica.handle_store_failed(now_, request.section, request.ticket);
    } else {
      replica.handle_stored(now_, request.section, request.ticket);
    }
  }

  void deliver(const Bytes& frame, ByteReader& input, bool is_altered) {
    Bytes copy = frame;
    if (is_altered && !copy.empty()) {
      const std::size_t at = input.u8() % copy.size();
      copy[at] = static_cast<std::uint8_t>(copy[at] ^ input.u8());
    }
    if (&frame == &to_house_) {
      receiver_.handle_frame(now_, kBatterySide, copy, -40);
    } else {
      transmitter_.handle_frame(now_, kHouseSide, copy, -40);
    }
  }
  void invent(ByteReader& input) {
    const bool is_to_house = (input.u8() & 1U) != 0;
    const ByteSpan bytes = input.take(input.u8() % 64U);
    if (is_to_house) {
      receiver_.handle_frame(now_, kBatterySide, bytes, {});
    } else {
      transmitter_.handle_frame(now_, kHouseSide, bytes, {});
    }
  }

  TimePoint now_{std::chrono::seconds{1}};
  node::Transmitter transmitter_;
  node::Receiver<1> receiver_;
  Bytes to_house_;
  Bytes to_battery_;
  bool is_acked_ = true;
  bool is_store_failing_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const auto mode = (data[0] & 1U) != 0 ? link::Mode::kSealed : link::Mode::kPlain;
  Pair pair{mode, data[0]};
  ByteReader input{ByteSpan{data + 1, size - 1}};
  while (input.remaining() > 0) {
    pair.act(input);
    pair.settle();
  }
  return 0;
}
