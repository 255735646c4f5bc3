// SPDX-License-Identifier: Apache-2.0
#include "core/node/bms_gateway/bms_gateway.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/can/bms_protocol.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::node {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) {
  return TimePoint{1s + d};
}

BmsGatewayConfig can_config() {
  BmsGatewayConfig config;
  config.bms = BmsKind::kCan;
  return config;
}

// A healthy battery of 16 cells that speaks CAN: 100 A at 52 V if `current` says so.
std::vector<can::Frame> battery_frames(Deciamps current) {
  const can::Message messages[] = {
      can::Limits{Decivolts{560}, Deciamps{1000}, Deciamps{1500}, Decivolts{480}},
      can::Charge{Percent{60}, Percent{99}, BasisPoints{6020}},
      can::Measurements{Centivolts{5200}, current, Decicelsius{200}},
      can::CellExtremes{Millivolts{3245}, Millivolts{3255}, Decicelsius{190}, Decicelsius{210}},
  };
  std::vector<can::Frame> frames;
  for (const can::Message& message : messages) {
    frames.push_back(*can::encode(message));
  }
  can::AlarmBits alarms;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    alarms.alarms.set(static_cast<battery::Alarm>(i), false);
    alarms.warnings.set(static_cast<battery::Alarm>(i), false);
  }
  frames.push_back(*can::encode(can::Message{alarms}));
  return frames;
}

void feed(BmsGateway& box, TimePoint now, Deciamps current = Deciamps{1000}) {
  box.handle_battery_bus(now, can::BusState::kActive);
  for (const can::Frame& frame : battery_frames(current)) {
    box.handle_battery_frame(now, frame);
  }
}

// Runs the box from `begin` to `end` with a battery that speaks each second; returns the limit frames it
// sent.
std::vector<can::Limits> run(BmsGateway& box, Duration begin, Duration end, bool has_battery,
                             bool has_inverter) {
  std::vector<can::Limits> sent;
  for (Duration t = begin; t < end; t += 50ms) {
    if (t % 1s == 0s && has_battery) {
      feed(box, at(t));
    }
    if (t % 1s == 0s && has_inverter) {
      box.handle_inverter_frame(at(t), *can::encode(can::Message{can::KeepAlive{}}));
    }
    box.handle_timeout(at(t));
    while (const auto frame = box.poll_inverter_frame(at(t))) {
      if (const auto message = can::decode(*frame);
          message.ok() && std::holds_alternative<can::Limits>(*message)) {
        sent.push_back(std::get<can::Limits>(*message));
      }
    }
    while (box.poll_battery_frame(at(t))) {
    }
  }
  return sent;
}

TEST(BmsGateway, SaysNothingBeforeTheBatteryHasSpoken) {
  BmsGateway box{can_config()};
  EXPECT_TRUE(run(box, 0s, 20s, false, true).empty());
}

TEST(BmsGateway, CarriesTheBatterysValuesToTheInverterAndStopsWhenItFallsSilent) {
  BmsGateway box{can_config()};
  const auto healthy = run(box, 0s, 30s, true, true);
  ASSERT_GT(healthy.size(), 100U);
  EXPECT_EQ(healthy.back().charge_current, Deciamps{500});  // the profile's 50 A, fully ramped up
  EXPECT_EQ(healthy.back().charge_voltage, Decivolts{552});
  const auto silent = run(box, 30s, 200s, false, true);
  ASSERT_FALSE(silent.empty());
  EXPECT_EQ(silent.back().charge_current, Deciamps{0});
  EXPECT_EQ(silent.back().discharge_current, Deciamps{0});
  EXPECT_TRUE(run(box, 200s, 210s, false, true).empty()) << "frames must end";
}

