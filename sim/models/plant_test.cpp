// SPDX-License-Identifier: Apache-2.0
// The physical models: serial line, pack, protection, house.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <numeric>
#include <vector>

#include "sim/models/battery_pack.hpp"
#include "sim/models/pack_protection.hpp"
#include "sim/models/serial_line.hpp"
#include "sim/models/solar_house.hpp"

namespace amphora::sim {
namespace {

constexpr TimePoint at_s(std::int64_t s) {
  return TimePoint{std::chrono::seconds{s}};
}

std::vector<std::uint8_t> counting_bytes(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

TEST(SerialWire, BytesTakeTheirTimeAndArriveWhole) {
  SerialWire wire{kTinyBmsBaud, Rng{1}};
  const auto bytes = counting_bytes(119);
  wire.write(TimePoint{}, bytes);
  EXPECT_EQ(to_microseconds(wire.poll_timeout()), 10'330);  // 1190 bits at 115,200 baud
  EXPECT_EQ(wire.poll_piece(TimePoint{Duration{10'329}}), nullptr);
  const SerialWire::Piece* piece = wire.poll_piece(TimePoint{Duration{10'330}});
  ASSERT_NE(piece, nullptr);
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), piece->payload().begin(), piece->payload().end()));
  EXPECT_TRUE(piece->is_intact && piece->is_last);
}

TEST(SerialWire, ASecondWriteWaitsForTheFirst) {
  SerialWire wire{kTinyBmsBaud, Rng{1}};
  wire.write(TimePoint{}, counting_bytes(10));
  wire.write(TimePoint{}, counting_bytes(10));
  EXPECT_EQ(to_microseconds(wire.busy_until()), 869 + 869);
}

RC_GTEST_PROP(SerialWire, PiecesAddUpToWhatWasWritten, ()) {
  const auto bytes = *rc::gen::nonEmpty(rc::gen::arbitrary<std::vector<std::uint8_t>>());
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto chunk = *rc::gen::inRange<std::uint16_t>(0, 20);
  SerialWire wire{kTinyBmsBaud, Rng{seed}};
  wire.set_faults(SerialFaults{.chunk_bytes_max = chunk});
  wire.write(TimePoint{}, bytes);
  std::vector<std::uint8_t> arrived;
  bool is_last = false;
  while (const SerialWire::Piece* piece = wire.poll_piece(at_s(10))) {
    RC_ASSERT(!is_last);
    RC_ASSERT(piece->is_intact);
    is_last = piece->is_last;
    arrived.insert(arrived.end(), piece->payload().begin(), piece->payload().end());
  }
  RC_ASSERT(is_last);
  RC_ASSERT(arrived == bytes);
}

TEST(SerialWire, EveryDamageIsMarkedAndCounted) {
  SerialWire wire{kTinyBmsBaud, Rng{3}};
  wire.set_faults(SerialFaults{.flip_ppm = 5'000, .drop_ppm = 5'000, .insert_ppm = 5'000});
  const auto bytes = counting_bytes(50);
  int damaged = 0;
  for (int i = 0; i < 1000; ++i) {
    wire.write(at_s(i), bytes);
    const SerialWire::Piece* piece = wire.poll_piece(at_s(i + 1));
    ASSERT_NE(piece, nullptr);
    const bool is_same =
        std::equal(bytes.begin(), bytes.end(), piece->payload().begin(), piece->payload().end());
    EXPECT_LE(piece->is_intact, is_same);
    damaged += piece->is_intact ? 0 : 1;
  }
  EXPECT_GT(damaged, 300);
  EXPECT_LT(damaged, 700);
  const SerialStatistics& statistics = wire.statistics();
  EXPECT_GT(statistics.flipped_bytes, 0U);
  EXPECT_EQ(statistics.arrived_bytes,
            statistics.written_bytes + statistics.inserted_bytes - statistics.dropped_bytes);
}

TEST(SerialWire, ACutTakesWhatIsOnTheWay) {
  SerialWire wire{kTinyBmsBaud, Rng{4}};
  wire.write(TimePoint{}, counting_bytes(10));
  wire.set_faults(SerialFaults{.is_cut = true});
  wire.write(TimePoint{}, counting_bytes(10));
  EXPECT_EQ(wire.poll_timeout(), kNever);
  EXPECT_EQ(wire.statistics().dropped_bytes, 20U);
}

TEST(SerialWire, NoiseHasNoWriter) {
  SerialWire wire{kTinyBmsBaud, Rng{4}};
  wire.inject(TimePoint{}, counting_bytes(3));
  const SerialWire::Piece* piece = wire.poll_piece(at_s(1));
  ASSERT_NE(piece, nullptr);
  EXPECT_EQ(piece->write_number, 0U);
  EXPECT_FALSE(piece->is_intact);
}

TEST(LfpCurve, RisesStrictlyAndMeetsItsTable) {
  std::int64_t last = 0;
  for (std::int64_t soc = -50'000; soc <= 1'100'000; soc += 500) {
    const std::int64_t uv = lfp_open_circuit(soc).count();
    EXPECT_GT(uv, last);
    last = uv;
  }
  EXPECT_EQ(lfp_open_circuit(500'000), Microvolts{3'295'000});
  EXPECT_EQ(lfp_open_circuit(2'000'000), lfp_open_circuit(1'100'000));
}

PackConfig ideal_pack() {
  PackConfig config;
  config.soc_spread = BasisPoints{0};
  config.capacity_spread_permille = 0;
  config.self_discharge_ua = 0;
  return config;
}

TEST(BatteryPack, CountsChargeExactly) {
  BatteryPack pack{ideal_pack(), Rng{1}};
  pack.set_current(Milliamps{10'000});
  pack.advance(at_s(3600));
  // 10 Ah of 100 Ah on top of 50 %.
  EXPECT_EQ(pack.soc_micropercent(0), 60'000'000);
  EXPECT_EQ(pack.soc(), BasisPoints{6'000});
  EXPECT_EQ(pack.charge_in_mas(), 36'000'000);
  // 10 A at about 53 V for an hour.
  EXPECT_NEAR(static_cast<double>(pack.energy_in().count()), 530'000.0, 5'000.0);
  EXPECT_EQ(pack.energy_out(), MilliwattHours{0});
}

TEST(BatteryPack, VoltageFollowsCurrentAtOnceAndThenSlowly) {
  BatteryPack pack{ideal_pack(), Rng{1}};
  pack.advance(at_s(1));
  const std::int64_t rest = pack.cell_voltage(0).count();
  pack.set_current(Milliamps{-50'000});
  pack.advance(at_s(2));
  const std::int64_t at_once = pack.cell_voltage(0).count();
  pack.advance(at_s(602));
  const std::int64_t later = pack.cell_voltage(0).count();
  // 50 A through 0.54 to 0.66 mOhm, more at 20 °C; then 0.4 mOhm of polarisation.
  EXPECT_LT(at_once, rest - 27'000);
  EXPECT_GT(at_once, rest - 45'000);
  EXPECT_LT(later, at_once - 15'000);
}

TEST(BatteryPack, LargeCurrentHeatsAndRestCools) {
  BatteryPack pack{ideal_pack(), Rng{1}};
  pack.set_current(Milliamps{-100'000});
  pack.advance(at_s(1500));
  const Decicelsius hot = pack.temperature();
  EXPECT_GT(hot, Decicelsius{240});
  pack.set_current(Milliamps{0});
  pack.advance(at_s(200'000));
  EXPECT_EQ(pack.temperature(), Decicelsius{200});
}

TEST(BatteryPack, CellsDriftApartAndBleedingBringsThemTogether) {
  PackConfig config = ideal_pack();
  config.soc_spread = BasisPoints{200};
  BatteryPack pack{config, Rng{5}};
  const auto spread = [&pack] {
    std::int64_t low = pack.soc_micropercent(0);
    std::int64_t high = low;
    for (std::size_t i = 1; i < pack.cell_count(); ++i) {
      low = std::min(low, pack.soc_micropercent(i));
      high = std::max(high, pack.soc_micropercent(i));
    }
    return high - low;
  };
  const std::int64_t before = spread();
  EXPECT_GT(before, 1'000'000);
  for (int hour = 1; hour <= 40; ++hour) {
    std::uint32_t mask = 0;
    std::int64_t low = pack.soc_micropercent(0);
    for (std::size_t i = 0; i < pack.cell_count(); ++i) {
      low = std::min(low, pack.soc_micropercent(i));
    }
    for (std::size_t i = 0; i < pack.cell_count(); ++i) {
      mask |= pack.soc_micropercent(i) > low + 200'000 ? 1U << i : 0U;
    }
    pack.set_balancing(mask);
    pack.advance(at_s(hour * 3600));
  }
  EXPECT_LT(spread(), before / 3);
}

RC_GTEST_PROP(BatteryPack, HowOftenItIsAskedChangesNothing, (std::uint64_t seed)) {
  PackConfig config;
  BatteryPack often{config, Rng{seed}};
  BatteryPack rarely{config, Rng{seed}};
  often.set_current(Milliamps{20'000});
  rarely.set_current(Milliamps{20'000});
  for (int i = 1; i <= 300; ++i) {
    often.advance(TimePoint{Duration{i * 333'333}});
  }
  often.advance(at_s(100));
  rarely.advance(at_s(100));
  RC_ASSERT(often.voltage() == rarely.voltage());
  RC_ASSERT(often.temperature() == rarely.temperature());
}

TEST(PackProtection, TripsAfterItsDelayAndRecoversAfterItsTime) {
  PackConfig config = ideal_pack();
  BatteryPack pack{config, Rng{1}};
  PackProtection protection{ProtectionConfig{}};
  pack.set_soc(3, BasisPoints{10'300});
  protection.handle_measurement(at_s(1), pack, Milliamps{5'000});
  EXPECT_FALSE(protection.has_any());
  protection.handle_measurement(at_s(3), pack, Milliamps{5'000});
  EXPECT_TRUE(protection.is_active(ProtectionFault::kOverVoltage));
  EXPECT_EQ(protection.limited(Milliamps{5'000}), Milliamps{0});
  EXPECT_EQ(protection.limited(Milliamps{-5'000}), Milliamps{-5'000});
  pack.set_soc(3, BasisPoints{5'000});
  protection.handle_measurement(at_s(4), pack, Milliamps{0});
  EXPECT_TRUE(protection.has_any());
  protection.handle_measurement(at_s(14), pack, Milliamps{0});
  EXPECT_FALSE(protection.has_any());
  EXPECT_EQ(protection.trip_count(), 1U);
}

TEST(PackProtection, ForcedFaultsTripAtOnceAndCoverBothDirections) {
  BatteryPack pack{ideal_pack(), Rng{1}};
  PackProtection protection{ProtectionConfig{}};
  protection.force(ProtectionFault::kOverTemperature, true);
  protection.handle_measurement(at_s(1), pack, Milliamps{0});
  EXPECT_FALSE(protection.allows_charge());
  EXPECT_FALSE(protection.allows_discharge());
}

TEST(PackProtection, EachBoundTripsItsOwnFault) {
  const auto trips = [](BatteryPack& pack, Milliamps wanted) {
    PackProtection protection{ProtectionConfig{}};
    for (int s = 1; s <= 4; ++s) {
      protection.handle_measurement(at_s(s), pack, wanted);
    }
    std::vector<bool> active;
    for (std::size_t i = 0; i < kProtectionFaultCount; ++i) {
      active.push_back(protection.is_active(static_cast<ProtectionFault>(i)));
    }
    return active;
  };
  BatteryPack empty{ideal_pack(), Rng{1}};
  empty.set_soc(0, BasisPoints{-100});
  EXPECT_EQ(trips(empty, Milliamps{0}), (std::vector<bool>{true, false, false, false, false, false}));
  BatteryPack strong{ideal_pack(), Rng{1}};
  strong.set_current(Milliamps{-160'000});
  EXPECT_EQ(trips(strong, Milliamps{0}), (std::vector<bool>{false, false, false, true, false, false}));
  PackConfig cold = ideal_pack();
  cold.ambient = Decicelsius{-50};
  BatteryPack frozen{cold, Rng{1}};
  frozen.set_current(Milliamps{110'000});
  EXPECT_EQ(trips(frozen, Milliamps{0}), (std::vector<bool>{false, false, false, false, true, true}));
}

TEST(SolarHouse, TheSunShinesByDayOnlyAndDaysDiffer) {
  SolarHouse house{HouseConfig{}, Rng{1}};
  std::int64_t day_sum[2] = {};
  for (std::int64_t minute = 0; minute < 2 * 1440; ++minute) {
    house.advance(at_s(minute * 60));
    const std::int64_t of_day = minute % 1440;
    if (of_day < 360 || of_day > 1200) {
      EXPECT_EQ(house.sun(), Watts{0});
    }
    EXPECT_GT(house.load(), Watts{0});
    EXPECT_LE(house.sun(), Watts{6'000});
    day_sum[minute / 1440] += house.sun().count();
  }
  EXPECT_GT(day_sum[0], 0);
  EXPECT_NE(day_sum[0], day_sum[1]);
}

TEST(InverterCharger, ObeysEachCommand) {
  const ChargeCommands commands{Millivolts{55'200}, Milliamps{40'000}, Milliamps{60'000}, Millivolts{48'000}};
  InverterCharger charger;
  Milliamps current{};
  for (int i = 0; i < 100; ++i) {
    current = charger.step(commands, Watts{10'000}, Millivolts{53'000});
  }
  EXPECT_EQ(current, Milliamps{40'000});
  EXPECT_EQ(charger.step(commands, Watts{-10'000}, Millivolts{53'000}), Milliamps{-60'000});
  EXPECT_EQ(charger.step(commands, Watts{-530}, Millivolts{53'000}), Milliamps{-10'000});
  EXPECT_EQ(charger.step(commands, Watts{-530}, Millivolts{48'000}), Milliamps{0});
  EXPECT_EQ(charger.step(std::nullopt, Watts{5'000}, Millivolts{53'000}), Milliamps{0});
}

TEST(InverterCharger, HoldsTheChargeVoltage) {
  PackConfig config = ideal_pack();
  config.soc_start = BasisPoints{9'700};
  BatteryPack pack{config, Rng{1}};
  const ChargeCommands commands{Millivolts{55'200}, Milliamps{40'000}, Milliamps{60'000}, Millivolts{48'000}};
  InverterCharger charger;
  std::int64_t highest = 0;
  for (int s = 1; s < 7200; ++s) {
    const Millivolts terminal = quantity_cast<Millivolts>(pack.voltage());
    pack.set_current(charger.step(commands, Watts{3'000}, terminal));
    pack.advance(at_s(s));
    highest = std::max<std::int64_t>(highest, quantity_cast<Millivolts>(pack.voltage()).count());
  }
  EXPECT_LT(highest, 55'450);
  EXPECT_NEAR(static_cast<double>(quantity_cast<Millivolts>(pack.voltage()).count()), 55'200.0, 30.0);
}

}  // namespace
}  // namespace amphora::sim
