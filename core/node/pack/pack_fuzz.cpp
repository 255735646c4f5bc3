// SPDX-License-Identifier: Apache-2.0
// Any sequence of inputs to a whole pack: nothing asserts, polling ends, time-outs lie ahead, and what it
// sends decodes as a frame of the pack network.
//
// Input: records of 1 byte operation, 1 byte time step in 10 ms, then what the operation needs; missing bytes
// read as zero. The first byte chooses the BMS and whether commands are sealed.
#include <cstdint>
#include <cstdlib>
#include <deque>

#include "core/node/pack/pack_test_support.hpp"
#include "core/sections/tables.hpp"

namespace {

using namespace amphora;
using namespace amphora::node;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

can::Frame next_frame(ByteReader& reader) {
  can::Frame frame;
  const std::uint8_t kind = reader.u8();
  frame.is_extended = (kind & 1U) != 0;
  frame.id = frame.is_extended ? reader.u32() & 0x1FFF'FFFFU : reader.u16() & 0x7FFU;
  frame.size = static_cast<std::uint8_t>((kind >> 1U) % 9);
  for (std::size_t i = 0; i < frame.size; ++i) {
    frame.data[i] = reader.u8();
  }
  return frame;
}

struct Rig {
  Pack pack;
  // Each thing to be stored is given once until it is answered, so these are few.
  std::deque<PackStoreRequest> owed;

  static PackConfig config_of(std::uint8_t kind) {
    PackConfig config = pack_config_of(0x42);
    config.bms = (kind & 1U) != 0 ? PackBmsKind::kTinybms : PackBmsKind::kModbus;
    config.network.gate.is_sealed = (kind & 2U) != 0;
    return config;
  }
  explicit Rig(std::uint8_t kind) : pack{config_of(kind), {}} {}

  void change_section(ByteReader& reader, TimePoint now) {
    const sections::SectionTable& table = sections::pack_tables()[reader.u8() % 3];
    sections::Values values = sections::default_values(table);
    const std::size_t field = reader.u8() % table.fields.size();
    values.fields[field].number = reader.read<std::int32_t>();
    (void)pack.change_section(now, table, values);
  }

  void answer_store(std::uint8_t operation, TimePoint now) {
    if (!owed.empty()) {
      const PackStoreRequest request = owed.front();
      owed.pop_front();
      (operation & 0x80U) != 0 ? pack.handle_store_failed(now, request) : pack.handle_stored(now, request);
    }
  }

  void give(ByteReader& reader, std::uint8_t operation, TimePoint now) {
    const auto relay = energy::relay_at((operation >> 4U) % energy::kRelayCount);
    energy::AcInput input;
    switch (operation % 11) {
      case 0:
        return pack.handle_serial_line(now, (operation & 0x80U) == 0);
      case 1:
        return pack.handle_serial_bytes(now, reader.take(std::min<std::size_t>(reader.remaining(), 16)));
      case 2:
        return pack.handle_bus_state(now, static_cast<can::BusState>(operation % 4));
      case 3:
        input.power = Sampled<Watts>{Watts{reader.i16()}, now};
        return pack.handle_ac(now, relay, input);
      case 4:
        return pack.handle_host_time(now, {reader.read<std::int64_t>(), reader.i16(), std::nullopt}, true);
      case 5:
        (void)pack.order_relay(now, relay, energy::Position::kOpen, std::chrono::seconds{reader.u16()});
        return;
      case 6:
        return change_section(reader, now);
      case 7:
        return answer_store(operation, now);
      case 8:
        return pack.handle_bus_not_sent(now);
      default:
        return pack.handle_bus_frame(now, next_frame(reader));
    }
  }

  void drain(TimePoint now) {
    std::array<std::uint8_t, kPackSerialSizeMax> serial{};
    for (int round = 0; round < 64; ++round) {
      pack.handle_timeout(now);
      int polls = 0;
      while (pack.poll_serial(now, serial) != 0) {
        require(++polls < 100);
      }
      while (const auto out = pack.poll_bus_frame(now)) {
        require(++polls < 1'000 && packnet::decode(out->frame).ok());
      }
      while (pack.poll_command(now) || pack.poll_event()) {
        require(++polls < 1'000);
      }
      while (const auto request = pack.poll_store(now)) {
        owed.push_back(*request);
        require(owed.size() < 100);
      }
      if (pack.poll_timeout() > now) {
        return;
      }
    }
    require(false);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Rig rig{reader.u8()};
  TimePoint now{std::chrono::seconds{1}};
  rig.drain(now);
  rig.pack.handle_serial_line(now, true);
  rig.pack.handle_bus_state(now, can::BusState::kActive);
  for (int steps = 0; reader.remaining() > 0 && steps < 1'000; ++steps) {
    const std::uint8_t operation = reader.u8();
    now += std::chrono::milliseconds{10} * reader.u8();
    rig.give(reader, operation, now);
    rig.drain(now);
  }
  return 0;
}
