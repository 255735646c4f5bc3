// SPDX-License-Identifier: Apache-2.0
#include "core/bms/modbus/poller.hpp"

#include <algorithm>
#include <span>

#include "core/base/assert.hpp"

namespace amphora::modbus {

namespace {

constexpr std::int32_t kFactorMax = 1'000'000;

std::int64_t number_at(const Point& point, ByteSpan data, std::size_t word) {
  const std::uint8_t* bytes = data.data() + 2 * word;
  const auto first = load<std::uint16_t>(bytes, Endian::kBig);
  if (!point.is_double) {
    return point.is_signed ? static_cast<std::int16_t>(first) : std::int64_t{first};
  }
  const auto second = load<std::uint16_t>(bytes + 2, Endian::kBig);
  const std::uint32_t high = point.is_low_word_first ? second : first;
  const std::uint32_t low = point.is_low_word_first ? first : second;
  const std::uint32_t both = (high << 16U) | low;
  return point.is_signed ? static_cast<std::int32_t>(both) : std::int64_t{both};
}

std::int64_t scaled(const Point& point, std::int64_t number) {
  return scale_rounded(number + point.offset, point.multiplier, point.divisor);
}

std::size_t words_of(const Point& point) {
  return point.quantity == Quantity::kCell ? point.count : point.is_double ? 2U : 1U;
}

bool is_sound(const Point& point, const Block& block) {
  const bool has_cells = point.quantity != Quantity::kCell ||
                         (!point.is_double && point.count >= 1 && point.count <= battery::kCellCountMax);
  const auto is_factor = [](std::int32_t factor) { return factor >= -kFactorMax && factor <= kFactorMax; };
  return has_cells && point.at + words_of(point) <= block.count && point.divisor > 0 &&
         is_factor(point.multiplier) && is_factor(point.offset);
}

}  // namespace

std::string_view check_config(const PollerConfig& config) {
  const Profile& profile = config.profile;
  if (profile.address < 1 || profile.address > 247) {
    return "profile.address";
  }
  if (profile.block_count < 1 || profile.block_count > kBlocksMax) {
    return "profile.block_count";
  }
  for (const Block& block : std::span{profile.blocks}.first(profile.block_count)) {
    if (block.count < 1 || block.count > kWordsMax || block.first + unsigned{block.count} > 0x1'0000U) {
      return "profile.blocks";
    }
  }
  if (profile.point_count < 1 || profile.point_count > kPointsMax) {
    return "profile.point_count";
  }
  for (const ProfilePoint& point : std::span{profile.points}.first(profile.point_count)) {
    if (point.block >= profile.block_count || !is_sound(point.point, profile.blocks[point.block])) {
      return "profile.points";
    }
  }
  if (config.reply_timeout < std::chrono::milliseconds{10} ||
      config.reply_timeout > std::chrono::seconds{5}) {
    return "reply_timeout";
  }
  if (config.poll_interval < std::chrono::milliseconds{100} || config.poll_interval > std::chrono::hours{1}) {
    return "poll_interval";
  }
  return {};
}

Poller::Poller(const PollerConfig& config) : config_{config} {
  AMPHORA_ASSERT(check_config(config).empty());
}

void Poller::emit(TimePoint now, PollerEvent::Kind kind, std::uint8_t detail) {
  (void)events_.push_overwrite(PollerEvent{now, kind, detail});
}

void Poller::handle_line(TimePoint now, bool is_open) {
  if (is_open == (state_ != State::kClosed)) {
    return;
  }
  reader_.clear();
  if (is_open) {
    state_ = State::kIdle;
    due_ = now;
    return;
  }
  state_ = State::kClosed;
  due_ = kNever;
  if (!is_stale_) {
    is_stale_ = true;
    emit(now, PollerEvent::Kind::kStale);
  }
}

void Poller::handle_bytes(TimePoint now, ByteSpan bytes) {
  for (const std::uint8_t byte : bytes) {
    if (state_ != State::kWaiting) {
      ++statistics_.noise_bytes;
      continue;
    }
    const auto reply = reader_.take(byte, statistics_);
    if (!reply) {
      continue;
    }
    if (reply->is_exception) {
      ++statistics_.refusals;
      emit(now, PollerEvent::Kind::kRefused, reply->code);
      handle_failure(now);
    } else {
      handle_reply(now, reply->data);
    }
  }
}

void Poller::handle_reply(TimePoint now, ByteSpan data) {
  ++statistics_.replies_received;
  for (const ProfilePoint& point : std::span{config_.profile.points}.first(config_.profile.point_count)) {
    if (point.block == block_) {
      take(point, data);
    }
  }
  failures_ = 0;
  if (++block_ < config_.profile.block_count) {
    state_ = State::kReady;
    due_ = kNever;
  } else {
    finish_poll(now, true);
  }
}

void Poller::handle_failure(TimePoint now) {
  reader_.clear();
  if (failures_ + 1 < kBackOff.size()) {
    state_ = State::kBackOff;
    due_ = now + kBackOff[failures_++];
    return;
  }
  finish_poll(now, false);
  // The last pause belongs to the poll as well: the line is quiet before the next one.
  due_ = std::max(due_, now + kBackOff.back());
}

void Poller::finish_poll(TimePoint now, bool is_good) {
  state_ = State::kIdle;
  due_ = std::max(now, poll_started_ + config_.poll_interval);
  if (is_good) {
    statistics_.consecutive_failures = 0;
    if (is_stale_) {
      emit(now, PollerEvent::Kind::kFresh);
    }
    emit(now, PollerEvent::Kind::kUpdated);
  } else {
    ++statistics_.consecutive_failures;
    if (!is_stale_) {
      emit(now, PollerEvent::Kind::kStale);
    }
  }
  is_stale_ = !is_good;
}

void Poller::handle_timeout(TimePoint now) {
  if (now < due_) {
    return;
  }
  due_ = kNever;
  switch (state_) {
    case State::kIdle:
      poll_started_ = now;
      block_ = 0;
      failures_ = 0;
      state_ = State::kReady;
      break;
    case State::kBackOff:
      ++statistics_.retries;
      state_ = State::kReady;
      break;
    case State::kWaiting:
      ++statistics_.timeouts;
      statistics_.noise_bytes += reader_.size();
      handle_failure(now);
      break;
    case State::kClosed:
    case State::kReady:
      break;
  }
}

std::size_t Poller::poll_transmit(TimePoint now, MutableByteSpan out) {
  if (state_ != State::kReady || out.size() < kRequestSize) {
    return 0;
  }
  const Block& block = config_.profile.blocks[block_];
  std::ranges::copy(encode_read(config_.profile.address, block.function, block.first, block.count),
                    out.begin());
  ++statistics_.requests_sent;
  state_ = State::kWaiting;
  reader_.begin(config_.profile.address, block.function, block.count);
  asked_at_ = now;
  due_ = now + config_.reply_timeout;
  return kRequestSize;
}

TimePoint Poller::poll_timeout() const {
  return due_;
}

void Poller::take_cells(const Point& point, ByteSpan data) {
  battery::CellVoltages cells;
  cells.count = point.count;
  for (std::size_t i = 0; i < point.count; ++i) {
    const std::int64_t value = scaled(point, number_at(point, data, point.at + i));
    if (value < 0 || value > 10'000) {
      ++statistics_.implausible_values;
      return;
    }
    cells.voltage[i] = Millivolts{value};
  }
  const auto extremes = battery::extremes_of(cells);
  snapshot_.cells = Sampled<battery::CellVoltages>{cells, asked_at_};
  snapshot_.cell_min = Sampled<Millivolts>{extremes->min, asked_at_};
  snapshot_.cell_max = Sampled<Millivolts>{extremes->max, asked_at_};
}

void Poller::take(const ProfilePoint& profile_point, ByteSpan data) {
  const Point& point = profile_point.point;
  if (point.quantity == Quantity::kCell) {
    take_cells(point, data);
    return;
  }
  const std::int64_t number = number_at(point, data, point.at);
  const std::int64_t value = scaled(point, number);
  const auto set = [&]<class Q>(Reading<Q>& reading, std::int64_t low, std::int64_t high) {
    if (value < low || value > high) {
      ++statistics_.implausible_values;
      return;
    }
    reading = Sampled<Q>{Q{value}, asked_at_};
  };
  switch (point.quantity) {
    case Quantity::kVoltage:
      set(snapshot_.voltage, 1, config_.profile.voltage_max.count());
      break;
    case Quantity::kCurrent:
      set(snapshot_.current, -config_.profile.current_max.count(), config_.profile.current_max.count());
      break;
    case Quantity::kSoc:
      set(snapshot_.soc, 0, 10'000);
      break;
    case Quantity::kSoh:
      set(snapshot_.soh, 0, 10'000);
      break;
    case Quantity::kTemperatureMin:
      set(snapshot_.temperature_min, -400, 1250);
      break;
    case Quantity::kTemperatureMax:
      set(snapshot_.temperature_max, -400, 1250);
      break;
    case Quantity::kTemperatureInternal:
      set(snapshot_.temperature_internal, -400, 1250);
      break;
    case Quantity::kAlarms: {
      battery::AlarmSet alarms;
      for (std::size_t bit = 0; bit < kAlarmBits; ++bit) {
        const auto& alarm = config_.profile.alarm_bits[bit];
        const bool is_active = ((number >> bit) & 1) != 0;
        // Several bits may mean one alarm.
        if (alarm && (is_active || !alarms.is_active(*alarm))) {
          alarms.set(*alarm, is_active);
        }
      }
      snapshot_.alarms = Sampled<battery::AlarmSet>{alarms, asked_at_};
      break;
    }
    case Quantity::kCell:
      break;
  }
}

}  // namespace amphora::modbus
