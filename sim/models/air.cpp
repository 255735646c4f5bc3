// SPDX-License-Identifier: Apache-2.0
#include "sim/models/air.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::sim {

namespace {

constexpr std::int32_t kSentDbm = 20;
constexpr std::int32_t kHeardDbmMin = -98;  // what an ESP32 is specified for at 1 Mbit/s
constexpr std::int32_t kWeakDb = 6;         // above it, a frame may already be lost
constexpr std::uint32_t kAll = 1'000'000;

}  // namespace

Air::Air(const AirConfig& config, std::size_t station_count, Rng rng) : config_{config}, rng_{rng} {
  AMPHORA_ASSERT(station_count > 0 && station_count <= kStationCountMax);
  AMPHORA_ASSERT(config.tries_max > 0 && config.channel_max <= kChannelCount &&
                 config.switch_min <= config.switch_max);
  for (std::size_t i = 0; i < station_count; ++i) {
    stations_.emplace_back();
  }
}

void Air::set_all_faults(const AirFaults& faults) {
  for (Path& path : links_) {
    path.faults = faults;
  }
}

void Air::set_power(TimePoint now, Station index, bool is_on) {
  Transceiver& station = stations_[index];
  if (station.is_on == is_on) {
    return;
  }
  station.is_on = is_on;
  station.phase = Phase::kIdle;
  station.next_channel = 0;
  station.changed_at = kNever;
  station.listens_since = now;
  station.received.clear();
  station.sent.clear();
  station.channels.clear();
  station.last_serial = {};
  schedule();
}

bool Air::send(TimePoint now, Station index, NodeId to, ByteSpan bytes, std::uint32_t token) {
  Transceiver& station = stations_[index];
  AMPHORA_ASSERT(bytes.size() <= kAirPayloadMax);
  if (!station.is_on || station.phase != Phase::kIdle) {
    ++station.statistics.refused;
    return false;
  }
  ++station.statistics.sent;
  station.to = to;
  station.token = token;
  station.size = static_cast<std::uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), station.bytes.begin());
  station.serial = next_serial_++;
  station.tries = 0;
  station.window = config_.backoff_slots_min;
  contend(now, station);
  schedule();
  return true;
}

void Air::set_channel(TimePoint now, Station index, std::uint8_t channel) {
  Transceiver& station = stations_[index];
  if (!station.is_on) {
    return;
  }
  abort(station);
  if (channel == 0 || channel > config_.channel_max) {
    (void)station.channels.push(ChannelDone{channel, false});
  } else {
    const Duration spent{rng_.between(config_.switch_min.count(), config_.switch_max.count())};
    station.next_channel = channel;
    station.changed_at = now + spent;
  }
  schedule();
}

void Air::force_channel(TimePoint now, Station index, std::uint8_t channel) {
  Transceiver& station = stations_[index];
  AMPHORA_ASSERT(channel > 0 && channel <= kChannelCount);
  abort(station);
  station.next_channel = 0;
  station.changed_at = kNever;
  station.channel = channel;
  station.listens_since = now;
  schedule();
}

void Air::handle_timeout(TimePoint now) {
  for (Transceiver& station : stations_) {
    if (station.changed_at <= now) {
      station.channel = station.next_channel;
      station.next_channel = 0;
      station.listens_since = station.changed_at;
      station.changed_at = kNever;
      (void)station.channels.push(ChannelDone{station.channel, true});
      if (station.phase == Phase::kContending) {
        contend(now, station);
      }
    }
  }
  for (Transceiver& station : stations_) {
    if (station.phase == Phase::kOnAir && station.frame_end <= now) {
      finish_frame(station);
    }
  }
  for (Transceiver& station : stations_) {
    if (station.phase == Phase::kAwaitingAck && station.exchange_end <= now) {
      finish_exchange(station);
    }
  }
  // All whose slots end at this moment begin together, and collide.
  bool has_started = false;
  for (Transceiver& station : stations_) {
    if (station.phase == Phase::kContending && !is_changing(station) && station.ready_at <= now) {
      start(now, station);
      has_started = true;
    }
  }
  if (has_started) {
    freeze_others(now);
  }
  schedule();
}

bool Air::reaches(Station from, Station to) const {
  const Path& path = link(from, to);
  return from != to && !path.faults.is_cut && kSentDbm - path.attenuation_db >= kHeardDbmMin;
}

bool Air::is_audible(Station from, Station to) const {
  return stations_[from].channel == stations_[to].channel && reaches(from, to);
}

TimePoint Air::busy_until(TimePoint now, Station index) const {
  TimePoint until = now;
  for (const Transceiver& other : stations_) {
    const bool is_busy = other.phase == Phase::kOnAir || other.phase == Phase::kAwaitingAck;
    if (is_busy && is_audible(index_of(other), index)) {
      until = std::max(until, other.exchange_end);
    }
  }
  return std::max(until, stations_[index].sent_until);
}

