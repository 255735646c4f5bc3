// SPDX-License-Identifier: Apache-2.0
// The air between radio nodes: channels, airtime, carrier sense, MAC acknowledgements and repeats, and
// faults.
//
// What is modelled, after IEEE 802.11 (DSSS, 1 Mbit/s, long preamble), which is what ESP-NOW uses:
//   - a frame takes 192 us of preamble and PLCP header and 8 us for each byte. Around the payload stand 24
//     bytes of MAC header, 1 of category, 3 of OUI, 4 random ones, 7 of vendor element header and 4 of FCS:
//     2.54 ms for 250 bytes (frame_airtime);
//   - a unicast frame is acknowledged after a short interframe space of 10 us by 14 bytes: 0.31 ms more;
//   - a station waits until the channel is free, then 50 us (DIFS), then a random number of 20 us slots, from
//     0 to 31 at the first try and twice as many with each repeat (up to backoff_slots_max). It counts slots
//     only while the channel is free. The first try draws slots as well, also on a channel long free: a cycle
//     of 250 bytes is 3.2 ms;
//   - without an acknowledgement the frame is repeated, tries_max times in all. ESPs make 5 to 11 tries in
//     about 20 ms; the default, 7 tries, gives that;
//   - a broadcast has one try and no acknowledgement: its status is always `acked`;
//   - a station is half duplex, hears one channel, and hears nothing while it changes channels;
//   - two frames that overlap at a receiver which hears both are lost for it (no capture effect). Stations
//   that
//     do not hear each other do not defer to each other.
// What is not: rates other than 1 Mbit/s, RTS/CTS, EIFS, collisions of an acknowledgement, other networks'
// traffic (a share of loss stands for it).
//
// Loss is per frame on the air: each try of a frame, and each acknowledgement, is lost with loss_ppm. A
// unicast try thus succeeds with (1 - p)^2, and a frame whose acknowledgement was lost is received again:
// receivers see duplicates unless drops_repeats is set, which does what the sequence control field is for.
//
// Bursts alternate between good and bad times, each of random length around its mean, as in the model of
// Gilbert and Elliott but over time and not over frames, so that the repeats of one frame meet the same
// burst.
//
// Driven like a machine: send(), the set_… verbs, handle_timeout(now), poll_timeout(), then poll_received(),
// poll_sent(), poll_channel() for each station. Frames for a host that does not poll wait; receive_timeout()
// says when the next one can be taken. Nothing allocates after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/node_id.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"
#include "sim/world/event_queue.hpp"

namespace amphora::sim {

inline constexpr std::size_t kAirPayloadMax = 250;

// Preamble and PLCP header, then 8 us for each of the 43 bytes around the payload and the payload itself.
constexpr Duration frame_airtime(std::size_t payload_size) {
  return Duration{192 + 8 * (24 + 1 + 3 + 4 + 7 + 4 + static_cast<std::int64_t>(payload_size))};
}
inline constexpr Duration kAckSpace{10};  // SIFS
inline constexpr Duration kAckAirtime{192 + 8 * 14};
inline constexpr Duration kFrameSpace{50};  // DIFS
inline constexpr Duration kSlotTime{20};

struct AirConfig {
  std::uint8_t channel_max = 13;  // set_channel fails above
  std::uint32_t tries_max = 7;
  std::uint32_t backoff_slots_min = 31;   // aCWmin
  std::uint32_t backoff_slots_max = 255;  // the standard's 1023 would make 7 tries last longer than ESPs' do
  Duration switch_min{50};                // of a change of channels; the kernel's part alone is 20 to 60 us,
  Duration switch_max{10'000};            // a real adapter took up to 10 ms
  std::uint32_t leak_ppm = 0;             // of frames that a receiver on the next channel hears
  bool drops_repeats = false;
};

// What happens to frames from one station to another.
struct AirFaults {
  std::uint32_t loss_ppm = 0;
  Duration burst_every_mean{};  // good time between bursts; 0: no bursts
  Duration burst_length_mean{};
  std::uint32_t duplicate_ppm = 0;   // handed over twice
  std::uint32_t swallow_ppm = 0;     // acknowledged by the radio, but the host never sees it
  std::uint32_t corrupt_ppm = 0;     // the FCS notices: lost
  std::uint32_t undetected_ppm = 0;  // it does not: one to three bits differ
  Duration delay{};                  // between the air and the host
  Duration jitter_max{};             // up to this much more: reorders
  bool is_cut = false;
  friend constexpr bool operator==(const AirFaults&, const AirFaults&) = default;
};

// What a radio says about frames sent.
enum class StatusMode : std::uint8_t {
  kHonest,
  kAlwaysAcked,  // as some drivers do, whatever happened
  kNeverAcked,   // likewise
  kSilent,       // no status at all
};

enum class SendStatus : std::uint8_t { kAcked, kNoAck, kNotSent };

class Air {
 public:
  using Station = std::uint8_t;
  static constexpr std::size_t kStationCountMax = 8;
  // Frames that wait for a station's host; later ones are dropped and counted.
  static constexpr std::size_t kReceiveCapacity = 64;
  static constexpr std::uint8_t kChannelCount = 14;

