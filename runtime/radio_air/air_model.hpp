// SPDX-License-Identifier: Apache-2.0
// The air itself, without sockets: which radio stands on which channel, who hears a frame, and when.
//
// The same inputs at the same times give the same outputs; random numbers come from the seed. A channel
// carries one frame at a time: a frame waits until the channel is free, takes its time on the air
// (espnow.hpp), and is repeated without an ack. Loss applies to each try, to the data and to the ack each: so
// a frame may arrive and its sender not know. Radios on another channel hear nothing. `delay` is added to
// what the radios are told, not to the air.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "runtime/radio_air/air_codec.hpp"

namespace amphora::runtime::air {

struct AirConfig {
  std::uint32_t loss_ppm = 0;
  Duration delay{};
  std::vector<std::uint8_t> channels{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};  // at least one
  std::uint8_t try_count = 6;  // of a unicast frame without an ack
  std::size_t client_max = 64;
  Duration expiry = std::chrono::seconds{5};  // without a word from a client
  std::int8_t rssi_dbm = -50;
  std::uint64_t seed = 1;
};

// Where a client's datagrams come from; the host makes it from address and port.
using ClientKey = std::uint64_t;

struct AirEvent {
  enum class Kind : std::uint8_t { kJoined, kLeft, kExpired, kReplaced, kChannel };
  Kind kind = Kind::kJoined;
  NodeId mac;
  std::uint8_t channel = 0;
};
std::string_view to_text(AirEvent::Kind kind);

struct AirCounters {
  std::uint64_t frames = 0;     // handed in by clients
  std::uint64_t tries = 0;      // on the air, with repetitions
  std::uint64_t delivered = 0;  // to one client each
  std::uint64_t lost = 0;       // tries that one client should have heard
  std::uint64_t no_ack = 0;     // unicast frames given up
  std::uint64_t refused = 0;    // from strangers, or while the client's frame before was still on the air
  std::uint64_t malformed = 0;  // datagrams
  std::uint64_t events_dropped = 0;
};

struct AirOutput {
  ClientKey to = 0;
  std::array<std::uint8_t, kDatagramSizeMax> bytes{};
  std::size_t size = 0;
};

class AirModel {
 public:
  explicit AirModel(AirConfig config);

  void handle_datagram(TimePoint now, ClientKey from, ByteSpan bytes);
  void handle_timeout(TimePoint now);
  // What is due to be told to clients, in order of time.
  std::optional<AirOutput> poll_output(TimePoint now);
  std::optional<AirEvent> poll_event();
  TimePoint poll_timeout() const;

  void set_loss(std::uint32_t ppm) { config_.loss_ppm = ppm; }
  void set_delay(Duration delay) { config_.delay = delay; }
  const AirCounters& counters() const { return counters_; }
  std::size_t client_count() const { return clients_.size(); }

 private:
  struct Client {
    std::uint64_t instance = 0;
    NodeId mac;
    std::uint8_t channel = 0;
    TimePoint heard_at{};
    bool is_sending = false;
  };
  struct Transmission {
    ClientKey from = 0;
    NodeId source;
    NodeId to;
    std::uint32_t token = 0;
    std::uint8_t channel = 0;
    std::uint8_t tries = 0;
    bool is_delivered = false;
    std::size_t size = 0;
    std::array<std::uint8_t, kRadioDataMax> bytes{};
  };
  using Clients = std::map<ClientKey, Client>;

  void handle(TimePoint now, ClientKey from, const Hello& hello);
  void handle(TimePoint now, ClientKey from, const Send& send);
  void handle(TimePoint now, ClientKey from, const SetChannel& set);
  void handle(TimePoint now, ClientKey from, const Bye& bye);
  // What only the air says, coming from a client.
  template <class Other>
  void handle(TimePoint, ClientKey, const Other&) {
    ++counters_.malformed;
  }
  bool is_allowed(std::uint8_t channel) const;
  Clients::iterator find(NodeId mac);
  void remove(Clients::iterator client, AirEvent::Kind why);
  void put_on_air(TimePoint now, Transmission transmission);
  void end_try(TimePoint now, Transmission& transmission);
  void deliver(TimePoint now, const Transmission& transmission, ClientKey to);
  void tell(TimePoint now, ClientKey to, const Datagram& datagram);
  void note(AirEvent event);

  AirConfig config_;
  Rng rng_;
  Clients clients_;
  std::array<TimePoint, kRadioChannelMax + 1> free_at_{};
  // Equal times keep their order of insertion.
  std::multimap<TimePoint, Transmission> on_air_;  // by the end of the try
  std::multimap<TimePoint, AirOutput> outputs_;
  std::deque<AirEvent> events_;
  AirCounters counters_;
};

}  // namespace amphora::runtime::air
