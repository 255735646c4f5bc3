// SPDX-License-Identifier: Apache-2.0
#include "core/bms/canbms/driver.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "tests/contract/machine_contract.hpp"

namespace amphora::canbms {
namespace {

using namespace std::chrono_literals;
using battery::Alarm;
using Kind = DriverEvent::Kind;

static_assert(bms::Bms<Driver>);

constexpr TimePoint kNow{100s};

can::Frame frame(std::uint32_t id, std::initializer_list<unsigned> bytes) {
  can::Frame result;
  result.id = id;
  for (const unsigned byte : bytes) {
    result.data[result.size++] = static_cast<std::uint8_t>(byte);
  }
  return result;
}

// What a Seplos battery sends, captured on a real bus.
const can::Frame kSeplos[] = {
    frame(0x351, {0x43, 0x02, 0xE8, 0x03, 0x9E, 0x07, 0xD0, 0x01}),
    frame(0x355, {0x3C, 0, 0x64, 0, 0x84, 0x17, 0, 0}),
    frame(0x356, {0x61, 0x14, 0xD3, 0xFE, 0xEB, 0, 0x1A, 0}),
    frame(0x35A, {0xAA, 0xAA, 0xAA, 0x02, 0xAA, 0xAA, 0xAA, 0x02}),
    frame(0x35E, {0x53, 0x48, 0x45, 0x6E, 0x65, 0x72, 0x67, 0x79}),
    frame(0x35F, {0, 0, 0x10, 0x04, 0x30, 0x01, 0, 0}),
    frame(0x370, {0x43, 0x41, 0x4E, 0x2D, 0x53, 0x4D, 0x41, 0x52}),
    frame(0x371, {0x54, 0x42, 0x4D, 0x53, 0x2D, 0x42, 0x41, 0x54}),
    frame(0x372, {1, 0, 0, 0, 0, 0, 0, 0}),
    frame(0x373, {0xB9, 0x0C, 0xC2, 0x0C, 0x27, 0x01, 0x28, 0x01}),
    frame(0x374, {0x50, 0x61, 0x63, 0x6B, 0x2D, 0x30, 0x31, 0x23}),
};

std::vector<DriverEvent> drain(Driver& driver) {
  std::vector<DriverEvent> events;
  while (const auto event = driver.poll_event()) {
    events.push_back(*event);
  }
  return events;
}

std::size_t count_of(const std::vector<DriverEvent>& events, Kind kind) {
  std::size_t count = 0;
  for (const DriverEvent& event : events) {
    count += event.kind == kind ? 1 : 0;
  }
  return count;
}

Driver with_seplos() {
  Driver driver{DriverConfig{}};
  for (const can::Frame& one : kSeplos) {
    driver.handle_frame(kNow, one);
  }
  return driver;
}

TEST(CanBms, ReadsACapturedBattery) {
  Driver driver = with_seplos();
  const battery::Snapshot& s = driver.snapshot();
  EXPECT_EQ(known(s.voltage), Millivolts{52'170});
  EXPECT_EQ(known(s.current), Milliamps{-30'100});
  EXPECT_EQ(known(s.soc), BasisPoints{6020});
  EXPECT_EQ(known(s.soh), BasisPoints{10'000});
  EXPECT_EQ(known(s.temperature_internal), Decicelsius{235});
  EXPECT_EQ(known(s.temperature_min), Decicelsius{220});
  EXPECT_EQ(known(s.temperature_max), Decicelsius{230});
  EXPECT_EQ(known(s.cell_min), Millivolts{3257});
  EXPECT_EQ(known(s.cell_max), Millivolts{3266});
  EXPECT_FALSE(s.cells) << "the protocol has no single cells";
  EXPECT_FALSE(s.capacity) << "0x35F is usable, not installed capacity";
  EXPECT_EQ(s.voltage->at, kNow);
  EXPECT_FALSE(s.alarms->value.has_any());
  EXPECT_TRUE(s.alarms->value.is_watched(Alarm::kCellImbalance));
  EXPECT_EQ(known(s.limits), (battery::PublishedLimits{Millivolts{57'900}, Milliamps{100'000},
                                                       Milliamps{195'000}, Millivolts{46'400}}));
  EXPECT_EQ(s.identity.manufacturer.view(), "SHEnergy");
  EXPECT_EQ(s.identity.model.view(), "CAN-SMARTBMS-BAT");
  EXPECT_EQ(s.identity.firmware.view(), "16.4");
  EXPECT_EQ(driver.statistics().replies_received, std::size(kSeplos));
  EXPECT_EQ(driver.statistics().implausible_values, 0U);
  const auto events = drain(driver);
  EXPECT_EQ(count_of(events, Kind::kConnected), 1U);
  EXPECT_EQ(count_of(events, Kind::kSnapshot), 1U) << "merged";
  EXPECT_EQ(count_of(events, Kind::kIdentity), 4U);
}

TEST(CanBms, SingleTemperatureServesUntilExtremesCome) {
  Driver driver{DriverConfig{}};
  driver.handle_frame(kNow, kSeplos[2]);
  EXPECT_EQ(known(driver.snapshot().temperature_min), Decicelsius{235});
  EXPECT_EQ(known(driver.snapshot().temperature_max), Decicelsius{235});
  driver.handle_frame(kNow, kSeplos[9]);
  driver.handle_frame(kNow + 1s, kSeplos[2]);
  EXPECT_EQ(known(driver.snapshot().temperature_max), Decicelsius{230});
  EXPECT_EQ(driver.snapshot().temperature_max->at, kNow);
}

TEST(CanBms, ImplausibleValuesAreCountedAndNotTaken) {
  Driver driver = with_seplos();
  (void)drain(driver);
  const battery::Snapshot before = driver.snapshot();
  const can::Frame bad[] = {
      frame(0x355, {101, 0}),                                    // SOC
      frame(0x355, {50, 0, 0xFF, 0xFF}),                         // SOH, while SOC is taken
      frame(0x356, {0, 0}),                                      // no battery has 0 V
      frame(0x356, {0xFF, 0xFF}),                                // nor a negative voltage
      frame(0x356, {0x61, 0x14, 0, 0, 0xE3, 0x04}),              // 125.1 degrees
      frame(0x356, {0x61, 0x14, 0, 0, 0x6F, 0xFE}),              // -40.1 degrees
      frame(0x373, {0xF3, 0x01, 0xC2, 0x0C}),                    // 499 mV
      frame(0x373, {0xB9, 0x0C, 0x89, 0x13}),                    // 5001 mV
      frame(0x373, {0xC2, 0x0C, 0xB9, 0x0C}),                    // lowest above highest
      frame(0x373, {0xB9, 0x0C, 0xC2, 0x0C, 0x28, 1, 0x27, 1}),  // likewise, temperature
      frame(0x373, {0xB9, 0x0C, 0xC2, 0x0C, 0xE8, 0, 0x27, 1}),  // -41 degrees
      frame(0x35E, {1, 2, 3}),                                   // not text
      frame(0x370, {0x80}),
      frame(0x380, {0x80}),
      frame(0x382, {0x80}),
  };
  std::uint64_t count = 0;
  for (const can::Frame& one : bad) {
    driver.handle_frame(kNow + 1s, one);
    EXPECT_EQ(driver.statistics().implausible_values, ++count) << std::hex << one.id;
  }
  const battery::Snapshot& after = driver.snapshot();
  EXPECT_EQ(after.soh, before.soh);
  EXPECT_EQ(after.soc->value, BasisPoints{5000});
  EXPECT_EQ(after.voltage->value, Millivolts{52'170});
  EXPECT_EQ(after.temperature_internal->at, kNow);
  EXPECT_EQ(after.temperature_min, before.temperature_min);
  EXPECT_EQ(after.temperature_max, before.temperature_max);
  EXPECT_EQ(after.identity, before.identity);
  EXPECT_EQ(count_of(drain(driver), Kind::kImplausible), 7U) << "once for each id until it is well again";
}

TEST(CanBms, BoundsAreConfigurable) {
  DriverConfig config;
  config.voltage_max = Millivolts{60'000};
  config.current_max = Milliamps{100'000};
  Driver driver{config};
  driver.handle_frame(kNow, frame(0x356, {0x70, 0x17, 0xE8, 0x03}));  // 60.00 V, 100.0 A
  EXPECT_EQ(known(driver.snapshot().voltage), Millivolts{60'000});
  EXPECT_EQ(known(driver.snapshot().current), Milliamps{100'000});
  driver.handle_frame(kNow + 1s, frame(0x356, {0x71, 0x17, 0xE9, 0x03}));
  EXPECT_EQ(driver.snapshot().voltage->at, kNow);
  EXPECT_EQ(driver.snapshot().current->at, kNow);
}

TEST(CanBms, PublishedLimitsNeverBecomeMorePermissive) {
  Driver driver{DriverConfig{}};
  driver.handle_frame(kNow, frame(0x351, {0, 0, 0x18, 0xFC, 0x18, 0xFC, 0xD0, 0x01}));
  const auto limits = known(driver.snapshot().limits).value();
  EXPECT_EQ(limits.charge_voltage, Millivolts{0}) << "judged where limits are computed";
  EXPECT_EQ(limits.charge_current, Milliamps{0});
  EXPECT_EQ(limits.discharge_current, Milliamps{0});
  EXPECT_EQ(driver.statistics().implausible_values, 1U);
}

TEST(CanBms, PylontechRequestsCloseTheLimits) {
  Driver driver{DriverConfig{}};
  driver.handle_frame(kNow, frame(0x35C, {0x40, 0}));
  EXPECT_FALSE(driver.snapshot().limits);
  driver.handle_frame(kNow, kSeplos[0]);
  EXPECT_EQ(known(driver.snapshot().limits)->charge_current, Milliamps{0});
  EXPECT_EQ(known(driver.snapshot().limits)->discharge_current, Milliamps{195'000});
  driver.handle_frame(kNow + 1s, frame(0x35C, {0x80, 0}));
  EXPECT_EQ(known(driver.snapshot().limits)->charge_current, Milliamps{100'000});
  EXPECT_EQ(known(driver.snapshot().limits)->discharge_current, Milliamps{0});
  EXPECT_EQ(driver.snapshot().limits->at, kNow) << "a request does not make limits younger";
  driver.handle_frame(kNow, frame(0x359, {0x02, 0, 0x04, 0, 1, 'P', 'N'}));
  EXPECT_TRUE(driver.snapshot().alarms->value.is_active(Alarm::kHighVoltage));
  EXPECT_TRUE(driver.snapshot().warnings->value.is_active(Alarm::kLowVoltage));
}

TEST(CanBms, VariantsOfVoltageAndCurrent) {
  DriverConfig config;
  config.is_voltage_in_decivolts = true;
  config.is_current_inverted = true;
  Driver driver{config};
  driver.handle_frame(kNow, frame(0x356, {0x0A, 0x02, 0x64, 0}));
  EXPECT_EQ(known(driver.snapshot().voltage), Millivolts{52'200});
  EXPECT_EQ(known(driver.snapshot().current), Milliamps{-10'000});
}

TEST(CanBms, AFineSocThatIsSomethingElseIsIgnored) {
  Driver driver{DriverConfig{}};
  driver.handle_frame(kNow, frame(0x355, {60, 0, 100, 0, 0x00, 0x10}));
  EXPECT_EQ(known(driver.snapshot().soc), BasisPoints{6000});
  driver.handle_frame(kNow, frame(0x355, {100, 0, 100, 0, 0x11, 0x27}));
  EXPECT_EQ(known(driver.snapshot().soc), BasisPoints{10'000}) << "100.01 % is not possible";
}

TEST(CanBms, TheSerialNumberIsCompleteWithItsSecondHalf) {
  Driver driver{DriverConfig{}};
  driver.handle_frame(kNow, frame(0x380, {'A', 'B', 'C', 'D', '1', '2', '3', '4'}));
  EXPECT_TRUE(driver.snapshot().identity.serial.is_empty());
  driver.handle_frame(kNow, frame(0x381, {0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(driver.snapshot().identity.serial.view(), "ABCD1234");
  driver.handle_frame(kNow, frame(0x382, {'P', 'A', 'C', 'K'}));
  EXPECT_EQ(driver.snapshot().identity.model.view(), "PACK");
  driver.handle_frame(kNow, frame(0x370, {0, 0}));
  EXPECT_EQ(driver.snapshot().identity.model.view(), "PACK");
  driver.handle_frame(kNow, frame(0x378, {10, 0, 0, 0, 20, 0, 0, 0}));
  EXPECT_EQ(known(driver.snapshot().energy_in), WattHours{1000});
  EXPECT_EQ(known(driver.snapshot().energy_out), WattHours{2000});
  driver.handle_frame(kNow, frame(0x379, {100, 0}));
  EXPECT_EQ(known(driver.snapshot().capacity), MilliampHours{100'000});
}

TEST(CanBms, SendsTheKeepAliveEachSecond) {
  Driver driver{DriverConfig{}};
  std::size_t count = 0;
  for (TimePoint now = kNow; now < kNow + 10s; now += 100ms) {
    while (const auto sent = driver.poll_transmit(now)) {
      EXPECT_EQ(sent->id, can::kKeepAliveId);
      EXPECT_EQ(sent->size, 8);
      ++count;
    }
  }
  EXPECT_EQ(count, 10U);
  EXPECT_EQ(driver.statistics().requests_sent, 10U);
  driver.handle_bus_state(kNow + 10s, can::BusState::kBusOff);
  EXPECT_FALSE(driver.poll_transmit(kNow + 15s));
  driver.handle_bus_state(kNow + 16s, can::BusState::kActive);
  EXPECT_TRUE(driver.poll_transmit(kNow + 16s));
  const auto events = drain(driver);
  EXPECT_EQ(count_of(events, Kind::kBusDown), 1U);
  EXPECT_EQ(count_of(events, Kind::kBusUp), 1U);
  DriverConfig silent;
  silent.sends_keepalive = false;
  Driver listener{silent};
  EXPECT_FALSE(listener.poll_transmit(kNow));
  listener.handle_bus_state(kNow, can::BusState::kDown);
  listener.handle_bus_state(kNow, can::BusState::kActive);
  EXPECT_FALSE(listener.poll_transmit(kNow + 5s));
}

TEST(CanBms, SilenceDisconnectsAndForgetsWhatWasAsked) {
  Driver driver = with_seplos();
  driver.handle_frame(kNow, frame(0x35C, {0x40, 0}));
  (void)drain(driver);
  driver.handle_timeout(kNow + 15s - 1us);
  EXPECT_EQ(driver.liveness().state(), liveness::State::kFailing);
  driver.handle_timeout(kNow + 15s);
  EXPECT_EQ(driver.liveness().state(), liveness::State::kDisconnected);
  EXPECT_EQ(count_of(drain(driver), Kind::kDisconnected), 1U);
  EXPECT_EQ(driver.statistics().timeouts, 1U);
  EXPECT_EQ(driver.statistics().consecutive_failures, 1U);
  EXPECT_EQ(driver.snapshot().voltage->at, kNow) << "values stay and age";
  driver.handle_frame(kNow + 20s, kSeplos[0]);
  EXPECT_EQ(known(driver.snapshot().limits)->charge_current, Milliamps{100'000});
  EXPECT_EQ(count_of(drain(driver), Kind::kConnected), 1U);
  EXPECT_EQ(driver.statistics().consecutive_failures, 0U);
}

TEST(CanBms, FramesOfOthersAreCounted) {
  Driver driver{DriverConfig{}};
  can::Frame extended = kSeplos[0];
  extended.is_extended = true;
  driver.handle_frame(kNow, extended);
  driver.handle_frame(kNow, frame(0x123, {1}));
  driver.handle_frame(kNow, frame(0x351, {1}));
  driver.handle_frame(kNow, frame(0x305, {0}));
  driver.handle_frame(kNow, frame(0x307, {0}));
  EXPECT_EQ(driver.statistics().unexpected_frames, 5U);
  EXPECT_FALSE(driver.liveness().is_connected()) << "another inverter is no battery";
}

TEST(CanBms, EventsAreBoundedAndCounted) {
  Driver driver{DriverConfig{}};
  for (std::size_t i = 0; i < kEventCapacity; ++i) {
    driver.handle_bus_state(kNow, can::BusState::kDown);
    driver.handle_bus_state(kNow, can::BusState::kActive);
  }
  EXPECT_EQ(driver.dropped_event_count(), kEventCapacity);
  EXPECT_EQ(drain(driver).size(), kEventCapacity);
  EXPECT_EQ(to_text(Kind::kBusUp), "bus_up");
}

TEST(CanBms, ConfigurationIsChecked) {
  DriverConfig config;
  EXPECT_EQ(check_config(config), "");
  config.keepalive_period = 99ms;
  EXPECT_EQ(check_config(config), "keepalive_period");
  config = DriverConfig{};
  config.current_max = Milliamps{0};
  EXPECT_EQ(check_config(config), "voltage_max, current_max");
  config = DriverConfig{};
  config.cell_min = config.cell_max;
  EXPECT_EQ(check_config(config), "cell_min, cell_max, temperature_min, temperature_max");
}

struct ContractAdapter {
  using Machine = Driver;
  static Driver make(std::uint64_t seed) {
    DriverConfig config;
    config.sends_keepalive = seed % 2 == 0;
    return Driver{config};
  }
  static void feed(Driver& driver, TimePoint now, Rng& rng) {
    if (rng.chance(50'000)) {
      driver.handle_bus_state(now, static_cast<can::BusState>(rng.below(4)));
      return;
    }
    can::Frame random;
    random.id = can::kFrameTable[rng.below(can::kFrameCount)].id;
    random.size = static_cast<std::uint8_t>(rng.below(9));
    for (std::uint8_t& byte : random.data) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    driver.handle_frame(now, random);
  }
  static bool drain_one(Driver& driver, TimePoint now, Digest& digest) {
    if (const auto sent = driver.poll_transmit(now)) {
      digest.add_number(sent->id);
      return true;
    }
    if (const auto event = driver.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      digest.add_number(event->detail);
      digest.add_number(to_microseconds(event->at));
      return true;
    }
    return false;
  }
};

TEST(CanBms, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

}  // namespace
}  // namespace amphora::canbms
