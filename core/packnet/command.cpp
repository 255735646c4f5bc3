// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/command.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::packnet {

namespace {

// Wrong seals are counted over this time.
constexpr Duration kSealTriesWithin = std::chrono::seconds{60};
constexpr std::size_t kEpochSize = 4;

constexpr bool is_sound() {
  for (const OpcodeInfo& info : kOpcodes) {
    if (info.size() > kArgumentSizeMax || info.opcode >= Opcode::kEpoch) {
      return false;
    }
  }
  return true;
}
static_assert(is_sound(), "every command fits into one frame");

struct Bounds {
  std::int32_t min;
  std::int32_t max;
};
Bounds bounds_of(const OpcodeInfo& info, std::size_t position, const Command& command) {
  if (info.opcode == Opcode::kSetValue && position == 1) {
    const auto id = static_cast<ValueId>(command.arguments[0]);
    const auto value = std::ranges::find(kValues, id, &ValueInfo::id);
    return value != kValues.end() ? Bounds{value->min, value->max} : Bounds{0, -1};
  }
  return {info.arguments[position].min, info.arguments[position].max};
}

std::array<std::uint8_t, kMacSize> mac_of(const crypto::Key& key, std::uint64_t counter,
                                          const CommandFrame& command) {
  std::array<std::uint8_t, 1 + 8 + 2 + kArgumentSizeMax> bytes{};
  ByteWriter writer{bytes};
  writer.u8(command.to);
  writer.write(counter);
  writer.u8(command.opcode);
  writer.u8(command.sequence);
  writer.bytes(command.payload());
  AMPHORA_ASSERT(writer.ok());
  const crypto::Key full = crypto::derive_key(key, "amphora pack command seal", writer.written());
  std::array<std::uint8_t, kMacSize> mac{};
  std::copy_n(full.begin(), kMacSize, mac.begin());
  return mac;
}

// The lowest counter from `floor` on that ends in these 16 bits.
std::uint64_t counter_from(std::uint64_t floor, std::uint16_t low) {
  const std::uint64_t candidate = (floor & ~std::uint64_t{0xFFFF}) | low;
  return candidate >= floor ? candidate : candidate + 0x1'0000;
}

}  // namespace

const OpcodeInfo* find_opcode(std::uint8_t opcode) {
  const auto found = std::ranges::find(kOpcodes, static_cast<Opcode>(opcode), &OpcodeInfo::opcode);
  return found != kOpcodes.end() ? &*found : nullptr;
}

std::optional<CommandError> check(const Command& command) {
  const OpcodeInfo* info = find_opcode(static_cast<std::uint8_t>(command.opcode));
  if (info == nullptr) {
    return CommandError{CommandResult::kUnknownOpcode, 0};
  }
  for (std::size_t i = 0; i < kArgumentsMax; ++i) {
    const auto [min, max] = bounds_of(*info, i, command);
    if (command.arguments[i] < min || command.arguments[i] > max) {
      return CommandError{CommandResult::kOutOfRange, static_cast<std::uint8_t>(i)};
    }
  }
  if (command.opcode == Opcode::kSetWindow && command.arguments[2] == command.arguments[3] &&
      command.arguments[1] != 0) {
    return CommandError{CommandResult::kOutOfRange, 3};
  }
  return std::nullopt;
}

CommandFrame encode_command(Node to, std::uint8_t sequence, const Command& command) {
  AMPHORA_ASSERT(!check(command) && (is_node(to) || to == kNodeAll));
  const OpcodeInfo* info = find_opcode(static_cast<std::uint8_t>(command.opcode));
  CommandFrame frame{to, static_cast<std::uint8_t>(command.opcode), sequence, 0, {}};
  ByteWriter writer{frame.arguments};
  for (std::size_t i = 0; i < kArgumentsMax; ++i) {
    auto rest = static_cast<std::uint32_t>(command.arguments[i]);
    for (std::uint8_t byte = 0; byte < info->arguments[i].size; ++byte, rest >>= 8U) {
      writer.u8(static_cast<std::uint8_t>(rest & 0xFFU));
    }
  }
  frame.size = static_cast<std::uint8_t>(writer.size());
  return frame;
}

DecodedCommand decode_command(const CommandFrame& frame) {
  const OpcodeInfo* info = find_opcode(frame.opcode);
  if (info == nullptr) {
    return {std::nullopt, {CommandResult::kUnknownOpcode, 0}};
  }
  if (frame.size != info->size()) {
    return {std::nullopt, {CommandResult::kBadLength, 0}};
  }
  Command command{info->opcode, {}};
  ByteReader reader{frame.payload()};
  for (std::size_t i = 0; i < kArgumentsMax; ++i) {
    std::uint32_t value = 0;
    for (std::uint8_t byte = 0; byte < info->arguments[i].size; ++byte) {
      value |= std::uint32_t{reader.u8()} << (8U * byte);
    }
    command.arguments[i] = static_cast<std::int32_t>(value);
  }
  if (const auto error = check(command)) {
    return {std::nullopt, *error};
  }
  return {command, {}};
}