void Air::contend(TimePoint now, Transceiver& station) {
  station.phase = Phase::kContending;
  station.slots = rng_.below(station.window + 1);
  station.ready_at = busy_until(now, index_of(station)) + kFrameSpace + station.slots * kSlotTime;
}

void Air::freeze_others(TimePoint now) {
  for (Transceiver& station : stations_) {
    if (station.phase != Phase::kContending || is_changing(station)) {
      continue;
    }
    const TimePoint free_at = busy_until(now, index_of(station));
    if (free_at <= now) {
      continue;
    }
    const std::int64_t left = std::max<std::int64_t>((station.ready_at - now).count(), 0);
    const std::int64_t slots_left = (left + kSlotTime.count() - 1) / kSlotTime.count();
    station.slots = static_cast<std::uint32_t>(std::min<std::int64_t>(slots_left, station.slots));
    station.ready_at = free_at + kFrameSpace + station.slots * kSlotTime;
  }
}

void Air::start(TimePoint now, Transceiver& sender) {
  const Station index = index_of(sender);
  ++sender.tries;
  ++sender.statistics.tries;
  sender.phase = Phase::kOnAir;
  sender.started_at = now;
  sender.frame_end = now + frame_airtime(sender.size);
  sender.exchange_end =
      sender.to == kEverybody ? sender.frame_end : sender.frame_end + kAckSpace + kAckAirtime;
  sender.sent_until = sender.frame_end;
  sender.hit_mask = 0;
  sender.is_acked = false;
  sender.statistics.on_air += sender.frame_end - now;
  for (Transceiver& other : stations_) {
    if (other.phase != Phase::kOnAir || &other == &sender || other.channel != sender.channel) {
      continue;
    }
    for (Station receiver = 0; receiver < stations_.size(); ++receiver) {
      if (reaches(index, receiver) && reaches(index_of(other), receiver)) {
        sender.hit_mask |= 1U << receiver;
        other.hit_mask |= 1U << receiver;
      }
    }
  }
}

bool Air::is_tuned(const Transceiver& sender, const Transceiver& receiver) {
  if (!receiver.is_on || is_changing(receiver) || receiver.listens_since > sender.started_at ||
      receiver.sent_until > sender.started_at) {
    return false;
  }
  const int distance = receiver.channel > sender.channel ? receiver.channel - sender.channel
                                                         : sender.channel - receiver.channel;
  return distance == 0 || (distance == 1 && config_.leak_ppm > 0 && rng_.chance(config_.leak_ppm));
}

void Air::finish_frame(Transceiver& sender) {
  const TimePoint at = sender.frame_end;
  const Station from = index_of(sender);
  Heard heard{from, sender.channel, static_cast<std::uint8_t>(std::min<std::uint32_t>(sender.tries, 255)), 0};
  sender.phase = Phase::kAwaitingAck;
  for (Transceiver& receiver : stations_) {
    const Station to = index_of(receiver);
    if (!reaches(from, to) || !is_tuned(sender, receiver)) {
      continue;
    }
    const bool is_hit = (sender.hit_mask & (1U << to)) != 0;
    if (is_hit || is_lost(at, from, to)) {
      ++receiver.statistics.lost;
      continue;
    }
    const bool is_mine = sender.to == receiver.address;
    if (!is_mine && sender.to != kEverybody) {
      continue;
    }
    heard.got_mask = static_cast<std::uint8_t>(heard.got_mask | (1U << to));
    deliver(at, sender, receiver);
    if (is_mine) {
      receiver.sent_until = sender.exchange_end;
      // The acknowledgement meets the way back.
      const bool is_heard =
          reaches(to, from) && receiver.channel == sender.channel && !is_lost(sender.exchange_end, to, from);
      sender.is_acked = sender.is_acked || is_heard;
    }
  }
  (void)heard_.push_overwrite(heard);
  if (sender.to == kEverybody) {
    finish_exchange(sender);
  }
}

void Air::finish_exchange(Transceiver& sender) {
  if (sender.to == kEverybody || sender.is_acked) {
    ++sender.statistics.acked;
    finish(sender, SendStatus::kAcked);
  } else if (sender.tries < config_.tries_max) {
    sender.window = std::min(2 * sender.window + 1, config_.backoff_slots_max);
    contend(sender.exchange_end, sender);
  } else {
    ++sender.statistics.no_ack;
    finish(sender, SendStatus::kNoAck);
  }
}