  struct Received {
    NodeId from;
    NodeId to;
    std::int8_t rssi_dbm = 0;
    std::uint8_t size = 0;
    std::array<std::uint8_t, kAirPayloadMax> bytes{};
    ByteSpan payload() const { return ByteSpan{bytes}.first(size); }
  };
  struct Sent {
    std::uint32_t token = 0;
    SendStatus status = SendStatus::kAcked;
  };
  struct ChannelDone {
    std::uint8_t channel = 0;
    bool is_set = false;  // false: the channel is not allowed; the old one stays
  };
  // A frame that was on the air, for recorders and listeners: one for each try.
  struct Heard {
    Station from = 0;
    std::uint8_t channel = 0;
    std::uint8_t try_number = 0;  // from 1
    std::uint8_t got_mask = 0;    // stations whose radio received it
  };
  struct Statistics {
    std::uint64_t sent = 0;     // by send()
    std::uint64_t refused = 0;  // send() while one was in flight, or without power
    std::uint64_t tries = 0;
    std::uint64_t acked = 0;
    std::uint64_t no_ack = 0;
    std::uint64_t received = 0;    // handed over, duplicates included
    std::uint64_t lost = 0;        // would have been heard: loss, bursts, damage, collisions
    std::uint64_t overflowed = 0;  // found the host's queue full
    std::uint64_t swallowed = 0;   // acknowledged, but not handed over
    Duration on_air{};
  };

  Air(const AirConfig& config, std::size_t station_count, Rng rng);

  // Stations start without power, on channel 1, each reaching each other with an attenuation of 60 dB.
  // Two stations may have one address: both hear what is sent to it.
  void set_address(Station station, NodeId address) { stations_[station].address = address; }
  NodeId address(Station station) const { return stations_[station].address; }
  // Without power nothing is heard, sent or acknowledged; what waited is gone.
  void set_power(TimePoint now, Station station, bool is_on);
  // The radio goes on and acknowledges, the host takes nothing and nothing waits for it.
  void set_hung(Station station, bool is_hung) { stations_[station].is_hung = is_hung; }
  void set_status_mode(Station station, StatusMode mode) { stations_[station].status_mode = mode; }
  void set_faults(Station from, Station to, const AirFaults& faults) { link(from, to).faults = faults; }
  void set_all_faults(const AirFaults& faults);
  const AirFaults& faults(Station from, Station to) const { return link(from, to).faults; }
  // In one direction. 20 dBm are sent; below -98 dBm nothing is heard, in the 6 dB above it loss grows.
  void set_attenuation(Station from, Station to, std::int32_t db) { link(from, to).attenuation_db = db; }

  // Takes one frame of at most kAirPayloadMax bytes; false, and counted, while one is in flight or without
  // power. Its end is told by poll_sent() with the same token, except by a radio that is silent about it.
  bool send(TimePoint now, Station station, NodeId to, ByteSpan bytes, std::uint32_t token);
  bool is_sending(Station station) const { return stations_[station].phase != Phase::kIdle; }
  // Told by poll_channel() when it is done. A frame in flight ends as not sent.
  void set_channel(TimePoint now, Station station, std::uint8_t channel);
  std::uint8_t channel(Station station) const { return stations_[station].channel; }
  // Nobody is told: what a router does with the station that is tied to it, or a host before it starts.
  void force_channel(TimePoint now, Station station, std::uint8_t channel);

  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const { return next_; }
  std::optional<Received> poll_received(TimePoint now, Station station) {
    return stations_[station].received.pop_due(now);
  }
  TimePoint receive_timeout(Station station) const { return stations_[station].received.next_at(); }
  std::optional<Sent> poll_sent(Station station) { return stations_[station].sent.pop(); }
  std::optional<ChannelDone> poll_channel(Station station) { return stations_[station].channels.pop(); }
  std::optional<Heard> poll_heard() { return heard_.pop(); }

