// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "apps/amphora/emulate/air.hpp"
#include "apps/amphora/emulate/house.hpp"
#include "apps/amphora/emulate/living_battery.hpp"
#include "apps/amphora/emulate/living_house.hpp"
#include "apps/amphora/emulate/register_file.hpp"

namespace amphora::emulate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(RegisterFile, ReadsADumpAsPeopleWriteItDown) {
  const RegisterFile file = parse_registers(R"(## a title (with a remark)
# values of MODBUS registers, decimal unless 0x
r0=0 r1=0 r2..r4 = 39800 39810 39820
r32=0x93cd r33=0x00fe (16683981 s)   r42=0x8000
r105..r109=0 r320=-40
   (pairs: event ids 0x65, 0x64 in the top byte)
R500 = 0x0102, r501=1; r7..9 = 1 2 3
)",
                                            "dump.txt");
  EXPECT_THAT(file.errors, ElementsAre(HasSubstr("dump.txt:7: \"9\" is not a register")));
  EXPECT_EQ(file.values.at(3), 39810);
  EXPECT_EQ(file.values.at(32), 0x93CD);
  EXPECT_EQ(file.values.at(107), 0);
  EXPECT_EQ(file.values.at(320), 0xFFD8);
  EXPECT_EQ(file.values.at(500), 0x0102);
  EXPECT_EQ(file.values.at(501), 1);
  EXPECT_EQ(file.values.count(110), 0U);
}

TEST(RegisterFile, EachErrorNamesItsLine) {
  const RegisterFile file = parse_registers(
      "r1=5 r1=6\nr600=1\nr5..r7 = 1 2\nx=3\nr4=70000\nr9 "
      "(x\nr8=\nr9..r3=1\nr10=0x\nr11=)\nr12=1.5\nr13=-32769\n",
      "f");
  EXPECT_THAT(
      file.errors,
      ElementsAre("f:1: r1 is given twice; allowed: once", HasSubstr("f:2: \"r600\" is not a register"),
                  "f:3: r5..r7 has 2 values; allowed: 3, or one for all",
                  HasSubstr("f:4: \"x\" is not a register"), HasSubstr("f:5: r4: \"70000\" is not a value"),
                  HasSubstr("f:6: \"(\" without \")\""), HasSubstr("f:7: r8..r8 has 0 values"),
                  HasSubstr("f:8: r9..r3 runs backwards"), HasSubstr("f:9: r10: \"0x\" is not a value"),
                  HasSubstr("f:10: \")\" without \"(\""), HasSubstr("f:11: r12: \".\" is not a value"),
                  HasSubstr("f:12: r13: \"-32769\" is not a value")));
}

TEST(RegisterFile, MissingAndEmptyFilesAreErrors) {
  EXPECT_THAT(read_register_file("/nonexistent").errors, ElementsAre(HasSubstr("No such file")));
  EXPECT_THAT(read_register_file("/").errors, ElementsAre(HasSubstr("/: ")));
  EXPECT_THAT(read_register_file("/dev/null").errors, ElementsAre(HasSubstr("no register in the file")));
}

TEST(AirChannels, ListsAndRanges) {
  EXPECT_THAT(parse_channels("1-3,11"), ElementsAre(1, 2, 3, 11));
  EXPECT_THAT(parse_channels("6"), ElementsAre(6));
  EXPECT_THAT(parse_channels("14,1"), ElementsAre(14, 1));
  for (const char* bad : {"", "0", "15", "1,", ",1", "3-1", "1-", "-3", "a", "1 2", "1-2-3"}) {
    EXPECT_THAT(parse_channels(bad), IsEmpty()) << bad;
  }
}

