// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/driver.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::tinybms {

namespace {

using namespace std::chrono_literals;

// Secondary reads (version, settings, events, statistics) that failed are tried again after this.
constexpr Duration kRetryAfter = 2s;
constexpr Duration kFaultEventsInterval = 1s;
// A restarting BMS (register 340) needs a moment before it can be read back.
constexpr std::uint8_t kReadBackAttemptsMax = 5;
constexpr Duration kReadBackRetry = 1s;

// How a block is read by 0x07. Every size occurs once, so that a late answer to one part is never taken for
// an answer to another.
struct Parts {
  std::array<std::uint8_t, 2> count;
};
constexpr Parts kLiveParts{{29, 28}};
constexpr Parts kSettingsParts{{24, 20}};
static_assert(kLiveParts.count[0] + kLiveParts.count[1] == kLiveBlock.count);
static_assert(kSettingsParts.count[0] + kSettingsParts.count[1] == kSettingsBlock.count);
static_assert(kLiveParts.count[0] <= 31 && kSettingsParts.count[0] <= 31, "one packet holds 31 registers");

bool is_within(Duration value, Duration low, Duration high) {
  return value >= low && value <= high;
}

}  // namespace

std::optional<ConfigIssue> validate(const DriverConfig& config) {
  if (!is_within(config.poll_interval, 100ms, 10s)) {
    return ConfigIssue{"poll_interval", "100 ms to 10 s"};
  }
  if (!is_within(config.reply_timeout, 20ms, 5s)) {
    return ConfigIssue{"reply_timeout", "20 ms to 5 s"};
  }
  if (config.attempts_max < 2 || config.attempts_max > 10) {
    return ConfigIssue{"attempts_max", "2 to 10"};
  }
  if (!is_within(config.back_off_max, config.poll_interval, 60s)) {
    return ConfigIssue{"back_off_max", "poll_interval to 60 s"};
  }
  if (!is_within(config.lost_after, config.reply_timeout * config.attempts_max + 1us, 60s)) {
    return ConfigIssue{"lost_after", "more than reply_timeout * attempts_max, up to 60 s"};
  }
  if (!is_within(config.statistics_interval, 1s, 24h)) {
    return ConfigIssue{"statistics_interval", "1 s to 1 day"};
  }
  if (!is_within(config.events_interval, 1s, 24h)) {
    return ConfigIssue{"events_interval", "1 s to 1 day"};
  }
  if (!is_within(config.settings_interval, 10s, 24h)) {
    return ConfigIssue{"settings_interval", "10 s to 1 day"};
  }
  if (!is_within(config.write_reply_timeout, 20ms, 10s)) {
    return ConfigIssue{"write_reply_timeout", "20 ms to 10 s"};
  }
  if (!is_within(config.write_pause, 0s, 10s)) {
    return ConfigIssue{"write_pause", "0 to 10 s"};
  }
  if (!is_within(config.read_back_pause, 0s, 10s)) {
    return ConfigIssue{"read_back_pause", "0 to 10 s"};
  }
  if (config.events_command != Command::kNewestEvents && config.events_command != Command::kAllEvents) {
    return ConfigIssue{"events_command", "newest or all"};
  }
  if (config.packet_payload_size < 1 || config.packet_payload_size > kPacketPayloadMax) {
    return ConfigIssue{"packet_payload_size", "1 to 63"};
  }
  return std::nullopt;
}

