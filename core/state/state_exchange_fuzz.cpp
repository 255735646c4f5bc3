// SPDX-License-Identifier: Apache-2.0
// Any sequence of inputs to a replica and its exchange: nothing asserts, polling ends, neither version nor
// stamp runs backwards, what is offered and acknowledged is durable.
//
// Input: records of 1 byte operation, 1 byte time step, then what the operation needs; missing bytes read as
// zero.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/state/exchange.hpp"
#include "core/state/session.hpp"

namespace {

using namespace amphora;
using namespace amphora::state;

constexpr SectionSpec kSpecs[] = {{0, "facts", false}, {1, "alpha", true}, {9, "beta", true}};
constexpr NodeId kOwner{1};
constexpr NodeId kPeer{2};

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

Stamp next_stamp(ByteReader& reader) {
  // Mostly small, so that equal ones occur; sometimes anything.
  const std::uint8_t kind = reader.u8();
  return kind >= 0xF0 ? Stamp{reader.read<std::uint64_t>() >> 16U, reader.u16()}
                      : Stamp{kind, static_cast<std::uint16_t>(kind & 1U)};
}

Record next_record(ByteReader& reader) {
  Record record;
  record.version = reader.u8() >= 0xF0 ? 0xFFFF'FFFF : reader.u8();
  record.stamp = next_stamp(reader);
  record.origin = NodeId{reader.u8() % 3U};
  record.payload = Payload{reader.take(std::min<std::size_t>(reader.u8(), reader.remaining()))};
  return record;
}

ExchangeMessage next_message(ByteReader& reader, std::uint8_t kind) {
  switch (kind % 4) {
    case 0: {
      Beacon beacon;
      beacon.count = reader.u8();
      for (std::size_t i = 0; i < kSectionCountMax; ++i) {
        beacon.versions[i] = reader.u8();
        beacon.stamps[i] = next_stamp(reader);
      }
      beacon.digest = reader.u8();
      beacon.wants_answer = (beacon.digest & 1U) != 0;
      return beacon;
    }
    case 1:
      return Request{reader.u8(), reader.u8()};
    case 2:
      return SectionData{reader.u8(), next_record(reader), reader.u8(), reader.u8()};
    default:
      return SectionAck{reader.u8(), reader.u8(), next_stamp(reader),
                        static_cast<AckResult>(reader.u8() % 3)};
  }
}

struct Rig {
  explicit Rig(std::uint8_t kind)
      : clock{(kind & 1U) != 0 ? Memory::kVolatile : Memory::kDurable},
        replica{clock, kSpecs, (kind & 2U) != 0 ? kOwner : kPeer, kOwner},
        exchange{replica,
                 ExchangeConfig{.seed = kind, .part_size_max = (kind & 4U) != 0 ? 25 : kPayloadSizeMax}} {}

  void give(ByteReader& reader, std::uint8_t operation, TimePoint now) {
    const std::uint8_t kind = reader.u8();
    switch (operation % 9) {
      case 0:
        return exchange.begin_session(now);
      case 1:
        return exchange.end_session(now);
      case 2:
      case 3:
        return exchange.handle_message(now, next_message(reader, kind));
      case 4:
        (void)replica.change(now, kind, next_record(reader).payload.bytes());
        return;
      case 5:
        is_store_failing = (kind & 1U) != 0;
        is_store_hanging = (kind & 2U) != 0;
        return;
      case 6:
        (void)clock.take_peer_reading(now, {(kind & 1U) != 0, next_stamp(reader)});
        return;
      case 7:
        exchange.handle_send_failed(now);
        return exchange.set_status(now, kind);
      default:
        replica.handle_stored(now, kind, reader.u8());
        replica.settle_edit(now, kind);
        return replica.handle_seen_by_peer(kind, next_stamp(reader));
    }
  }

  void drain(TimePoint now) {
    for (int polls = 0;; ++polls) {
      require(polls < 4096);
      if (!is_store_hanging) {
        if (const auto request = replica.poll_store(now)) {
          is_store_failing ? replica.handle_store_failed(now, request->section, request->ticket)
                           : replica.handle_stored(now, request->section, request->ticket);
          continue;
        }
      }
      const auto message = exchange.poll_transmit(now);
      if (!message) {
        break;
      }
      require(exchange.is_in_session());
      if (const auto* data = std::get_if<SectionData>(&*message)) {
        require(replica.durable(data->section) != nullptr);
        require(data->record.stamp == replica.durable_mark(data->section).stamp);
      }
      if (const auto* ack = std::get_if<SectionAck>(&*message)) {
        require(!replica.has_section(ack->section) || ack->stamp == replica.durable_mark(ack->section).stamp);
      }
    }
    require(exchange.poll_timeout() > now);
    while (exchange.poll_event() || replica.poll_event()) {
    }
    for (const SectionSpec& spec : kSpecs) {
      const Record& is = replica.current(spec.id);
      require(is.version >= version[spec.id] && is.stamp >= stamp[spec.id]);
      version[spec.id] = is.version;
      stamp[spec.id] = is.stamp;
      (void)exchange.sync_state(spec.id);
    }
  }

  HybridClock clock;
  Replica replica;
  Exchange exchange;
  bool is_store_failing = false;
  bool is_store_hanging = false;
  std::array<std::uint32_t, kSectionCountMax> version{};
  std::array<Stamp, kSectionCountMax> stamp{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Rig rig{reader.u8()};
  TimePoint now{std::chrono::seconds{1}};
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    now += std::chrono::milliseconds{operation >= 0xC0 ? step * 200 : step};
    rig.give(reader, operation, now);
    rig.drain(now);
  }
  return 0;
}