TEST(LivingBattery, EveryValueMovesAndStaysPlausible) {
  sim::TinyBmsDevice device;
  LivingBattery battery{1};
  std::uint16_t lowest = 0xFFFF;
  std::uint16_t highest = 0;
  bool has_charged = false;
  bool has_discharged = false;
  for (int second = 0; second < 4000; ++second) {
    battery.advance(TimePoint{std::chrono::seconds{second}}, device);
    lowest = std::min(lowest, device.register_value(40));
    highest = std::max(highest, device.register_value(41));
    has_charged = has_charged || device.register_value(50) == 0x91;
    has_discharged = has_discharged || device.register_value(50) == 0x93;
  }
  EXPECT_GT(lowest, 2900);
  EXPECT_LT(highest, 3600);
  EXPECT_GT(highest - lowest, 30);
  EXPECT_TRUE(has_charged);
  EXPECT_TRUE(has_discharged);
}

TEST(LivingBattery, TheSameSeedGivesTheSameBattery) {
  sim::TinyBmsDevice first;
  sim::TinyBmsDevice second;
  LivingBattery a{7};
  LivingBattery b{7};
  for (int step = 0; step < 100; ++step) {
    a.advance(TimePoint{std::chrono::seconds{step}}, first);
    b.advance(TimePoint{std::chrono::seconds{step}}, second);
  }
  for (std::uint16_t number = 0; number < 57; ++number) {
    EXPECT_EQ(first.register_value(number), second.register_value(number)) << number;
  }
}

