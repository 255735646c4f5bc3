// SPDX-License-Identifier: Apache-2.0
// Hostile acknowledgements, orders and times into the gateway's sender of commands: polling ends, time-outs
// lie ahead, no number is used twice or before it is durable, every order ends.
//
// Input: records of 1 byte operation, 1 byte time step in 10 ms, then what the operation needs; missing bytes
// read as zero. The first byte chooses sealed or plain and where the counter starts.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "core/packnet/commander.hpp"

namespace {

using namespace amphora;
using namespace amphora::packnet;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Rig {
  explicit Rig(std::uint8_t kind)
      : commander{CommanderConfig{(kind & 1U) != 0, {}, start_of(kind)}}, durable{start_of(kind)} {}
  static std::uint64_t start_of(std::uint8_t kind) {
    return (kind & 2U) != 0 ? kCounterMax - 0x3'0000 : kind;
  }

  void pump(TimePoint now) {
    int polls = 0;
    for (int round = 0; round < 8 && (round == 0 || commander.poll_timeout() <= now); ++round) {
      commander.handle_timeout(now);
      if (const auto counter = commander.poll_store()) {
        require(*counter > durable && *counter <= kCounterMax);
        durable = *counter;
        commander.handle_stored(now, *counter);
      }
      while (const auto frame = commander.poll_transmit(now)) {
        require(++polls < 10'000 && decode(encode(*frame)).ok());
        if (frame->opcode < static_cast<std::uint8_t>(Opcode::kEpoch)) {
          last_sequence = frame->sequence;
          require(decode_command(*frame).command.has_value());
        }
      }
      while (const auto event = commander.poll_event()) {
        const bool is_over = event->kind == CommanderEvent::Kind::kOver;
        require(open.contains(event->ticket) && (is_over || event->outcome != Outcome::kWaiting));
        if (is_over) {
          require(open.erase(event->ticket) == 1);
        }
      }
    }
    require(commander.poll_timeout() > now);
    require(open.size() == commander.orders_under_way() && open.size() <= kOrdersMax);
  }

  void order(ByteReader& reader, TimePoint now) {
    const Node to = reader.u8();
    const std::array<Node, 4> nodes{reader.u8(), 2, 3, 4};
    Command command{static_cast<Opcode>(reader.u8() % 12), {}};
    for (std::int32_t& argument : command.arguments) {
      argument = reader.u8();
    }
    const auto ticket = commander.order(now, to, command, nodes);
    require(!ticket.ok() || (!check(command) && open.insert(*ticket).second));
  }

  void acknowledge(ByteReader& reader, TimePoint now) {
    Acknowledgement answer;
    answer.node = static_cast<Node>(reader.u8() % 128);
    answer.opcode = reader.u8();
    answer.sequence = static_cast<std::uint8_t>(last_sequence + reader.u8());
    answer.result = static_cast<CommandResult>(reader.u8() % (kCommandResultMax + 1));
    answer.detail = reader.u32();
    commander.handle_acknowledgement(now, answer);
  }

  Commander commander;
  std::uint64_t durable;
  std::uint8_t last_sequence = 0;
  std::set<OrderTicket> open;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Rig rig{reader.u8()};
  TimePoint now{std::chrono::seconds{1}};
  rig.commander.set_active(now, true);
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    now += std::chrono::milliseconds{10} * reader.u8();
    rig.pump(now);
    switch (operation % 8) {
      case 0:
        rig.commander.set_active(now, (operation & 8U) != 0);
        break;
      case 1:
      case 2:
        rig.order(reader, now);
        break;
      default:
        rig.acknowledge(reader, now);
    }
    rig.pump(now);
  }
  for (int i = 0; i < 400 && !rig.open.empty(); ++i) {
    now += std::chrono::milliseconds{500};
    rig.pump(now);
  }
  require(rig.open.empty());
  return 0;
}
