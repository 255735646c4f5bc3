// SPDX-License-Identifier: Apache-2.0
// The pack under the contract of all machines: any frames, bytes, readings, orders and answers of the store.
#include <gtest/gtest.h>

#include "core/node/pack/pack_test_support.hpp"
#include "core/sections/tables.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::node {
namespace {

struct Adapter {
  // The pack and what its host owes it.
  struct Machine {
    explicit Machine(const PackConfig& config) : pack{config, {}} {}
    void handle_timeout(TimePoint now) { pack.handle_timeout(now); }
    TimePoint poll_timeout() const { return pack.poll_timeout(); }
    auto poll_event() { return pack.poll_event(); }

    Pack pack;
    std::optional<PackStoreRequest> owed;
  };

  static Machine make(std::uint64_t seed) {
    PackConfig config = pack_config_of(0x100 + seed);
    config.bms = seed % 2 == 0 ? PackBmsKind::kTinybms : PackBmsKind::kModbus;
    return Machine{config};
  }

  static can::Frame random_frame(Rng& rng) {
    can::Frame frame;
    frame.is_extended = rng.chance(200'000);
    frame.id = static_cast<std::uint32_t>(rng.between(0, frame.is_extended ? 0x1FFF'FFFF : 0x7FF));
    if (rng.chance(300'000)) {
      frame.id = packnet::kCommandBase + packnet::kNodeAll;
      frame.is_extended = false;
    } else if (rng.chance(300'000)) {
      frame.id = packnet::kStateBase + static_cast<std::uint32_t>(rng.between(1, 9));
      frame.is_extended = false;
    }
    frame.size = static_cast<std::uint8_t>(rng.between(0, 8));
    for (std::uint8_t& byte : frame.data) {
      byte = static_cast<std::uint8_t>(rng.between(0, rng.chance(500'000) ? 9 : 255));
    }
    return frame;
  }

  static void change(Pack& pack, TimePoint now, Rng& rng) {
    const auto tables = sections::pack_tables();
    const sections::SectionTable& table = tables[static_cast<std::size_t>(rng.between(0, 2))];
    sections::Values values = sections::default_values(table);
    const auto field = static_cast<std::size_t>(rng.between(0, 6));
    values.fields[field].number = rng.between(0, 12'000);
    (void)pack.change_section(now, table, values);
  }

  static void feed_outside(Machine& machine, TimePoint now, Rng& rng) {
    Pack& pack = machine.pack;
    std::array<std::uint8_t, 24> bytes{};
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(rng.between(0, 255));
    }
    switch (rng.between(0, 5)) {
      case 0:
        return pack.handle_serial_bytes(now, bytes);
      case 1:
        return pack.handle_serial_line(now, rng.chance(700'000));
      case 2:
        return pack.handle_bus_state(now, static_cast<can::BusState>(rng.between(0, 3)));
      case 3:
        return pack.handle_bus_not_sent(now);
      default:
        return pack.handle_bus_frame(now, random_frame(rng));
    }
  }

  static void feed_inside(Machine& machine, TimePoint now, Rng& rng) {
    Pack& pack = machine.pack;
    const energy::Relay relay = energy::relay_at(static_cast<std::size_t>(rng.between(0, 7)));
    energy::AcInput input;
    switch (rng.between(0, 8)) {
      case 0:
        input.power = Sampled<Watts>{Watts{rng.between(-9'000, 9'000)}, now};
        return pack.handle_ac(now, relay, input);
      case 1:
        return pack.handle_contact(now, relay, energy::Position::kClosed);
      case 2:
        return pack.handle_host_time(now, {rng.between(0, 4'000'000'000), 3'600, std::nullopt}, true);
      case 3:
        (void)pack.order_relay(now, relay, energy::Position::kOpen,
                               std::chrono::seconds{rng.between(0, 900)});
        return;
      case 4:
        return pack.release_relay(now, relay);
      case 5:
        return pack.identify(now, std::chrono::seconds{2});
      case 6:
        return change(pack, now, rng);
      default:
        if (machine.owed) {
          const PackStoreRequest request = *std::exchange(machine.owed, std::nullopt);
          rng.chance(800'000) ? pack.handle_stored(now, request) : pack.handle_store_failed(now, request);
        }
        return;
    }
  }

  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    rng.chance(500'000) ? feed_outside(machine, now, rng) : feed_inside(machine, now, rng);
  }

  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    Pack& pack = machine.pack;
    std::array<std::uint8_t, kPackSerialSizeMax> serial{};
    if (const std::size_t size = pack.poll_serial(now, serial); size > 0) {
      digest.add(ByteSpan{serial}.first(size));
      return true;
    }
    if (const auto out = pack.poll_bus_frame(now)) {
      digest.add_number(out->frame.id);
      digest.add(ByteSpan{out->frame.data}.first(out->frame.size));
      return true;
    }
    if (const auto command = pack.poll_command(now)) {
      digest.add_number(static_cast<std::int64_t>(command->index()));
      return true;
    }
    if (!machine.owed) {
      machine.owed = pack.poll_store(now);
      if (machine.owed) {
        digest.add_number(static_cast<std::int64_t>(machine.owed->index()));
        return true;
      }
    }
    if (const auto event = pack.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->what.index()));
      return true;
    }
    return false;
  }
};

TEST(PackContract, HoldsForBothKindsOfBms) {
  contract::check_machine_contract<Adapter>(10, 400);
}

}  // namespace
}  // namespace amphora::node