crypto::Key command_key(const crypto::Key& bus_key, HardwareNumber gateway) {
  std::array<std::uint8_t, 8> context{};
  store(context.data(), gateway, Endian::kLittle);
  return crypto::derive_key(bus_key, "amphora pack command key", context);
}

CommandFrame make_seal(const crypto::Key& key, std::uint64_t counter, const CommandFrame& command) {
  CommandFrame seal{
      command.to, static_cast<std::uint8_t>(Opcode::kSeal), command.sequence, kArgumentSizeMax, {}};
  ByteWriter writer{seal.arguments};
  writer.u16(static_cast<std::uint16_t>(counter & 0xFFFFU));
  writer.bytes(mac_of(key, counter, command));
  return seal;
}

// ---- the gate

CommandFrame make_epoch(std::uint64_t counter, const CommandFrame& command) {
  AMPHORA_ASSERT(counter <= kCounterMax);
  CommandFrame frame{command.to, static_cast<std::uint8_t>(Opcode::kEpoch), command.sequence, kEpochSize, {}};
  store(frame.arguments.data(), static_cast<std::uint32_t>(counter >> 16U), Endian::kLittle);
  return frame;
}

CommandGate::CommandGate(const GateConfig& config)
    : config_{config}, floor_{config.floor}, stored_floor_{config.floor} {}

void CommandGate::refuse(const CommandFrame& frame, CommandResult result, std::uint32_t detail) {
  ++metrics_.refused;
  (void)answers_.push_overwrite(Acknowledgement{kNodeNone, frame.opcode, frame.sequence, result, detail});
}

void CommandGate::handle_frame(TimePoint now, const CommandFrame& frame) {
  if (is_closed_) {
    ++metrics_.dropped;
    return;
  }
  const bool is_seal = frame.opcode == static_cast<std::uint8_t>(Opcode::kSeal);
  const bool is_epoch = frame.opcode == static_cast<std::uint8_t>(Opcode::kEpoch);
  if (!config_.is_sealed) {
    if (!is_seal && !is_epoch && !answer_again(now, frame)) {
      accept(frame, 0);
    }
    return;
  }
  if (is_seal) {
    handle_seal(now, frame);
    return;
  }
  if (is_epoch) {
    epoch_ = frame;
    return;
  }
  if (unsealed_) {
    ++metrics_.not_authentic;
    refuse(*unsealed_, CommandResult::kNotAuthentic, 0);
  }
  unsealed_ = frame;
  timers_.set(Timer::kSeal, now + kSealWait);
}

// The whole counter of the seal of `command`: with the epoch that came before it, else the next from the
// floor.
std::uint64_t CommandGate::complete(std::uint16_t low, const CommandFrame& command) const {
  if (epoch_ && epoch_->to == command.to && epoch_->sequence == command.sequence &&
      epoch_->size == kEpochSize) {
    return (std::uint64_t{load<std::uint32_t>(epoch_->arguments.data(), Endian::kLittle)} << 16U) | low;
  }
  return counter_from(floor_, low);
}

