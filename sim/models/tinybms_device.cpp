// SPDX-License-Identifier: Apache-2.0
#include "sim/models/tinybms_device.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace amphora::sim {

namespace {

using namespace std::chrono_literals;
using tinybms::Command;
namespace reg = tinybms::reg;

// A partial request older than this is noise: 0.2 ms are three characters at 115200 baud, but hosts stall.
constexpr Duration kCharacterGap = 20ms;
// The rest of the request that woke the device is lost as well.
constexpr Duration kWakeTime = 20ms;
constexpr std::uint16_t kWritableFirst = 300;
constexpr std::uint16_t kWritableLast = 399;
constexpr std::uint16_t kEventWordCount = 2 * tinybms::kEventCountMax;
constexpr std::size_t kNewestEventCount = 14;  // fit into one packet

constexpr std::array<std::string_view, 6> kFaultNames{"none", "silent", "corrupt",
                                                      "nack", "stuck",  "truncated"};
constexpr std::string_view kJoinedName = "joined";

struct RegisterDefault {
  std::uint16_t number;
  std::uint16_t value;
};
// A 16s LFP pack of 100 Ah.
constexpr std::array kDefaults{
    RegisterDefault{300, 3450},   RegisterDefault{301, 3000}, RegisterDefault{303, 3400},
    RegisterDefault{304, 1000},   RegisterDefault{305, 300},  RegisterDefault{306, 10000},
    RegisterDefault{307, 16},     RegisterDefault{308, 20},   RegisterDefault{310, 5},
    RegisterDefault{311, 5},      RegisterDefault{312, 1},    RegisterDefault{314, 2},
    RegisterDefault{315, 3600},   RegisterDefault{316, 2800}, RegisterDefault{317, 150},
    RegisterDefault{318, 80},     RegisterDefault{319, 60},   RegisterDefault{320, 1},
    RegisterDefault{321, 90},     RegisterDefault{322, 3000}, RegisterDefault{323, 0xFFFF},
    RegisterDefault{328, 0xFFFF}, RegisterDefault{330, 1},    RegisterDefault{332, 5},
    RegisterDefault{333, 1},      RegisterDefault{335, 1},    RegisterDefault{338, 3},
    RegisterDefault{343, 1}};
constexpr std::array kIdentity{RegisterDefault{500, 0x0102}, RegisterDefault{501, 0x0301},
                               RegisterDefault{502, 0x00F2}, RegisterDefault{503, 0x0418},
                               RegisterDefault{504, 0x0041}, RegisterDefault{505, 0x4D50},
                               RegisterDefault{506, 0x484F}, RegisterDefault{507, 0x5241},
                               RegisterDefault{508, 0x0000}, RegisterDefault{509, 0x0001}};

}  // namespace

std::string_view to_text(TinyBmsFault fault) {
  const auto index = static_cast<std::size_t>(fault);
  return index < kFaultNames.size() ? kFaultNames[index] : kJoinedName;
}

std::optional<TinyBmsFault> tinybms_fault_from_text(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(TinyBmsFault::kJoined); ++i) {
    const auto fault = static_cast<TinyBmsFault>(i);
    if (to_text(fault) == text) {
      return fault;
    }
  }
  return std::nullopt;
}

TinyBmsDevice::TinyBmsDevice(const TinyBmsDeviceConfig& config)
    : config_{config}, rng_{config.seed}, is_asleep_{config.is_sleepy} {
  for (const RegisterDefault& entry : kDefaults) {
    registers_[entry.number] = entry.value;
  }
  for (const RegisterDefault& entry : kIdentity) {
    registers_[entry.number] = entry.value;
  }
  std::copy_n(registers_.begin() + tinybms::kSettingsBlock.address, defaults_.size(), defaults_.begin());
  set_cell_count(16);
  for (std::size_t i = 0; i < 16; ++i) {
    set_cell(i, Millivolts{3300});
  }
  set_current(Milliamps{0});
  set_soc(BasisPoints{5000});
  set_soh(BasisPoints{10000});
  set_temperature_internal(Decicelsius{250});
  set_temperature_external(0, std::nullopt);
  set_temperature_external(1, std::nullopt);
  set_status(tinybms::OnlineStatus::kIdle);
}