void Air::finish(Transceiver& sender, SendStatus status) {
  sender.phase = Phase::kIdle;
  sender.ready_at = kNever;
  switch (sender.status_mode) {
    case StatusMode::kSilent:
      return;
    case StatusMode::kAlwaysAcked:
      status = status == SendStatus::kNoAck ? SendStatus::kAcked : status;
      break;
    case StatusMode::kNeverAcked:
      status = status == SendStatus::kAcked && sender.to != kEverybody ? SendStatus::kNoAck : status;
      break;
    case StatusMode::kHonest:
      break;
  }
  (void)sender.sent.push(Sent{sender.token, status});
}

void Air::abort(Transceiver& sender) {
  if (sender.phase != Phase::kIdle) {
    finish(sender, SendStatus::kNotSent);
  }
}

bool Air::is_in_burst(TimePoint at, Path& path) {
  const AirFaults& faults = path.faults;
  if (faults.burst_every_mean <= Duration{} || faults.burst_length_mean <= Duration{}) {
    path.is_in_burst = false;
    path.burst_changes_at = TimePoint{};
    return false;
  }
  if (path.burst_changes_at == TimePoint{}) {
    path.burst_changes_at = at + Duration{rng_.between(1, 2 * faults.burst_every_mean.count())};
  }
  while (path.burst_changes_at <= at) {
    path.is_in_burst = !path.is_in_burst;
    const Duration mean = path.is_in_burst ? faults.burst_length_mean : faults.burst_every_mean;
    path.burst_changes_at += Duration{rng_.between(1, 2 * mean.count())};
  }
  return path.is_in_burst;
}

bool Air::is_lost(TimePoint at, Station from, Station to) {
  Path& path = link(from, to);
  const bool is_in_bad_time = is_in_burst(at, path);
  const std::int32_t margin_db = kSentDbm - path.attenuation_db - kHeardDbmMin;
  const bool is_weak = margin_db < kWeakDb;
  const bool is_hit = path.faults.loss_ppm > 0 && rng_.chance(path.faults.loss_ppm);
  const bool is_broken = path.faults.corrupt_ppm > 0 && rng_.chance(path.faults.corrupt_ppm);
  const bool is_faint =
      is_weak && rng_.chance(kAll / kWeakDb * static_cast<std::uint32_t>(kWeakDb - margin_db));
  return is_in_bad_time || is_hit || is_broken || is_faint;
}

void Air::deliver(TimePoint at, const Transceiver& sender, Transceiver& receiver) {
  const Station from = index_of(sender);
  Path& path = link(from, index_of(receiver));
  const AirFaults& faults = path.faults;
  const bool is_repeat = receiver.last_serial[from] == sender.serial;
  receiver.last_serial[from] = sender.serial;
  if (receiver.is_hung || (faults.swallow_ppm > 0 && rng_.chance(faults.swallow_ppm))) {
    ++receiver.statistics.swallowed;
    return;
  }
  if (is_repeat && config_.drops_repeats) {
    return;
  }
  Received frame;
  frame.from = sender.address;
  frame.to = sender.to;
  frame.size = sender.size;
  frame.bytes = sender.bytes;
  const std::int64_t fading_db = rng_.between(-2, 2);
  frame.rssi_dbm =
      static_cast<std::int8_t>(std::clamp<std::int64_t>(kSentDbm - path.attenuation_db + fading_db, -127, 0));
  if (faults.undetected_ppm > 0 && rng_.chance(faults.undetected_ppm)) {
    flip_bits(frame);
  }
  const bool is_doubled = faults.duplicate_ppm > 0 && rng_.chance(faults.duplicate_ppm);
  for (int copy = 0; copy < (is_doubled ? 2 : 1); ++copy) {
    const Duration extra{faults.jitter_max > Duration{} ? rng_.between(0, faults.jitter_max.count()) : 0};
    if (receiver.received.push(at + faults.delay + extra, frame)) {
      ++receiver.statistics.received;
    } else {
      ++receiver.statistics.overflowed;
    }
  }
}

void Air::flip_bits(Received& frame) {
  const std::int64_t count = rng_.between(1, 3);
  for (std::int64_t i = 0; i < count && frame.size > 0; ++i) {
    const std::uint32_t bit = rng_.below(8U * frame.size);
    frame.bytes[bit / 8] = static_cast<std::uint8_t>(frame.bytes[bit / 8] ^ (1U << (bit % 8)));
  }
}

void Air::schedule() {
  TimePoint next = kNever;
  for (const Transceiver& station : stations_) {
    next = earliest(next, station.changed_at);
    switch (station.phase) {
      case Phase::kContending:
        next = earliest(next, is_changing(station) ? kNever : station.ready_at);
        break;
      case Phase::kOnAir:
        next = earliest(next, station.frame_end);
        break;
      case Phase::kAwaitingAck:
        next = earliest(next, station.exchange_end);
        break;
      case Phase::kIdle:
        break;
    }
  }
  next_ = next;
}

}  // namespace amphora::sim
