// SPDX-License-Identifier: Apache-2.0
#include "core/packnet/telemetry.hpp"

#include <gtest/gtest.h>

#include "core/base/rng.hpp"

namespace amphora::packnet {
namespace {

constexpr TimePoint kNow{std::chrono::seconds{100}};

// Sends all pages of `from` and gives what arrives.
Telemetry over_the_wire(const Telemetry& from) {
  Telemetry to;
  std::uint8_t page = 0xFF;
  for (std::size_t i = 0; i < from.page_count(); ++i) {
    page = from.next_page(page).value();
    EXPECT_TRUE(to.decode(from.encode(1, page)));
  }
  return to;
}

TEST(PackTelemetry, RandomValuesArriveAsTheyAre) {
  Rng rng{1};
  for (int run = 0; run < 200; ++run) {
    Telemetry telemetry;
    for (std::size_t i = 0; i < kFieldCount; ++i) {
      if (rng.chance(700'000)) {
        telemetry.set(static_cast<Field>(i), static_cast<std::int32_t>(rng.next()) >> rng.below(31));
      }
    }
    for (std::size_t i = 0; i < kCellsMax; ++i) {
      if (rng.chance(300'000)) {
        telemetry.set_cell(i, Millivolts{static_cast<std::int32_t>(rng.below(5000))});
      }
    }
    EXPECT_TRUE(over_the_wire(telemetry) == telemetry);
  }
}

TEST(PackTelemetry, FieldsOfOnePageDoNotOverlap) {
  for (std::size_t a = 0; a < kFieldCount; ++a) {
    for (std::size_t b = a + 1; b < kFieldCount; ++b) {
      const FieldInfo& x = kFields[a];
      const FieldInfo& y = kFields[b];
      EXPECT_TRUE(x.page != y.page || x.start + x.length <= y.start || y.start + y.length <= x.start)
          << x.name << " " << y.name;
      EXPECT_NE(x.name, y.name);
    }
  }
}

TEST(PackTelemetry, UnknownIsAbsentAndTheRangeIsKept) {
  Telemetry telemetry;
  EXPECT_EQ(telemetry.value(Field::kVoltage), std::nullopt);
  EXPECT_EQ(telemetry.value(Field::kModes), 0);
  EXPECT_EQ(telemetry.page_count(), 0U);
  EXPECT_EQ(telemetry.next_page(3), std::nullopt);
  telemetry.set(Field::kVoltage, 70'000);
  EXPECT_EQ(telemetry.value(Field::kVoltage), 0xFFFE);
  telemetry.set(Field::kVoltage, -1);
  EXPECT_EQ(telemetry.value(Field::kVoltage), 0);
  telemetry.set(Field::kCurrent, -100'000'000);
  EXPECT_EQ(telemetry.value(Field::kCurrent), -0x7F'FFFF);
  telemetry.set(Field::kCurrent, -1);
  EXPECT_EQ(telemetry.value(Field::kCurrent), -1);
  // A value that got lost is told as lost.
  telemetry.set(Field::kVoltage, std::nullopt);
  telemetry.set(Field::kCurrent, std::nullopt);
  EXPECT_EQ(telemetry.page_count(), 1U);
  Telemetry other;
  other.set(Field::kVoltage, 5);
  ASSERT_TRUE(other.decode(telemetry.encode(1, 0)));
  EXPECT_EQ(other.value(Field::kVoltage), std::nullopt);
}

TEST(PackTelemetry, PagesThatDoNotExistAreRefused) {
  Telemetry telemetry;
  EXPECT_FALSE(telemetry.decode(TelemetryPage{1, kValuePageCount, {}}));
  EXPECT_FALSE(telemetry.decode(TelemetryPage{1, kCellPageFirst + kCellPageCount, {}}));
  EXPECT_FALSE(telemetry.has_page(0xFF));
  EXPECT_TRUE(telemetry == Telemetry{});
}

TEST(PackTelemetry, ABatteryLosesNothingThatAUserSees) {
  battery::Snapshot snapshot;
  snapshot.voltage = Sampled<Millivolts>{Millivolts{52'170}, kNow};
  snapshot.current = Sampled<Milliamps>{Milliamps{-30'120}, kNow};
  snapshot.soc = Sampled<BasisPoints>{BasisPoints{6023}, kNow};
  snapshot.temperature_min = Sampled<Decicelsius>{Decicelsius{-125}, kNow};
  battery::CellVoltages cells;
  cells.count = 16;
  for (std::size_t i = 0; i < 16; ++i) {
    cells.voltage[i] = Millivolts{3200 + static_cast<std::int32_t>(i)};
  }
  snapshot.cells = Sampled<battery::CellVoltages>{cells, kNow};
  battery::AlarmSet alarms;
  alarms.set(battery::Alarm::kHighVoltage);
  alarms.set(battery::Alarm::kCellImbalance, false);
  snapshot.alarms = Sampled<battery::AlarmSet>{alarms, kNow};

  Telemetry telemetry;
  telemetry.set_battery(snapshot, kNow, std::chrono::seconds{5});
  const Telemetry got = over_the_wire(telemetry);
  EXPECT_EQ(got.value(Field::kVoltage), 5217);
  EXPECT_EQ(got.value(Field::kCurrent), -3012);
  EXPECT_EQ(got.value(Field::kSoc), 6023);
  EXPECT_EQ(got.value(Field::kPowerBattery), -1571);
  EXPECT_EQ(got.value(Field::kTemperatureMin), -125);
  EXPECT_EQ(got.value(Field::kCellCount), 16);
  EXPECT_EQ(got.value(Field::kCellMinIndex), 0);
  EXPECT_EQ(got.value(Field::kCellMaxIndex), 15);
  EXPECT_EQ(got.value(Field::kCellDelta), 15);
  EXPECT_EQ(got.cell(7), Millivolts{3207});
  EXPECT_EQ(got.cell(16), std::nullopt);
  EXPECT_EQ(got.value(Field::kAlarms), 1 << static_cast<int>(battery::Alarm::kHighVoltage));
  EXPECT_EQ(got.value(Field::kAlarmsWatched), (1 << static_cast<int>(battery::Alarm::kHighVoltage)) |
                                                  (1 << static_cast<int>(battery::Alarm::kCellImbalance)));

  telemetry.set_battery(snapshot, kNow + std::chrono::seconds{6}, std::chrono::seconds{5});
  EXPECT_EQ(over_the_wire(telemetry).value(Field::kVoltage), std::nullopt) << "old values are not sent";
  EXPECT_EQ(over_the_wire(telemetry).cell(7), std::nullopt);
}

}  // namespace
}  // namespace amphora::packnet