TEST(BmsGateway, CountsEnergyAndShowsOnlyWhatIsStored) {
  BmsGateway box{can_config()};
  (void)run(box, 0s, 10s, true, true);
  EXPECT_FALSE(box.snapshot().energy_in);
  box.restore_energy(at(10s), {MilliwattHours{5'000'000}, MilliwattHours{1'000'000}});
  EXPECT_EQ(box.snapshot().energy_in->value.count(), 5000);
  (void)run(box, 10s, 3610s, true, true);
  EXPECT_EQ(box.snapshot().energy_in->value.count(), 5000) << "nothing has been stored yet";
  const auto request = box.poll_store(at(3610s));
  ASSERT_TRUE(request);
  // 52 V * 100 A for 3608 to 3609 s.
  EXPECT_NEAR(static_cast<double>(request->in.count()), 5'000'000 + 5'212'000, 2000);
  box.handle_energy_stored(at(3610s), *request);
  EXPECT_EQ(box.snapshot().energy_in->value.count(), request->in.count() / 1000);
  EXPECT_EQ(box.snapshot().energy_out->value.count(), 1000);
}

TEST(BmsGateway, AnotherProfileTakesEffectWithoutAGap) {
  BmsGateway box{can_config()};
  (void)run(box, 0s, 30s, true, true);
  battery::Profile smaller = box.config().profile;
  smaller.charge_current_max = Milliamps{20'000};
  box.reconfigure(at(30s), smaller, box.config().output);
  const auto sent = run(box, 30s, 50s, true, true);
  ASSERT_GE(sent.size(), 90U) << "limits keep their rhythm of 200 ms";
  for (const can::Limits& limits : sent) {
    EXPECT_LE(*limits.charge_current, Deciamps{200});
  }
  EXPECT_EQ(sent.back().charge_current, Deciamps{200});
}

TEST(BmsGateway, RefusesSettingsWhereTheBatteryHasNone) {
  BmsGateway box{can_config()};
  const std::array writes{tinybms::RegisterWrite{315, 4200}};
  const auto result = box.write_settings(at(0s), writes);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().reason, tinybms::WriteRefusalReason::kNotConnected);
  EXPECT_EQ(box.control(at(0s), tinybms::ControlOption::kReset), tinybms::ControlRefusal::kNotConnected);
}

template <BmsKind kKind>
struct Adapter {
  using Machine = BmsGateway;
  static Machine make(std::uint64_t) {
    BmsGatewayConfig config;
    config.bms = kKind;
    return BmsGateway{config};
  }
  static void feed(Machine& box, TimePoint now, Rng& rng) {
    std::array<std::uint8_t, 32> noise{};
    for (std::uint8_t& byte : noise) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    can::Frame frame;
    frame.id = rng.chance(500'000) ? 0x305 : 0x351 + rng.below(0x32);
    frame.size = static_cast<std::uint8_t>(rng.below(9));
    std::copy_n(noise.begin(), frame.size, frame.data.begin());
    switch (rng.below(6)) {
      case 0:
        return box.handle_serial_line(now, rng.chance(800'000));
      case 1:
        return box.handle_serial_bytes(now, noise);
      case 2:
        return box.handle_battery_frame(now, frame);
      case 3:
        return box.handle_inverter_frame(now, frame);
      case 4:
        return node::feed(box, now);
      default:
        return box.handle_inverter_bus(now,
                                       rng.chance(800'000) ? can::BusState::kActive : can::BusState::kBusOff);
    }
  }
  static bool drain_one(Machine& box, TimePoint now, Digest& digest) {
    std::array<std::uint8_t, tinybms::kTransmitSizeMax> buffer{};
    if (const std::size_t size = box.poll_serial(now, buffer); size > 0) {
      digest.add(ByteSpan{buffer}.first(size));
      return true;
    }
    for (const auto& frame : {box.poll_inverter_frame(now), box.poll_battery_frame(now)}) {
      if (frame) {
        digest.add_number(frame->id);
        digest.add(frame->payload());
        return true;
      }
    }
    if (const auto event = box.poll_event()) {
      digest.add_number(to_microseconds(event->at));
      digest.add_number(static_cast<std::int64_t>(event->what.index()));
      return true;
    }
    return false;
  }
};
TEST(BmsGateway, KeepsTheMachineContractWithATinybms) {
  contract::check_machine_contract<Adapter<BmsKind::kTinybms>>(10);
}
TEST(BmsGateway, KeepsTheMachineContractWithACanBattery) {
  contract::check_machine_contract<Adapter<BmsKind::kCan>>(10);
}

}  // namespace
}  // namespace amphora::node
