// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/network.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include "core/packnet/bus_load.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::packnet {
namespace {

using namespace std::chrono_literals;

NetworkConfig config_of(HardwareNumber hardware, DeviceType type = DeviceType::kEnergyPack) {
  NetworkConfig config;
  config.type = type;
  config.hardware = hardware;
  config.seed = hardware;
  config.gate.is_sealed = false;
  return config;
}

Telemetry full_telemetry() {
  Telemetry telemetry;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    telemetry.set(static_cast<Field>(i), 1);
  }
  for (std::size_t i = 0; i < 16; ++i) {
    telemetry.set_cell(i, Millivolts{3300});
  }
  return telemetry;
}

// A bus that gives every frame to all others at once, in steps of a millisecond, and counts worst-case bits.
struct Bus {
  std::size_t add(const NetworkConfig& config) {
    nodes.push_back(std::make_unique<PackNetwork>(config));
    nodes.back()->set_telemetry(full_telemetry());
    nodes.back()->handle_bus_state(now, can::BusState::kActive);
    is_up.push_back(true);
    return nodes.size() - 1;
  }
  void run(Duration duration) {
    for (const TimePoint until = now + duration; now < until; now += 1ms) {
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (!is_up[i]) {
          continue;
        }
        nodes[i]->handle_timeout(now);
        while (const auto out = nodes[i]->poll_transmit(now)) {
          bits += worst_case_bits(out->frame.size, out->frame.is_extended);
          for (std::size_t j = 0; j < nodes.size(); ++j) {
            if (i != j && is_up[j]) {
              nodes[j]->handle_frame(now, out->frame);
            }
          }
        }
      }
    }
  }
  int master_count() const {
    int count = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      count += is_up[i] && nodes[i]->is_master() ? 1 : 0;
    }
    return count;
  }
  std::vector<std::unique_ptr<PackNetwork>> nodes;
  std::vector<bool> is_up;
  TimePoint now{1s};
  std::uint64_t bits = 0;
};

TEST(PackNetwork, PacksFindIdsAMasterAndEachOther) {
  Bus bus;
  for (const HardwareNumber hardware : {0x1005U, 0x1085U, 0x1007U}) {
    (void)bus.add(config_of(hardware));
  }
  bus.run(3s);
  EXPECT_EQ(bus.nodes[0]->node(), 5);
  EXPECT_EQ(bus.nodes[1]->node(), 6);
  EXPECT_EQ(bus.nodes[2]->node(), 7);
  EXPECT_EQ(bus.master_count(), 1);
  for (const auto& node : bus.nodes) {
    EXPECT_EQ(node->master(), bus.nodes[0]->master());
    EXPECT_EQ(node->nodes().size(), 2U);
  }
  EXPECT_EQ(bus.nodes[0]->nodes().find(7)->telemetry.cell(3), Millivolts{3300});
  EXPECT_EQ(bus.nodes[1]->poll_store(), 6);
}

TEST(PackNetwork, APackThatHadToTakeAnotherIdSaysSo) {
  Bus bus;
  for (const HardwareNumber hardware : {0x1005U, 0x1085U}) {
    NetworkConfig config = config_of(hardware);
    config.stored_node = 5;
    (void)bus.add(config);
  }
  bus.run(2s);
  ASSERT_EQ(bus.nodes[1]->node(), 6);
  std::vector<Report> reports;
  while (const auto event = bus.nodes[0]->poll_event()) {
    if (event->kind == NetworkEvent::Kind::kReport) {
      reports.push_back(event->report);
    }
  }
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].code, kReportNodeChanged);
  EXPECT_EQ(reports[0].node, 6);
  EXPECT_EQ(reports[0].value, 6);
}

TEST(PackNetwork, AnEnergyGatewayLeadsAndALinuxGatewayOnlyListens) {
  Bus bus;
  (void)bus.add(config_of(0x1050));
  const std::size_t energy = bus.add(config_of(0x1003, DeviceType::kEnergyGateway));
  const std::size_t first = bus.add(config_of(200, DeviceType::kLinuxGateway));
  const std::size_t second = bus.add(config_of(100, DeviceType::kLinuxGateway));
  bus.nodes[first]->set_time(bus.now, WallTime{1'764'000'000'000}, std::int8_t{4});
  bus.nodes[second]->set_time(bus.now, WallTime{1'764'000'000'000}, std::int8_t{4});
  bus.run(12s);
  EXPECT_TRUE(bus.nodes[energy]->is_master());
  EXPECT_EQ(bus.nodes[first]->master(), 3);
  EXPECT_EQ(bus.nodes[first]->node(), kNodeNone);
  EXPECT_FALSE(bus.nodes[first]->is_active_gateway());
  EXPECT_TRUE(bus.nodes[second]->is_active_gateway());
  ASSERT_TRUE(bus.nodes[0]->time());
  EXPECT_EQ(bus.nodes[0]->time()->value.offset_quarters, 4);
  bus.is_up[second] = false;
  bus.run(5s);
  EXPECT_TRUE(bus.nodes[first]->is_active_gateway());
}