bool TinyBmsDevice::set_register(std::uint16_t number, std::uint16_t value) {
  if (number >= kRegisterCount) {
    return false;
  }
  registers_[number] = value;
  return true;
}

std::uint16_t TinyBmsDevice::register_value(std::uint16_t number) const {
  return number < kRegisterCount ? registers_[number] : std::uint16_t{0};
}

void TinyBmsDevice::clear_registers() {
  registers_.fill(0);
}

void TinyBmsDevice::measure(std::uint16_t number, std::uint16_t value) {
  if (fault_ != TinyBmsFault::kStuck) {
    registers_[number] = value;
  }
}

void TinyBmsDevice::measure_pair(std::uint16_t number, std::uint32_t value) {
  measure(number, static_cast<std::uint16_t>(value));
  measure(static_cast<std::uint16_t>(number + 1), static_cast<std::uint16_t>(value >> 16U));
}

std::uint32_t TinyBmsDevice::pair(std::uint16_t number) const {
  return registers_[number] | (std::uint32_t{registers_[number + 1U]} << 16U);
}

std::size_t TinyBmsDevice::cell_count() const {
  return std::min<std::size_t>(registers_[reg::kCellCount], tinybms::kCellSlotCount);
}

void TinyBmsDevice::set_cell_count(std::size_t count) {
  if (count < 1 || count > tinybms::kCellSlotCount) {
    return;
  }
  measure(reg::kCellCount, static_cast<std::uint16_t>(count));
  registers_[reg::kSeriesCells] = static_cast<std::uint16_t>(count);
  for (std::size_t slot = 0; slot + count < tinybms::kCellSlotCount; ++slot) {
    measure(static_cast<std::uint16_t>(slot), 0);
  }
  update_pack();
}

void TinyBmsDevice::set_cell(std::size_t index, Millivolts voltage) {
  set_cell(index, quantity_cast<Microvolts>(voltage));
}

void TinyBmsDevice::set_cell(std::size_t index, Microvolts voltage) {
  if (index >= cell_count()) {
    return;
  }
  const auto slot = static_cast<std::uint16_t>(tinybms::kCellSlotCount - cell_count() + index);
  measure(slot, clamp_to<std::uint16_t>(scale_rounded(voltage.count(), 1, 100)));
  update_pack();
}

void TinyBmsDevice::update_pack() {
  const std::size_t count = cell_count();
  if (count == 0) {
    return;
  }
  const auto first = registers_.begin() + static_cast<std::ptrdiff_t>(tinybms::kCellSlotCount - count);
  const auto last = registers_.begin() + tinybms::kCellSlotCount;
  std::int64_t sum = 0;
  std::for_each(first, last, [&sum](std::uint16_t word) { sum += word; });
  measure_pair(reg::kPackVoltage, tinybms::float_from_milli(scale_rounded(sum, 1, 10)));
  const auto [low, high] = std::minmax_element(first, last);
  measure(reg::kCellMin, static_cast<std::uint16_t>(scale_rounded(*low, 1, 10)));
  measure(reg::kCellMax, static_cast<std::uint16_t>(scale_rounded(*high, 1, 10)));
}

void TinyBmsDevice::set_voltage(Millivolts voltage) {
  measure_pair(reg::kPackVoltage, tinybms::float_from_milli(voltage.count()));
}

void TinyBmsDevice::set_current(Milliamps current) {
  measure_pair(reg::kPackCurrent, tinybms::float_from_milli(current.count()));
  // The statistics of the highest currents, in tenths of an ampere.
  const std::int64_t magnitude = current.count() < 0 ? -std::int64_t{current.count()} : current.count();
  const std::uint16_t number = current.count() < 0 ? 102 : 103;
  const auto highest = clamp_to<std::uint16_t>(scale_rounded(magnitude, 1, 100));
  measure(number, std::max(registers_[number], highest));
}