  // The payload of the station's last frame.
  ByteSpan last_payload(Station station) const {
    return ByteSpan{stations_[station].bytes}.first(stations_[station].size);
  }
  NodeId last_destination(Station station) const { return stations_[station].to; }
  // Something can be polled.
  bool has_news(Station station, TimePoint now) const {
    const Transceiver& radio = stations_[station];
    return !radio.sent.is_empty() || !radio.channels.is_empty() || radio.received.next_at() <= now;
  }
  std::size_t waiting_count(Station station) const { return stations_[station].received.size(); }
  const Statistics& statistics(Station station) const { return stations_[station].statistics; }
  std::size_t station_count() const { return stations_.size(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kContending, kOnAir, kAwaitingAck };
  struct Transceiver {
    explicit Transceiver() : received{kReceiveCapacity} {}
    NodeId address;
    bool is_on = false;
    bool is_hung = false;
    StatusMode status_mode = StatusMode::kHonest;
    std::uint8_t channel = 1;
    std::uint8_t next_channel = 0;  // 0: not changing
    TimePoint changed_at = kNever;  // end of the change
    TimePoint listens_since{};
    TimePoint sent_until{};  // own last transmission, acknowledgements included

    Phase phase = Phase::kIdle;
    NodeId to;
    std::uint32_t token = 0;
    std::uint32_t serial = 0;  // of the frame, the same for its repeats
    std::array<std::uint8_t, kAirPayloadMax> bytes{};
    std::uint8_t size = 0;
    std::uint32_t tries = 0;
    std::uint32_t window = 0;
    std::uint32_t slots = 0;
    TimePoint ready_at = kNever;
    TimePoint started_at{};
    TimePoint frame_end = kNever;
    TimePoint exchange_end = kNever;
    std::uint32_t hit_mask = 0;  // receivers at which another frame overlapped
    bool is_acked = false;

    EventQueue<Received> received;
    Ring<Sent, 8> sent;
    Ring<ChannelDone, 8> channels;
    std::array<std::uint32_t, kStationCountMax> last_serial{};  // taken from each other station
    Statistics statistics;
  };
  struct Path {
    AirFaults faults;
    std::int32_t attenuation_db = 60;
    bool is_in_burst = false;
    TimePoint burst_changes_at{};
  };

  Path& link(Station from, Station to) { return links_[from * kStationCountMax + to]; }
  const Path& link(Station from, Station to) const { return links_[from * kStationCountMax + to]; }
  Station index_of(const Transceiver& station) const {
    return static_cast<Station>(&station - stations_.data());
  }
  bool is_changing(const Transceiver& station) const { return station.next_channel != 0; }
  bool reaches(Station from, Station to) const;
  bool is_audible(Station from, Station to) const;  // for carrier sense: same channel and in reach
  TimePoint busy_until(TimePoint now, Station station) const;

  void contend(TimePoint now, Transceiver& station);
  void freeze_others(TimePoint now);
  void start(TimePoint now, Transceiver& sender);
  void finish_frame(Transceiver& sender);
  void finish_exchange(Transceiver& sender);
  void finish(Transceiver& sender, SendStatus status);
  void abort(Transceiver& sender);
  bool is_tuned(const Transceiver& sender, const Transceiver& receiver);
  bool is_lost(TimePoint at, Station from, Station to);
  bool is_in_burst(TimePoint at, Path& path);
  void deliver(TimePoint at, const Transceiver& sender, Transceiver& receiver);
  void flip_bits(Received& frame);
  void schedule();

  AirConfig config_;
  Rng rng_;
  std::vector<Transceiver> stations_;
  std::array<Path, kStationCountMax * kStationCountMax> links_{};
  Ring<Heard, 64> heard_;
  std::uint32_t next_serial_ = 1;
  TimePoint next_ = kNever;
};

}  // namespace amphora::sim