TEST(PackNetwork, ACommandIsCarriedOutAndAcknowledged) {
  Bus bus;
  (void)bus.add(config_of(0x1005));
  const std::size_t linux_gateway = bus.add(config_of(100, DeviceType::kLinuxGateway));
  bus.run(1s);
  bus.nodes[0]->handle_frame(bus.now, encode(encode_command(kNodeAll, 9, {Opcode::kIdentify, {30}})));
  bus.nodes[0]->handle_frame(bus.now, encode(encode_command(8, 10, {Opcode::kIdentify, {30}})));
  const auto command = bus.nodes[0]->gate().poll_command();
  ASSERT_TRUE(command);
  EXPECT_EQ(command->command.arguments[0], 30);
  EXPECT_FALSE(bus.nodes[0]->gate().poll_command()) << "not for this node";
  bus.nodes[0]->gate().finish(bus.now, command->ticket, CommandResult::kDone);
  while (bus.nodes[linux_gateway]->poll_event()) {
  }
  bus.run(2ms);
  bool is_acknowledged = false;
  while (const auto event = bus.nodes[linux_gateway]->poll_event()) {
    is_acknowledged |= event->kind == NetworkEvent::Kind::kAcknowledged &&
                       event->answer == Acknowledgement{5, 7, 9, CommandResult::kDone, 0};
  }
  EXPECT_TRUE(is_acknowledged);
}

TEST(PackNetwork, ASilentNodeLeavesTheTableAfterTwoMinutes) {
  Bus bus;
  (void)bus.add(config_of(5));
  (void)bus.add(config_of(6));
  bus.run(2s);
  bus.is_up[1] = false;
  bus.run(119s);
  EXPECT_EQ(bus.nodes[0]->nodes().size(), 1U);
  EXPECT_TRUE(bus.nodes[0]->is_master());
  bus.run(3s);
  EXPECT_EQ(bus.nodes[0]->nodes().size(), 0U);
}

TEST(PackNetwork, WithoutABusItSaysNothing) {
  PackNetwork network{config_of(5)};
  network.handle_timeout(TimePoint{10s});
  EXPECT_FALSE(network.poll_transmit(TimePoint{10s}));
  EXPECT_EQ(network.poll_timeout(), kNever);
}

TEST(PackNetwork, ThirtyTwoPacksStayUnderFifteenPercentOfTheBus) {
  Bus bus;
  for (HardwareNumber i = 0; i < 32; ++i) {
    (void)bus.add(config_of(i * 0x80 + 7));
  }
  (void)bus.add(config_of(100, DeviceType::kLinuxGateway));
  bus.run(2s);
  std::set<Node> ids;
  for (const auto& node : bus.nodes) {
    ids.insert(node->node());
  }
  EXPECT_EQ(ids.size(), 33U) << "32 ids and a gateway without one";
  EXPECT_EQ(bus.master_count(), 1);
  bus.bits = 0;
  bus.run(10s);
  const double percent = static_cast<double>(bus.bits) * 100 / (10.0 * kBitRate);
  std::printf("32 packs and a gateway, measured in virtual time: %.2f %% of the bus\n", percent);
  EXPECT_LT(percent, 15.0);
}

struct NetworkAdapter {
  using Machine = PackNetwork;
  static Machine make(std::uint64_t seed) {
    PackNetwork network{
        config_of(0x1005 + seed, seed % 4 == 0 ? DeviceType::kLinuxGateway : DeviceType::kEnergyPack)};
    network.set_telemetry(full_telemetry());
    network.handle_bus_state(TimePoint{}, can::BusState::kActive);
    return network;
  }
  static void feed(Machine& machine, TimePoint now, Rng& rng) {
    if (rng.chance(20'000)) {
      machine.handle_bus_state(now, rng.chance(500'000) ? can::BusState::kBusOff : can::BusState::kActive);
      return;
    }
    can::Frame frame;
    const std::uint32_t base = rng.below(12) * kRangeSize;
    frame.id = base + (rng.chance(100'000) ? machine.node() : 1 + rng.below(5));
    frame.size = 8;
    for (std::uint8_t& byte : frame.data) {
      byte = static_cast<std::uint8_t>(rng.chance(700'000) ? rng.below(6) : rng.next());
    }
    machine.handle_frame(now, frame);
  }
  static bool drain_one(Machine& machine, TimePoint now, Digest& digest) {
    if (const auto out = machine.poll_transmit(now)) {
      digest.add_number(out->frame.id);
      digest.add(out->frame.payload());
      return true;
    }
    if (const auto event = machine.poll_event()) {
      digest.add_byte(static_cast<std::uint8_t>(event->kind));
      return true;
    }
    if (const auto command = machine.gate().poll_command()) {
      machine.gate().finish(now, command->ticket, CommandResult::kDone);
      return true;
    }
    return machine.poll_opaque().has_value() || machine.poll_store().has_value();
  }
};

TEST(PackNetwork, KeepsTheContractOfMachines) {
  contract::check_machine_contract<NetworkAdapter>();
}

}  // namespace
}  // namespace amphora::packnet