void TinyBmsDevice::set_soc(BasisPoints soc) {
  measure_pair(reg::kSoc, clamp_to<std::uint32_t>(std::int64_t{soc.count()} * 10'000));
}

void TinyBmsDevice::set_soh(BasisPoints soh) {
  measure(reg::kSoh, clamp_to<std::uint16_t>(std::int64_t{soh.count()} * 5));
}

void TinyBmsDevice::set_temperature_internal(Decicelsius temperature) {
  measure(reg::kInternalTemperature, static_cast<std::uint16_t>(clamp_to<std::int16_t>(temperature.count())));
}

void TinyBmsDevice::set_temperature_external(std::size_t index, std::optional<Decicelsius> temperature) {
  constexpr std::uint16_t kNotConnected = 0x8000;
  if (index < 2) {
    const auto number = static_cast<std::uint16_t>(reg::kExternalTemperature1 + index);
    measure(number, temperature ? static_cast<std::uint16_t>(clamp_to<std::int16_t>(temperature->count()))
                                : kNotConnected);
  }
}

void TinyBmsDevice::set_status(tinybms::OnlineStatus status) {
  measure(reg::kStatus, static_cast<std::uint16_t>(status));
}

void TinyBmsDevice::set_balancing(std::uint16_t cells) {
  measure(reg::kBalancingDecision, cells);
  measure(reg::kBalancing, cells);
}

void TinyBmsDevice::add_event(TimePoint now, std::uint8_t id) {
  update_lifetime(now);
  const auto begin = registers_.begin() + reg::kEventFirst;
  std::uint16_t used = 0;
  while (used < kEventWordCount && (begin[used + 1] >> 8U) != 0) {
    used = static_cast<std::uint16_t>(used + 2);
  }
  if (used == kEventWordCount) {
    std::copy(begin + 2, begin + kEventWordCount, begin);
    used = static_cast<std::uint16_t>(used - 2);
  }
  const std::uint32_t word = (pair(reg::kLifetime) & tinybms::kEventTimeMask) | (std::uint32_t{id} << 24U);
  begin[used] = static_cast<std::uint16_t>(word);
  begin[used + 1] = static_cast<std::uint16_t>(word >> 16U);
}

void TinyBmsDevice::update_lifetime(TimePoint now) {
  const TimePoint from = lifetime_at_.value_or(now);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - from);
  lifetime_at_ = from + seconds;
  measure_pair(reg::kLifetime, static_cast<std::uint32_t>(pair(reg::kLifetime) +
                                                          static_cast<std::uint64_t>(seconds.count())));
}

void TinyBmsDevice::fall_asleep(TimePoint) {
  is_asleep_ = true;
  broadcast_at_ = kNever;
  (void)events_out_.push_overwrite({TinyBmsDeviceEventType::kFellAsleep});
}

void TinyBmsDevice::wake_up(TimePoint now) {
  constexpr std::uint16_t kWakeMask = 0x00FF;
  constexpr std::uint16_t kWokenByUart = 0x0300;
  is_asleep_ = false;
  last_request_ = now;
  silent_until_ = now + kWakeTime;
  registers_[114] = static_cast<std::uint16_t>((registers_[114] & kWakeMask) | kWokenByUart);
  (void)events_out_.push_overwrite({TinyBmsDeviceEventType::kWokeUp});
}

Duration TinyBmsDevice::broadcast_period() const {
  constexpr std::array<Duration, 8> kPeriods{0ms, 100ms, 200ms, 500ms, 1s, 2s, 5s, 10s};
  return kPeriods[std::min<std::size_t>(registers_[reg::kBroadcastPeriod] & 0xFFU, kPeriods.size() - 1)];
}

void TinyBmsDevice::handle_bytes(TimePoint now, ByteSpan bytes) {
  if (bytes.empty()) {
    return;
  }
  update_lifetime(now);
  if (fault_ == TinyBmsFault::kSilent || now < silent_until_) {
    ++counters_.lost_while_silent;
    return;
  }
  if (is_asleep_) {
    ++counters_.lost_while_asleep;
    wake_up(now);
    return;
  }
  if (reader_.has_partial() && now - last_byte_ >= kCharacterGap) {
    reader_.flush();
    serve_incoming(now);
  }
  last_byte_ = now;
  while (!bytes.empty()) {
    bytes = reader_.feed(bytes);
    serve_incoming(now);
  }
}

void TinyBmsDevice::serve_incoming(TimePoint now) {
  while (const auto incoming = reader_.poll()) {
    last_request_ = now;
    if (!incoming->request) {
      reply_nack(now, incoming->command_code, incoming->error);
    } else if (fault_ == TinyBmsFault::kNack) {
      reply_nack(now, incoming->command_code, tinybms::kErrorCommand);
    } else {
      serve(now, *incoming->request);
    }
  }
}

void TinyBmsDevice::handle_timeout(TimePoint now) {
  if (reader_.has_partial() && now - last_byte_ >= kCharacterGap) {
    reader_.flush();
    serve_incoming(now);
  }
  if (config_.is_sleepy && !is_asleep_ && now - last_request_ >= config_.sleep_after) {
    fall_asleep(now);
  }
  const Duration period = broadcast_period();
  if (period == Duration::zero() || is_asleep_ || fault_ == TinyBmsFault::kSilent) {
    broadcast_at_ = kNever;
    return;
  }
  if (broadcast_at_ == kNever) {
    broadcast_at_ = now + period;
  } else if (broadcast_at_ <= now) {
    broadcast_at_ = now + period;
    if (output_.is_empty() && now >= silent_until_) {
      send_broadcast(now);
    }
  }
}

TimePoint TinyBmsDevice::poll_timeout() const {
  TimePoint next = broadcast_at_;
  if (has_output()) {
    next = earliest(next, output_at_);
  }
  if (reader_.has_partial()) {
    next = earliest(next, last_byte_ + kCharacterGap);
  }
  if (config_.is_sleepy && !is_asleep_) {
    next = earliest(next, last_request_ + config_.sleep_after);
  }
  return next;
}

std::size_t TinyBmsDevice::poll_transmit(TimePoint now, MutableByteSpan out) {
  if (!has_output() || now < output_at_) {
    return 0;
  }
  std::size_t size = 0;
  while (size < out.size() && has_output()) {
    out[size++] = *output_.pop();
  }
  return size;
}

void TinyBmsDevice::send(TimePoint now, ByteSpan frame) {
  std::size_t size = frame.size();
  if (fault_ == TinyBmsFault::kTruncated) {
    size -= 1 + rng_.below(static_cast<std::uint32_t>(size - 1));
  }
  const std::size_t corrupted =
      fault_ == TinyBmsFault::kCorrupt ? rng_.below(static_cast<std::uint32_t>(size)) : size;
  for (std::size_t i = 0; i < size; ++i) {
    (void)output_.push(static_cast<std::uint8_t>(frame[i] ^ (i == corrupted ? kTinyBmsCorruptedBit : 0U)));
  }
  is_holding_ = fault_ == TinyBmsFault::kJoined && !is_holding_;
  held_size_ = is_holding_ ? size : 0;
  output_at_ = now + config_.reply_delay;
}

void TinyBmsDevice::reply_ack(TimePoint now, Command command) {
  std::array<std::uint8_t, 8> frame{};
  const auto size = tinybms::encode_ack(command, frame);
  send(now, ByteSpan{frame}.first(*size));
}

void TinyBmsDevice::reply_nack(TimePoint now, std::uint8_t command_code, std::uint8_t error) {
  std::array<std::uint8_t, 8> frame{};
  ++counters_.nacks;
  const auto size = tinybms::encode_nack(command_code, error, frame);
  send(now, ByteSpan{frame}.first(*size));
}

void TinyBmsDevice::reply_data(TimePoint now, Command command, ByteSpan payload) {
  // Room for packets of one byte each, the smallest that the configuration allows.
  std::array<std::uint8_t, 6 * tinybms::kPayloadSizeMax> frames{};
  const auto size = tinybms::encode_data(command, payload, frames, config_.packet_payload_size);
  if (!size) {
    reply_nack(now, static_cast<std::uint8_t>(command), tinybms::kErrorCommand);
    return;
  }
  send(now, ByteSpan{frames}.first(*size));
}

void TinyBmsDevice::serve(TimePoint now, const tinybms::Request& request) {
  ++counters_.requests;
  switch (request.command) {
    case Command::kControl:
      serve_control(now, static_cast<tinybms::ControlOption>(request.option));
      break;
    case Command::kReadModbus:
    case Command::kReadBlock:
    case Command::kReadIndividual:
      serve_read(now, request);
      break;
    case Command::kWriteBlock:
    case Command::kWriteIndividual:
    case Command::kWriteModbus:
      serve_write(now, request);
      break;
    case Command::kNewestEvents:
    case Command::kAllEvents:
      serve_events(now, request.command);
      break;
    case Command::kSettings:
      serve_settings(now, request);
      break;
    default:
      serve_query(now, request.command);
      break;
  }
}

void TinyBmsDevice::serve_control(TimePoint now, tinybms::ControlOption option) {
  reply_ack(now, Command::kControl);
  switch (option) {
    case tinybms::ControlOption::kClearEvents:
      std::fill_n(registers_.begin() + reg::kEventFirst, kEventWordCount, std::uint16_t{0});
      break;
    case tinybms::ControlOption::kClearStatistics:
      std::fill_n(registers_.begin() + 100, 14, std::uint16_t{0});
      registers_[reg::kStatisticsCleared] = registers_[reg::kLifetime];
      registers_[reg::kStatisticsCleared + 1] = registers_[reg::kLifetime + 1];
      break;
    case tinybms::ControlOption::kReset:
      reset(now);
      break;
  }
}

void TinyBmsDevice::reset(TimePoint now) {
  constexpr std::uint16_t kResetMask = 0xFF00;
  constexpr std::uint16_t kSoftwareReset = 4;
  silent_until_ = now + config_.restart_time;
  registers_[114] = static_cast<std::uint16_t>((registers_[114] & kResetMask) | kSoftwareReset);
  add_event(now, tinybms::event::kSystemStarted);
  (void)events_out_.push_overwrite({TinyBmsDeviceEventType::kReset});
}

void TinyBmsDevice::serve_read(TimePoint now, const tinybms::Request& request) {
  std::array<std::uint8_t, tinybms::kPayloadSizeMax> payload{};
  ByteWriter writer{payload};
  const bool is_individual = request.command == Command::kReadIndividual;
  const Endian endian = request.command == Command::kReadModbus ? Endian::kBig : Endian::kLittle;
  for (std::size_t i = 0; i < request.count; ++i) {
    const std::size_t number = is_individual ? request.words[i].number : request.address + i;
    if (number >= kRegisterCount) {
      reply_nack(now, static_cast<std::uint8_t>(request.command), tinybms::kErrorCommand);
      return;
    }
    if (is_individual) {
      writer.u16(static_cast<std::uint16_t>(number));
    }
    writer.u16(registers_[number], endian);
  }
  reply_data(now, request.command, writer.written());
}

// The rules by which the device judges a write: the registers exist, their new values are in range, and the
// bounds between settings still hold.
bool TinyBmsDevice::may_write(const tinybms::Request& request) const {
  constexpr std::size_t kCount = tinybms::kSettingsBlock.count;
  std::array<std::uint16_t, kCount> before{};
  std::copy_n(registers_.begin() + tinybms::kSettingsBlock.address, kCount, before.begin());
  std::array<std::uint16_t, kCount> after = before;
  std::array<bool, kCount> is_touched{};
  for (std::size_t i = 0; i < request.count; ++i) {
    const tinybms::RegisterWord& word = request.words[i];
    if (word.number < kWritableFirst || word.number > kWritableLast) {
      return false;
    }
    const std::size_t index = static_cast<std::size_t>(word.number) - kWritableFirst;
    if (index < kCount) {
      after[index] = word.value;
      is_touched[index] = true;
    }
  }
  std::array<tinybms::RegisterWrite, tinybms::kWriteCountMax> writes{};
  std::size_t count = 0;
  for (const tinybms::Register& entry : tinybms::registers()) {
    const std::size_t index = static_cast<std::size_t>(entry.number) - kWritableFirst;
    if (!entry.is_writable || index >= kCount) {
      continue;
    }
    if (is_touched[index] || (tinybms::word_count(entry) == 2 && is_touched[index + 1])) {
      const auto value = tinybms::raw_value(entry, std::span{after}.subspan(index));
      if (!value) {
        return false;
      }
      writes[count++] = {entry.number, *value};
    }
  }
  tinybms::SettingsImage image;
  image.store(TimePoint{}, before);
  return count == 0 || !tinybms::check_writes(image, std::span{writes}.first(count));
}

void TinyBmsDevice::serve_write(TimePoint now, const tinybms::Request& request) {
  if (!may_write(request)) {
    reply_nack(now, static_cast<std::uint8_t>(request.command), tinybms::kErrorCommand);
    return;
  }
  silent_until_ = now + config_.flash_save;
  for (std::size_t i = 0; i < request.count; ++i) {
    store_word(now, request.words[i].number, request.words[i].value);
  }
  if (request.command != Command::kWriteModbus) {
    reply_ack(now, request.command);
    return;
  }
  std::array<std::uint8_t, 4> echo{};
  store<std::uint16_t>(echo.data(), request.address, Endian::kBig);
  store<std::uint16_t>(echo.data() + 2, request.count, Endian::kBig);
  reply_data(now, request.command, echo);
}

void TinyBmsDevice::store_word(TimePoint now, std::uint16_t number, std::uint16_t value) {
  constexpr std::uint16_t kTakenOver = 0xFFFF;
  constexpr std::uint16_t kOperationMode = 340;
  ++counters_.settings_writes;
  (void)events_out_.push_overwrite({TinyBmsDeviceEventType::kSettingWritten, number, value});
  if (number == reg::kSetSoc && value != kTakenOver) {
    measure_pair(reg::kSoc, std::uint32_t{value} * 2000);  // 0.002 % in 1e-6 %
    value = kTakenOver;
  } else if (number == reg::kSetSoh && value != kTakenOver) {
    measure(reg::kSoh, value);
    value = kTakenOver;
  } else if (number == kOperationMode && registers_[number] != value) {
    reset(now);
  } else if (number == reg::kBroadcastPeriod) {
    broadcast_at_ = now;
  }
  registers_[number] = value;
}

void TinyBmsDevice::serve_events(TimePoint now, Command command) {
  std::array<std::uint32_t, tinybms::kEventCountMax> events{};
  std::size_t count = 0;
  for (std::uint16_t i = 0; i < kEventWordCount; i = static_cast<std::uint16_t>(i + 2)) {
    const std::uint32_t word = pair(static_cast<std::uint16_t>(reg::kEventFirst + i));
    if ((word >> 24U) != 0) {
      events[count++] = word;
    }
  }
  const std::size_t first =
      command == Command::kNewestEvents && count > kNewestEventCount ? count - kNewestEventCount : 0;
  std::array<std::uint8_t, tinybms::kPayloadSizeMax> payload{};
  ByteWriter writer{payload};
  writer.u32(pair(reg::kLifetime));
  for (std::size_t i = first; i < count; ++i) {
    writer.u32(events[i]);
  }
  reply_data(now, command, writer.written());
}

void TinyBmsDevice::serve_settings(TimePoint now, const tinybms::Request& request) {
  std::array<std::uint16_t, tinybms::kSettingsCountMax> words{};
  const auto option = static_cast<tinybms::SettingsOption>(request.option);
  if (option == tinybms::SettingsOption::kDefault) {
    std::copy(defaults_.begin(), defaults_.end(), words.begin());
  } else if (option == tinybms::SettingsOption::kCurrent) {
    std::copy_n(registers_.begin() + kWritableFirst, words.size(), words.begin());
  } else {
    for (const tinybms::Register& entry : tinybms::registers()) {
      if (entry.is_writable) {
        const bool is_min = option == tinybms::SettingsOption::kMin;
        tinybms::raw_words(entry, is_min ? entry.min : entry.max,
                           std::span{words}.subspan(static_cast<std::size_t>(entry.number - kWritableFirst)));
      }
    }
  }
  std::array<std::uint8_t, tinybms::kPayloadSizeMax> payload{};
  ByteWriter writer{payload};
  for (std::size_t i = 0; i < request.count; ++i) {
    writer.u16(words[i]);
  }
  reply_data(now, request.command, writer.written());
}

void TinyBmsDevice::serve_query(TimePoint now, Command command) {
  std::array<std::uint8_t, 40> payload{};
  ByteWriter writer{payload};
  const auto low_byte = [this](std::uint16_t number) {
    return static_cast<std::uint8_t>(registers_[number]);
  };
  const auto high_byte = [this](std::uint16_t number) {
    return static_cast<std::uint8_t>(registers_[number] >> 8U);
  };
  switch (command) {
    case Command::kPackVoltage:
      writer.u32(pair(reg::kPackVoltage));
      break;
    case Command::kPackCurrent:
      writer.u32(pair(reg::kPackCurrent));
      break;
    case Command::kCellMax:
      writer.u16(registers_[reg::kCellMax]);
      break;
    case Command::kCellMin:
      writer.u16(registers_[reg::kCellMin]);
      break;
    case Command::kStatus:
      writer.u16(registers_[reg::kStatus]);
      break;
    case Command::kLifetime:
      writer.u32(pair(reg::kLifetime));
      break;
    case Command::kSoc:
      writer.u32(pair(reg::kSoc));
      break;
    case Command::kTemperatures:
      writer.u16(registers_[reg::kInternalTemperature]);
      writer.u16(registers_[reg::kExternalTemperature1]);
      writer.u16(registers_[reg::kExternalTemperature2]);
      break;
    case Command::kCellVoltages:
      for (std::size_t i = tinybms::kCellSlotCount - cell_count(); i < tinybms::kCellSlotCount; ++i) {
        writer.u16(registers_[i]);
      }
      break;
    case Command::kVersion:
    case Command::kExtendedVersion:
      writer.u8(low_byte(reg::kHardware));
      writer.u8(high_byte(reg::kHardware));
      writer.u8(low_byte(reg::kPublicFirmware));
      writer.u16(registers_[reg::kInternalFirmware]);
      if (command == Command::kExtendedVersion) {
        writer.u8(low_byte(503));
        writer.u8(high_byte(503));
      }
      break;
    default:  // kSpeed: all other commands are served elsewhere
      writer.u32(pair(54));
      writer.u32(registers_[44]);
      writer.u32(pair(reg::kTimeLeft));
      break;
  }
  reply_data(now, command, writer.written());
}

void TinyBmsDevice::send_broadcast(TimePoint now) {
  // The ASCII protocol of the manual; the two others are binary displays and not modelled.
  std::array<char, 256> text{};
  const auto milli = [this](std::uint16_t number) {
    return static_cast<long>(tinybms::milli_from_float(pair(number)).value_or(0));
  };
  const long current = milli(reg::kPackCurrent);
  const long temperature = static_cast<std::int16_t>(registers_[reg::kInternalTemperature]);
  const int size = std::snprintf(text.data(), text.size(),
                                 "BPV:%ld.%02ld\tMINCV:%u.%03u\tMAXCV:%u.%03u\tBPC:%s%ld.%02ld\tSOC:%u\tBMST:"
                                 "%ld.%ld0\tEXT1:----\tEXT2:----\t"
                                 "OS:%u\tCB:0000000000000000\tLST:0\tLSS:1\tCST:0\tCSS:0\r\n",
                                 milli(reg::kPackVoltage) / 1000, milli(reg::kPackVoltage) % 1000 / 10,
                                 registers_[reg::kCellMin] / 1000U, registers_[reg::kCellMin] % 1000U,
                                 registers_[reg::kCellMax] / 1000U, registers_[reg::kCellMax] % 1000U,
                                 current < 0 ? "-" : "", std::labs(current) / 1000,
                                 std::labs(current) % 1000 / 10, pair(reg::kSoc) / 1'000'000U,
                                 temperature / 10, std::labs(temperature % 10), registers_[reg::kStatus]);
  for (int i = 0; i < size; ++i) {
    (void)output_.push(static_cast<std::uint8_t>(text[static_cast<std::size_t>(i)]));
  }
  output_at_ = now;
}

}  // namespace amphora::sim