std::string_view to_text(WriteResult result) {
  constexpr std::string_view kNames[] = {"verified",    "mismatch",   "refused",
                                         "not_written", "unverified", "unreachable"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string_view to_text(ControlResult result) {
  constexpr std::string_view kNames[] = {"acknowledged", "refused", "unreachable"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string_view to_text(ControlRefusal refusal) {
  return refusal == ControlRefusal::kBusy ? "busy" : "not_connected";
}

Driver::Driver(const DriverConfig& config)
    : config_{config},
      liveness_{liveness::Config{0s, 0s, config.lost_after}},
      reader_{config.packet_payload_size} {
  AMPHORA_ASSERT(!validate(config));
  due_.fill(kNever);
}

void Driver::handle_line(TimePoint now, bool is_open) {
  if (is_open == is_open_) {
    return;
  }
  is_open_ = is_open;
  flight_.reset();
  reader_.expect_nothing();
  if (is_open) {
    quiet_until_ = now;
    set_due(Job::kLive, now);
    return;
  }
  due_.fill(kNever);
  liveness_.handle_loss(now);
  pump_liveness(now);
}

void Driver::handle_bytes(TimePoint now, ByteSpan bytes) {
  if (!is_open_) {
    return;
  }
  while (!bytes.empty()) {
    bytes = reader_.feed(bytes);
    while (const auto reply = reader_.poll()) {
      handle_reply(now, *reply);
    }
  }
  count_stream();
}

void Driver::handle_timeout(TimePoint now) {
  liveness_.handle_timeout(now);
  pump_liveness(now);
  if (!flight_ || !flight_->is_sent || flight_->due > now) {
    return;
  }
  // Perhaps the answer is there, behind the beginning of a frame that never ended.
  reader_.flush();
  while (const auto reply = reader_.poll()) {
    handle_reply(now, *reply);
  }
  count_stream();
  if (!flight_ || !flight_->is_sent || flight_->due > now) {
    return;
  }
  ++statistics_.timeouts;
  if (flight_->attempt_count < attempts_of(*flight_)) {
    flight_->is_sent = false;
    flight_->due = now;
  } else {
    handle_no_answer(now);
  }
}

std::size_t Driver::poll_transmit(TimePoint now, MutableByteSpan out) {
  if (!is_open_ || out.size() < kTransmitSizeMax || (flight_ && (flight_->is_sent || flight_->due > now))) {
    return 0;
  }
  if (!flight_) {
    const auto job = choose_job(now);
    if (!job) {
      return 0;
    }
    last_job_ = *job;
    block_part_ = 0;
    poll_started_ = *job == Job::kLive ? now : poll_started_;
    flight_ = Flight{*job, make_request(*job), 0, false, now};
  }
  if (flight_->job == Job::kWrite) {
    // From here on nobody knows what the BMS holds there.
    const Register* entry = find_register(write_.items[write_.next].write.number);
    settings_.forget(*entry);
  }
  const auto size = encode_request(flight_->request, out);
  AMPHORA_ASSERT(size.ok());
  statistics_.retries += flight_->attempt_count > 0 ? 1 : 0;
  ++statistics_.requests_sent;
  ++flight_->attempt_count;
  flight_->is_sent = true;
  flight_->due = now + timeout_of(flight_->job);
  reader_.expect(flight_->request);
  return *size;
}

TimePoint Driver::poll_timeout() const {
  TimePoint next = liveness_.poll_timeout();
  if (!is_open_) {
    return next;
  }
  if (flight_) {
    return earliest(next, flight_->due);
  }
  for (std::size_t i = 0; i < kJobCount; ++i) {
    next = due_[i] < next ? earliest(next, due_at(static_cast<Job>(i))) : next;
  }
  return next;
}

Result<WriteId, WriteRefusal> Driver::write_settings(TimePoint now, std::span<const RegisterWrite> writes) {
  if (const auto refusal = check_writes(settings_, writes)) {
    return *refusal;
  }
  if (is_writing() || control_) {
    return WriteRefusal{WriteRefusalReason::kBusy};
  }
  if (!is_connected()) {
    return WriteRefusal{WriteRefusalReason::kNotConnected};
  }
  if (!settings_.is_complete()) {
    return WriteRefusal{WriteRefusalReason::kSettingsNotRead};
  }
  std::array<RegisterWrite, kWriteCountMax> ordered{};
  std::copy(writes.begin(), writes.end(), ordered.begin());
  order_writes(settings_, std::span{ordered}.first(writes.size()));
  write_ = Write{};
  write_.state = WriteState::kWriting;
  write_.id = WriteId{++write_count_};
  write_.count = writes.size();
  for (std::size_t i = 0; i < writes.size(); ++i) {
    write_.items[i] = PlannedWrite{ordered[i], WriteResult::kNotWritten};
  }
  set_due(Job::kWrite, now);
  return write_.id;
}

std::optional<ControlRefusal> Driver::control(TimePoint now, ControlOption option) {
  if (!is_connected()) {
    return ControlRefusal::kNotConnected;
  }
  if (control_ || is_writing()) {
    return ControlRefusal::kBusy;
  }
  control_ = option;
  set_due(Job::kControl, now);
  return std::nullopt;
}

TimePoint Driver::due_at(Job job) const {
  bool is_wanted = job == Job::kLive || is_connected();
  switch (job) {
    case Job::kWrite:
      is_wanted = is_wanted && write_.state == WriteState::kWriting;
      break;
    case Job::kReadBack:
      is_wanted = is_wanted && write_.state == WriteState::kReadingBack;
      break;
    case Job::kControl:
      is_wanted = is_wanted && control_.has_value();
      break;
    case Job::kSettings:
      // The read-back of a write under way reads them anyway.
      is_wanted = is_wanted && !is_writing();
      break;
    default:
      break;
  }
  const TimePoint due = due_[static_cast<std::size_t>(job)];
  return is_wanted && due != kNever ? std::max(due, quiet_until_) : kNever;
}

std::optional<Driver::Job> Driver::choose_job(TimePoint now) const {
  const bool is_live_due = due_at(Job::kLive) <= now;
  if (is_live_due && last_job_ != Job::kLive) {
    return Job::kLive;
  }
  for (std::size_t i = 0; i < kJobCount; ++i) {
    const auto job = static_cast<Job>(i);
    // Asked for often and seldom due: the plain number first.
    if (job != Job::kLive && due_[i] <= now && due_at(job) <= now) {
      return job;
    }
  }
  return is_live_due ? std::optional{Job::kLive} : std::nullopt;
}

Request Driver::make_request(Job job) const {
  switch (job) {
    case Job::kWrite:
      return make_write_request();
    case Job::kControl:
      AMPHORA_ASSERT(control_.has_value());
      return make_control(*control_);
    case Job::kEvents:
      return make_query(config_.events_command);
    default:
      return make_block_request(job);
  }
}

Block Driver::block_of(Job job) {
  switch (job) {
    case Job::kLive:
      return kLiveBlock;
    case Job::kVersion:
      return kVersionBlock;
    case Job::kStatistics:
      return kStatisticsBlock;
    default:
      return kSettingsBlock;
  }
}

Block Driver::part_of(Job job) const {
  const Block block = block_of(job);
  if (config_.read_method == ReadMethod::kModbus || block.count <= 31) {
    return Block{0, block.count};
  }
  const Parts& parts = block == kLiveBlock ? kLiveParts : kSettingsParts;
  return block_part_ == 0 ? Block{0, parts.count[0]} : Block{parts.count[0], parts.count[1]};
}

Request Driver::make_block_request(Job job) const {
  const Block part = part_of(job);
  const auto address = static_cast<std::uint16_t>(block_of(job).address + part.address);
  return config_.read_method == ReadMethod::kModbus ? make_read_modbus(address, part.count)
                                                    : make_read_block(address, part.count);
}

Request Driver::make_write_request() const {
  const RegisterWrite& write = write_.items[write_.next].write;
  const Register* entry = find_register(write.number);
  AMPHORA_ASSERT(entry != nullptr);
  std::array<std::uint16_t, 2> values{};
  raw_words(*entry, write.value, values);
  const std::size_t count = word_count(*entry);
  if (config_.write_method == WriteMethod::kModbus) {
    return make_write_modbus(write.number, std::span{values}.first(count));
  }
  std::array<RegisterWord, 2> words{};
  for (std::size_t i = 0; i < count; ++i) {
    words[i] = RegisterWord{static_cast<std::uint16_t>(write.number + i), values[i]};
  }
  return make_write_individual(std::span{words}.first(count));
}

Duration Driver::timeout_of(Job job) const {
  return job == Job::kWrite ? config_.write_reply_timeout : config_.reply_timeout;
}

std::uint8_t Driver::attempts_of(const Flight& flight) const {
  // A reset whose acknowledgement was lost must not reset twice.
  const bool is_reset = flight.job == Job::kControl && control_ == ControlOption::kReset;
  return is_reset ? std::uint8_t{1} : config_.attempts_max;
}

void Driver::handle_reply(TimePoint now, const Reply& reply) {
  if (!flight_ || !flight_->is_sent) {
    return;
  }
  ++statistics_.replies_received;
  liveness_.handle_sign_of_life(now);
  pump_liveness(now);
  const Job job = flight_->job;
  if (reply.kind != ReplyKind::kNack) {
    statistics_.consecutive_failures = 0;
    handle_data(now, job, reply);
    return;
  }
  ++statistics_.refusals;
  if (reply.error == kErrorCrc && flight_->attempt_count < attempts_of(*flight_)) {
    // The line spoilt our request: say it again.
    flight_->is_sent = false;
    flight_->due = now;
    return;
  }
  flight_.reset();
  handle_refusal(now, job);
}

void Driver::handle_data(TimePoint now, Job job, const Reply& reply) {
  switch (job) {
    case Job::kWrite:
      flight_.reset();
      advance_write(now, WriteResult::kUnverified);
      break;
    case Job::kControl:
      flight_.reset();
      finish_control(now, ControlResult::kAcknowledged);
      break;
    case Job::kEvents:
      flight_.reset();
      handle_events(now, reply);
      break;
    default:
      handle_block(now, job, reply);
      break;
  }
}

void Driver::handle_refusal(TimePoint now, Job job) {
  switch (job) {
    case Job::kLive:
      schedule_next_poll(now);
      break;
    case Job::kWrite:
      advance_write(now, WriteResult::kRefused);
      break;
    case Job::kReadBack:
      retry_read_back(now);
      break;
    case Job::kControl:
      finish_control(now, ControlResult::kRefused);
      break;
    default:
      set_due(job, now + kRetryAfter);
      break;
  }
}

void Driver::handle_no_answer(TimePoint now) {
  const Job job = flight_->job;
  flight_.reset();
  reader_.expect_nothing();
  switch (job) {
    case Job::kLive:
      ++statistics_.consecutive_failures;
      schedule_next_poll(now);
      break;
    case Job::kWrite:
      advance_write(now, WriteResult::kUnreachable);
      break;
    case Job::kControl:
      finish_control(now, ControlResult::kUnreachable);
      break;
    default:
      handle_refusal(now, job);
      break;
  }
}

void Driver::schedule_next_poll(TimePoint now) {
  Duration interval = config_.poll_interval;
  for (std::uint32_t i = 1; i < statistics_.consecutive_failures && interval < config_.back_off_max; ++i) {
    interval *= 2;
  }
  interval = std::min(interval, std::max(config_.back_off_max, config_.poll_interval));
  const bool has_failed = statistics_.consecutive_failures > 0;
  set_due(Job::kLive, has_failed ? now + interval : std::max(now, poll_started_ + interval));
}

void Driver::handle_block(TimePoint now, Job job, const Reply& reply) {
  const Block block = block_of(job);
  const Block part = part_of(job);
  (void)decode_words(reply.command, reply.payload, std::span{block_words_}.subspan(part.address, part.count));
  if (part.address + part.count < block.count) {
    ++block_part_;
    flight_ = Flight{job, make_request(job), 0, false, now};
    return;
  }
  flight_.reset();
  switch (job) {
    case Job::kLive:
      take_live(now);
      break;
    case Job::kVersion:
      take_version(now);
      break;
    case Job::kStatistics:
      take_statistics(now);
      break;
    default:
      take_settings(now);
      if (job == Job::kReadBack) {
        finish_write(now, true);
      }
      emit(SettingsRead{});
      break;
  }
}

void Driver::take_live(TimePoint now) {
  LiveWords words{};
  std::copy_n(block_words_.begin(), words.size(), words.begin());
  // A reply says nothing about when it was made, and a host that was stopped for a while hands it in late.
  // Since the first request of this poll, though, is a bound that never makes values look fresher than they
  // are.
  const TimePoint sampled_at = poll_started_;
  live_ = Sampled<LiveWords>{words, sampled_at};
  const auto series_cells = known(settings_.word(reg::kSeriesCells));
  const bool had_fault = snapshot_.activity && snapshot_.activity->value == battery::Activity::kFault;
  statistics_.implausible_values += decode_live(words, sampled_at, config_.decode, series_cells, snapshot_);
  const bool has_fault = snapshot_.activity && snapshot_.activity->value == battery::Activity::kFault;
  if (has_fault) {
    // Which fault it is stands in the event list only.
    const TimePoint wanted = had_fault ? events_read_at_ + kFaultEventsInterval : now;
    TimePoint& due = due_[static_cast<std::size_t>(Job::kEvents)];
    due = earliest(due, std::max(now, wanted));
  }
  update_alarms(now);
  schedule_next_poll(now);
  emit(SnapshotUpdated{});
}

void Driver::take_settings(TimePoint now) {
  std::array<std::uint16_t, kSettingsBlock.count> words{};
  std::copy_n(block_words_.begin(), words.size(), words.begin());
  settings_.store(now, words);
  snapshot_.capacity.reset();
  const Register* entry = find_register(reg::kCapacity);
  const auto capacity = settings_.value(reg::kCapacity);
  if (capacity && is_valid(*entry, capacity->value)) {
    snapshot_.capacity = Sampled<MilliampHours>{MilliampHours{capacity->value * 10}, now};
  } else {
    ++statistics_.implausible_values;
  }
  take_cut_offs(now);
  set_due(Job::kSettings, now + config_.settings_interval);
}

// 317 and 318 are whole amperes. A value out of its range says nothing that could be relied on.
void Driver::take_cut_offs(TimePoint now) {
  const auto current = [this](std::uint16_t number) -> std::optional<Milliamps> {
    const auto value = settings_.value(number);
    if (!value || !is_valid(*find_register(number), value->value)) {
      return std::nullopt;
    }
    return Milliamps{value->value * 1000};
  };
  snapshot_.cut_offs =
      Sampled<battery::CutOffs>{{current(reg::kChargeOverCurrent), current(reg::kDischargeOverCurrent)}, now};
}

void Driver::take_version(TimePoint now) {
  VersionWords words{};
  std::copy_n(block_words_.begin(), words.size(), words.begin());
  version_ = Sampled<VersionWords>{words, now};
  decode_version(words, snapshot_);
  set_due(Job::kVersion, kNever);
  emit(VersionRead{});
}

void Driver::take_statistics(TimePoint now) {
  StatisticsWords words{};
  std::copy_n(block_words_.begin(), words.size(), words.begin());
  statistics_words_ = Sampled<StatisticsWords>{words, now};
  statistics_.implausible_values += decode_statistics(words, now, snapshot_);
  set_due(Job::kStatistics, now + config_.statistics_interval);
  emit(StatisticsRead{});
}

void Driver::handle_events(TimePoint now, const Reply& reply) {
  set_due(Job::kEvents, now + config_.events_interval);
  events_read_at_ = now;
  const auto list = decode_events(reply.payload);
  if (!list) {
    ++statistics_.implausible_values;
    return;
  }
  for (const LoggedEvent& logged : list->list()) {
    if (!event_list_ || !event_list_->contains(logged)) {
      emit(BmsEventLogged{logged, !event_list_.has_value()});
    }
  }
  event_list_ = *list;
  update_alarms(now);
}

void Driver::update_alarms(TimePoint now) {
  if (!snapshot_.activity) {
    snapshot_.alarms.reset();
    return;
  }
  const bool has_fault = snapshot_.activity->value == battery::Activity::kFault;
  const ActiveAlarms active = active_alarms(event_list_ ? &*event_list_ : nullptr, has_fault);
  snapshot_.alarms = Sampled<battery::AlarmSet>{active.alarms, snapshot_.activity->at};
  if (event_list_) {
    snapshot_.warnings = Sampled<battery::AlarmSet>{active.warnings, now};
  }
}

void Driver::pump_liveness(TimePoint now) {
  while (const auto change = liveness_.poll_event()) {
    if (change->to == liveness::State::kConnected) {
      handle_connected(now);
    } else if (change->to == liveness::State::kDisconnected) {
      handle_lost(now);
    }
  }
}

void Driver::handle_connected(TimePoint now) {
  for (const Job job : {Job::kVersion, Job::kSettings, Job::kEvents, Job::kStatistics}) {
    set_due(job, now);
  }
  emit(Connected{});
}

void Driver::handle_lost(TimePoint now) {
  emit(Disconnected{});
  if (flight_ && flight_->job != Job::kLive) {
    flight_.reset();
    reader_.expect_nothing();
    set_due(Job::kLive, now);
  }
  if (control_) {
    finish_control(now, ControlResult::kUnreachable);
  }
  if (is_writing()) {
    if (write_.state == WriteState::kWriting) {
      write_.items[write_.next].result = WriteResult::kUnreachable;
    }
    finish_write(now, false);
  }
}

void Driver::advance_write(TimePoint now, WriteResult result) {
  write_.items[write_.next].result = result;
  ++write_.next;
  if (result == WriteResult::kUnreachable) {
    finish_write(now, false);
  } else if (result == WriteResult::kRefused || write_.next == write_.count) {
    write_.state = WriteState::kReadingBack;
    read_back_attempt_count_ = 0;
    quiet_until_ = now + config_.read_back_pause;
    set_due(Job::kReadBack, quiet_until_);
  } else {
    quiet_until_ = now + config_.write_pause;
    set_due(Job::kWrite, quiet_until_);
  }
}

void Driver::retry_read_back(TimePoint now) {
  ++read_back_attempt_count_;
  if (read_back_attempt_count_ < kReadBackAttemptsMax) {
    set_due(Job::kReadBack, now + kReadBackRetry);
  } else {
    finish_write(now, false);
  }
}

void Driver::finish_write(TimePoint now, bool is_read_back) {
  WriteFinished finished{write_.id};
  for (std::size_t i = 0; i < write_.count; ++i) {
    const PlannedWrite& item = write_.items[i];
    RegisterWritten written{write_.id, item.write.number, item.write.value, item.result, std::nullopt};
    if (is_read_back) {
      const Register* entry = find_register(item.write.number);
      written.found = known(settings_.value(item.write.number));
      if (item.result == WriteResult::kUnverified && written.found) {
        const bool is_good = is_written(*entry, item.write.value, *written.found);
        written.result = is_good ? WriteResult::kVerified : WriteResult::kMismatch;
      }
    }
    ++(written.result == WriteResult::kVerified ? finished.verified_count : finished.failed_count);
    emit(written);
  }
  emit(finished);
  write_.state = WriteState::kIdle;
  if (!is_read_back) {
    set_due(Job::kSettings, is_open_ ? now : kNever);
  }
}

void Driver::finish_control(TimePoint now, ControlResult result) {
  const ControlOption option = *control_;
  control_.reset();
  emit(ControlFinished{option, result});
  if (result != ControlResult::kAcknowledged) {
    return;
  }
  switch (option) {
    case ControlOption::kClearEvents:
      set_due(Job::kEvents, now);
      break;
    case ControlOption::kClearStatistics:
      set_due(Job::kStatistics, now);
      break;
    case ControlOption::kReset:
      // The same pause as after a write: the BMS starts anew.
      quiet_until_ = now + config_.read_back_pause;
      for (const Job job : {Job::kVersion, Job::kSettings, Job::kEvents, Job::kStatistics}) {
        set_due(job, quiet_until_);
      }
      break;
  }
}

void Driver::count_stream() {
  const StreamCounters& counters = reader_.counters();
  statistics_.crc_errors = counters.crc_errors;
  statistics_.unexpected_frames = counters.unexpected_frames;
  statistics_.noise_bytes = counters.noise_bytes;
}

}  // namespace amphora::tinybms