TEST(LivingBattery, HeldCurrentIsShown) {
  sim::TinyBmsDevice device;
  LivingBattery battery{1};
  battery.hold_current(Milliamps{-25'000});
  battery.advance(TimePoint{std::chrono::seconds{1}}, device);
  const auto bits = device.register_value(38) | (std::uint32_t{device.register_value(39)} << 16U);
  EXPECT_EQ(tinybms::milli_from_float(bits), -25'000);
  EXPECT_EQ(device.register_value(50), 0x93);
}

TEST(LivingBattery, AFaultIsMeasuredAndGoneAgain) {
  sim::ModbusBmsDevice device;
  LivingBattery battery{{.cell_count = 8, .soc_start = BasisPoints{6'700}}};
  battery.advance(TimePoint{std::chrono::seconds{1}}, device);
  EXPECT_EQ(device.register_value(7), 0);
  EXPECT_NEAR(*device.register_value(2), 6'700, 60);
  EXPECT_TRUE(device.register_value(23));
  EXPECT_FALSE(device.register_value(24)) << "eight cells";
  constexpr std::pair<BatteryFault, int> kBits[] = {
      {BatteryFault::kOverVoltage, 1},     {BatteryFault::kUnderVoltage, 2},
      {BatteryFault::kOverTemperature, 4}, {BatteryFault::kUnderTemperature, 8},
      {BatteryFault::kImbalance, 64},      {BatteryFault::kNone, 0}};
  for (const auto& [fault, bits] : kBits) {
    EXPECT_EQ(battery_fault_from_text(to_text(fault)), fault);
    battery.set_fault(fault);
    battery.advance(TimePoint{std::chrono::seconds{1}}, device);
    EXPECT_EQ(device.register_value(7), bits) << to_text(fault);
  }
  EXPECT_FALSE(battery_fault_from_text("tired"));
}

TEST(LivingHouse, EverythingMovesWithinADay) {
  LivingHouse house{{}};
  std::int32_t sun_max = 0;
  std::int32_t base_max = 0;
  std::int32_t grid_min = 0;
  std::int32_t grid_max = 0;
  int pump_seconds = 0;
  int heater_seconds = 0;
  for (int second = 0; second < 600; ++second) {
    const HousePowers powers = house.advance(TimePoint{std::chrono::seconds{second}}, {});
    EXPECT_EQ(powers.grid, powers.inverter_output - powers.sun);
    sun_max = std::max(sun_max, powers.sun.count());
    base_max = std::max(base_max, powers.inverter_output.count());
    grid_min = std::min(grid_min, powers.grid.count());
    grid_max = std::max(grid_max, powers.grid.count());
    pump_seconds += powers.pool_pump > Watts{500} ? 1 : 0;
    heater_seconds += powers.water_heater > Watts{500} ? 1 : 0;
  }
  EXPECT_GT(sun_max, 1'000);
  EXPECT_LE(sun_max, 6'000);
  EXPECT_GT(base_max, 1'500);
  EXPECT_LT(base_max, 9'000);
  EXPECT_LT(grid_min, -500);
  EXPECT_GT(grid_max, 1'000);
  EXPECT_NEAR(pump_seconds, 150, 5) << "six of 24 hours";
  EXPECT_GT(heater_seconds, 5);
  EXPECT_LT(heater_seconds, 300);
}

TEST(LivingHouse, NothingFlowsBehindAnOpenRelay) {
  LivingHouse house{{}};
  house.skip_to(13 * 60);
  EXPECT_EQ(house.minute_of_day(), 13 * 60);
  const TimePoint now{std::chrono::seconds{1}};
  HousePowers powers = house.advance(now, {.battery = Watts{700}});
  EXPECT_EQ(powers.grid, powers.inverter_output + Watts{700} - powers.sun);
  EXPECT_GT(powers.pool_pump, Watts{1'000});
  EXPECT_GT(powers.inverter_output, powers.pool_pump);
  powers = house.advance(now, {.is_grid_closed = false, .is_pump_closed = false});
  EXPECT_EQ(powers.grid, Watts{0});
  EXPECT_EQ(powers.pool_pump, Watts{0});
  EXPECT_GT(powers.inverter_output, Watts{0});
  powers = house.advance(now, {.is_inverter_closed = false});
  EXPECT_EQ(powers.inverter_output, Watts{0});
  EXPECT_EQ(powers.pool_pump, Watts{0}) << "it is behind the inverter output";
  EXPECT_EQ(powers.grid, Watts{0} - powers.sun);
}

TEST(LivingHouse, LoadsOutsideAreTheirOwn) {
  LivingHouse house{{.is_outside = true}};
  house.skip_to(13 * 60);
  const TimePoint now{std::chrono::seconds{1}};
  HousePowers powers = house.advance(now, {});
  EXPECT_EQ(powers.grid, powers.inverter_output + powers.pool_pump + powers.water_heater - powers.sun);
  powers = house.advance(now, {.is_inverter_closed = false});
  EXPECT_EQ(powers.inverter_output, Watts{0});
  EXPECT_GT(powers.pool_pump, Watts{1'000});
}

TEST(LivingHouse, AHeaterThatWasOffHeatsLongerAfterwards) {
  const auto heating_seconds = [](bool is_kept_off) {
    LivingHouse house{{}};
    PackState pack;
    pack.is_heater_closed = !is_kept_off;
    int second = 0;
    for (; second < 300; ++second) {
      const HousePowers powers = house.advance(TimePoint{std::chrono::seconds{second}}, pack);
      EXPECT_TRUE(!is_kept_off || powers.water_heater == Watts{0});
    }
    int count = 0;
    for (; second < 400; ++second) {
      count += house.advance(TimePoint{std::chrono::seconds{second}}, {}).water_heater > Watts{0} ? 1 : 0;
    }
    return count;
  };
  EXPECT_GT(heating_seconds(true), heating_seconds(false));
}

TEST(House, ReadsWhatAPackSays) {
  const auto state = parse_pack_state(
      R"({"battery_w":-1250.4,"relays":{"grid":"open","inverter_output":"closed","pool_pump":"open"},"more":1})");
  ASSERT_TRUE(state);
  EXPECT_EQ(*state, (PackState{.is_grid_closed = false, .is_pump_closed = false, .battery = Watts{-1250}}));
  EXPECT_EQ(parse_pack_state("{}"), PackState{});
  for (const char* bad : {"", "[]", "7", "{\"battery_w\":\"1\"}", "{\"battery_w\":1e9}", "{\"relays\":[]}",
                          "{\"relays\":{\"grid\":true}}", "{\"relays\":{\"grid\":\"ajar\"}}"}) {
    EXPECT_FALSE(parse_pack_state(bad)) << bad;
  }
}

}  // namespace
}  // namespace amphora::emulate