void CommandGate::handle_seal(TimePoint now, const CommandFrame& seal) {
  if (!unsealed_ || unsealed_->sequence != seal.sequence || unsealed_->to != seal.to) {
    return;  // the command itself was lost; it will come again
  }
  const CommandFrame frame = *unsealed_;
  unsealed_.reset();
  timers_.cancel(Timer::kSeal);
  if (seal.size != kArgumentSizeMax) {
    refuse(frame, CommandResult::kBadLength, 0);
    return;
  }
  const auto low = load<std::uint16_t>(seal.arguments.data(), Endian::kLittle);
  const ByteSpan mac = ByteSpan{seal.arguments}.subspan(2);
  const std::uint64_t counter = complete(low, frame);
  epoch_.reset();
  if (counter >= floor_ && counter <= kCounterMax &&
      crypto::is_equal(mac, mac_of(config_.key, counter, frame))) {
    // Never half a step: what is accepted must be covered by what is stored.
    const std::uint64_t needed = counter >= stored_floor_ ? counter + kFloorStep : 0;
    floor_ = counter + 1;
    accept(frame, needed);
    return;
  }
  // Perhaps one that was good before: a repetition, or a gateway that is behind.
  const std::uint64_t before = counter >= floor_ && counter >= 0x1'0000 ? counter - 0x1'0000 : counter;
  if (before < floor_ && crypto::is_equal(mac, mac_of(config_.key, before, frame))) {
    if (!answer_again(now, frame)) {
      ++metrics_.replayed;
      refuse(frame, CommandResult::kReplayed, static_cast<std::uint32_t>(floor_ & 0xFFFF'FFFFU));
    }
    return;
  }
  ++metrics_.not_authentic;
  refuse(frame, CommandResult::kNotAuthentic, 0);
  count_bad_seal(now);
}

void CommandGate::count_bad_seal(TimePoint now) {
  if (bad_seals_ == 0 || now - bad_seals_since_ > kSealTriesWithin) {
    bad_seals_ = 0;
    bad_seals_since_ = now;
  }
  if (++bad_seals_ < kSealTriesMax) {
    return;
  }
  bad_seals_ = 0;
  is_closed_ = true;
  timers_.set(Timer::kOpen, now + kGateClosed);
  (void)events_.push_overwrite(GateEvent{now, GateEvent::Kind::kClosed});
}

bool CommandGate::answer_again(TimePoint now, const CommandFrame& frame) {
  for (const Entry& entry : entries_) {
    if (entry.stage == Stage::kFree || !(entry.frame == frame)) {
      continue;
    }
    if (entry.stage != Stage::kFinished) {
      ++metrics_.repeated;
      return true;  // its answer is still to come
    }
    if (now - entry.finished_at <= kRepeatTime) {
      ++metrics_.repeated;
      (void)answers_.push_overwrite(entry.answer);
      return true;
    }
  }
  return false;
}

void CommandGate::accept(const CommandFrame& frame, std::uint64_t floor_needed) {
  const DecodedCommand decoded = decode_command(frame);
  if (!decoded.command) {
    refuse(frame, decoded.error.result, decoded.error.argument);
    return;
  }
  // A free place, else the one that was finished first.
  Entry* place = nullptr;
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kFree) {
      place = &entry;
      break;
    }
    if (entry.stage == Stage::kFinished && (place == nullptr || entry.finished_at < place->finished_at)) {
      place = &entry;
    }
  }
  if (place == nullptr) {
    ++metrics_.dropped;
    refuse(frame, CommandResult::kBusy, 0);
    return;
  }
  ++metrics_.accepted;
  *place = Entry{};
  place->stage = floor_needed > stored_floor_ ? Stage::kStoring : Stage::kReady;
  place->ticket = next_ticket_++;
  place->frame = frame;
  place->command = *decoded.command;
  place->floor_needed = floor_needed;
  if (place->stage == Stage::kStoring) {
    to_store_ = std::max(to_store_.value_or(0), floor_needed);
  }
}

void CommandGate::handle_timeout(TimePoint now) {
  while (const auto timer = timers_.pop_due(now)) {
    if (*timer == Timer::kSeal && unsealed_) {
      ++metrics_.not_authentic;
      refuse(*unsealed_, CommandResult::kNotAuthentic, 0);
      unsealed_.reset();
    } else if (*timer == Timer::kOpen) {
      is_closed_ = false;
      (void)events_.push_overwrite(GateEvent{now, GateEvent::Kind::kOpened});
    }
  }
}

std::optional<std::uint64_t> CommandGate::poll_store() {
  const std::optional<std::uint64_t> floor = to_store_;
  to_store_.reset();
  return floor;
}

void CommandGate::handle_stored(TimePoint, std::uint64_t floor) {
  stored_floor_ = std::max(stored_floor_, floor);
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kStoring && entry.floor_needed <= stored_floor_) {
      entry.stage = Stage::kReady;
    }
  }
}

std::optional<ReceivedCommand> CommandGate::poll_command() {
  Entry* first = nullptr;
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kReady && (first == nullptr || entry.ticket < first->ticket)) {
      first = &entry;
    }
  }
  if (first == nullptr) {
    return std::nullopt;
  }
  first->stage = Stage::kRunning;
  return ReceivedCommand{first->ticket, first->command, first->frame.to == kNodeAll};
}

void CommandGate::finish(TimePoint now, std::uint32_t ticket, CommandResult result, std::uint32_t detail) {
  for (Entry& entry : entries_) {
    if (entry.stage == Stage::kRunning && entry.ticket == ticket) {
      entry.stage = Stage::kFinished;
      entry.finished_at = now;
      entry.answer = Acknowledgement{kNodeNone, entry.frame.opcode, entry.frame.sequence, result, detail};
      (void)answers_.push_overwrite(entry.answer);
    }
  }
}

std::optional<Acknowledgement> CommandGate::poll_transmit(TimePoint) {
  return answers_.pop();
}

}  // namespace amphora::packnet
