// SPDX-License-Identifier: Apache-2.0
// What commands of the gateway do to a pack.
#include "core/node/pack/mode_settings.hpp"
#include "core/node/pack/pack.hpp"

namespace amphora::node {

namespace {

using packnet::CommandResult;
using packnet::Opcode;

CommandResult to_result(std::optional<energy::OrderError> refusal) {
  if (!refusal) {
    return CommandResult::kDone;
  }
  switch (*refusal) {
    case energy::OrderError::kNotFitted:
      return CommandResult::kUnsupported;
    case energy::OrderError::kBadDuration:
      return CommandResult::kOutOfRange;
    case energy::OrderError::kHeldByMode:
      break;
  }
  return CommandResult::kNotAllowed;
}

}  // namespace

bool Pack::take_commands(TimePoint now) {
  bool has_news = false;
  while (const auto received = network_.gate().poll_command()) {
    has_news = true;
    carry_out(now, *received);
  }
  return has_news;
}

void Pack::carry_out(TimePoint now, const packnet::ReceivedCommand& received) {
  const packnet::Command& command = received.command;
  const auto opcode = static_cast<std::uint8_t>(command.opcode);
  switch (command.opcode) {
    case Opcode::kSetMode:
    case Opcode::kSetValue:
    case Opcode::kSetWindow:
      change_by_command(now, received);
      return;
    case Opcode::kSetRelay:
      finish(now, received.ticket, opcode, order_by_command(now, command));
      return;
    case Opcode::kResetGridEnergy:
      control_.reset_import_energy(now);
      finish(now, received.ticket, opcode, CommandResult::kDone);
      return;
    case Opcode::kIdentify:
      identify(now, std::chrono::seconds{command.arguments[0]});
      finish(now, received.ticket, opcode, CommandResult::kDone);
      return;
    case Opcode::kRestart:
      emit(now, PackEvent{.kind = PackEvent::Kind::kRestartOrdered});
      finish(now, received.ticket, opcode, CommandResult::kDone);
      return;
    case Opcode::kRequestSection:
    case Opcode::kUpdateControl:
    case Opcode::kEpoch:
    case Opcode::kSeal:
      break;
  }
  finish(now, received.ticket, opcode, CommandResult::kUnsupported);
}

CommandResult Pack::order_by_command(TimePoint now, const packnet::Command& command) {
  const energy::Relay relay = energy::relay_at(static_cast<std::size_t>(command.arguments[0]));
  const auto order = static_cast<packnet::RelayOrder>(command.arguments[1]);
  if (order == packnet::RelayOrder::kAuto) {
    control_.release(now, relay);
    return CommandResult::kDone;
  }
  const Duration lasts =
      command.arguments[2] == 0 ? kOrderUntilChanged : std::chrono::minutes{command.arguments[2]};
  const auto position =
      order == packnet::RelayOrder::kOn ? energy::Position::kClosed : energy::Position::kOpen;
  return to_result(control_.order(now, relay, position, lasts));
}

void Pack::change_by_command(TimePoint now, const packnet::ReceivedCommand& received) {
  const auto opcode = static_cast<std::uint8_t>(received.command.opcode);
  const auto content = changed_by(received.command, replica_);
  if (!content.ok()) {
    finish(now, received.ticket, opcode, content.error());
    return;
  }
  const bool is_new = !(replica_.current(content->section).payload == content->payload);
  if (is_new) {
    write_by_command(now, *content);
  }
  if (const state::Record* durable = replica_.durable(content->section);
      durable != nullptr && durable->payload == content->payload) {
    finish(now, received.ticket, opcode, CommandResult::kDone);
    return;
  }
  for (Pending& pending : pending_) {
    if (!pending.is_used) {
      pending = {received.ticket, opcode, content->section, true};
      return;
    }
  }
  finish(now, received.ticket, opcode, CommandResult::kBusy);
}

// The master's change is a new one. Everybody else's is the smallest step after what he had, so that of packs
// which had not the same before, the master's wins, or, without one, that of a pack with the newest content.
void Pack::write_by_command(TimePoint now, const SectionContent& content) {
  if (network_.is_master() || !network_.master()) {
    (void)replica_.change(now, content.section, content.payload.bytes());
    return;
  }
  state::Record record = replica_.current(content.section);
  ++record.version;
  record.stamp = state::successor(record.stamp);
  record.origin = replica_.self();
  record.payload = content.payload;
  (void)replica_.merge(now, content.section, record);
}

void Pack::finish_durable(TimePoint now, state::SectionId section, CommandResult result) {
  if (result == CommandResult::kDone && replica_.durable(section) == nullptr) {
    return;  // an earlier content is; the one that was commanded is still being written
  }
  for (Pending& pending : pending_) {
    if (pending.is_used && pending.section == section) {
      pending.is_used = false;
      finish(now, pending.ticket, pending.opcode, result);
    }
  }
}

void Pack::finish(TimePoint now, std::uint32_t ticket, std::uint8_t opcode, CommandResult result) {
  network_.gate().finish(now, ticket, result);
  emit(now, PackEvent{.kind = PackEvent::Kind::kCommand, .opcode = opcode, .result = result});
}

}  // namespace amphora::node
