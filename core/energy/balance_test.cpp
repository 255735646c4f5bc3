// SPDX-License-Identifier: Apache-2.0
#include "core/energy/balance.hpp"

#include <gtest/gtest.h>

#include "core/base/rng.hpp"

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1000s};

template <class T>
Reading<T> at(T value, Duration age = 0s) {
  return Sampled<T>{value, kNow - age};
}

// 10 A from the grid, 20 A out of the inverter, the battery charging with 1 kW: at 220 V the sun gives the
// missing 3.2 kW.
Inputs sample() {
  Inputs inputs;
  inputs.grid.current = at(Milliamps{10'000});
  inputs.inverter_output.current = at(Milliamps{20'000});
  inputs.pack_voltage = at(Millivolts{50'000});
  inputs.pack_current = at(Milliamps{20'000});
  return inputs;
}

TEST(EnergyBalance, TheSunIsWhatTheOthersLeaveOver) {
  const Balance balance = balance_of(kNow, sample(), {});
  EXPECT_EQ(balance.grid, Watts{2200});
  EXPECT_EQ(balance.home, Watts{4400});
  EXPECT_EQ(balance.battery, Watts{1000});
  EXPECT_EQ(balance.solar, Watts{3200});
}

TEST(EnergyBalance, ChargingDischargingAndIdleAreOneFormula) {
  Inputs inputs = sample();
  inputs.pack_current = at(Milliamps{-40'000});
  EXPECT_EQ(balance_of(kNow, inputs, {}).solar, Watts{200});
  inputs.pack_current = at(Milliamps{0});
  EXPECT_EQ(balance_of(kNow, inputs, {}).solar, Watts{2200});
  inputs.pack_current = at(Milliamps{-80'000});
  EXPECT_EQ(balance_of(kNow, inputs, {}).solar, Watts{0}) << "never negative: meters disagree a little";
}

TEST(EnergyBalance, WhatIsUnknownMakesEverySumUnknown) {
  Inputs inputs = sample();
  inputs.grid.current.reset();
  Balance balance = balance_of(kNow, inputs, {});
  EXPECT_FALSE(balance.grid);
  EXPECT_FALSE(balance.solar);
  EXPECT_EQ(balance.home, Watts{4400});

  inputs = sample();
  inputs.inverter_output.current = at(Milliamps{20'000}, 7s);
  balance = balance_of(kNow, inputs, {});
  EXPECT_FALSE(balance.home) << "older than its bound";
  EXPECT_FALSE(balance.solar);

  inputs = sample();
  inputs.pack_current.reset();
  EXPECT_FALSE(balance_of(kNow, inputs, {}).battery);

  EXPECT_EQ(balance_of(kNow, {}, {}), Balance{});
}

TEST(EnergyBalance, LoadsOutsideTheInverterOutputAddToTheHome) {
  Inputs inputs = sample();
  inputs.load[0].current = at(Milliamps{5'000});
  BalanceConfig config;
  EXPECT_EQ(balance_of(kNow, inputs, config).home, Watts{4400});
  EXPECT_EQ(balance_of(kNow, inputs, config).load[0], Watts{1100});
  config.loads_outside = 0b01;
  EXPECT_EQ(balance_of(kNow, inputs, config).home, Watts{5500});
  config.loads_outside = 0b11;
  EXPECT_FALSE(balance_of(kNow, inputs, config).home) << "load 1 is part of the home and not measured";
}

TEST(EnergyBalance, UnderTheNoiseFloorThereIsNothing) {
  Inputs inputs = sample();
  inputs.grid.current = at(Milliamps{99});
  EXPECT_EQ(balance_of(kNow, inputs, {}).grid, Watts{0});
  inputs.grid.current = at(Milliamps{100});
  EXPECT_EQ(balance_of(kNow, inputs, {}).grid, Watts{22});
}

TEST(EnergyBalance, CalibrationAndMeasuredVoltageCount) {
  Inputs inputs = sample();
  BalanceConfig config;
  config.grid.gain = Permille{1100};
  inputs.ac_voltage = at(Millivolts{200'000});
  EXPECT_EQ(balance_of(kNow, inputs, config).grid, Watts{2200});
  inputs.ac_voltage = at(Millivolts{200'000}, 1h);
  EXPECT_EQ(balance_of(kNow, inputs, config).grid, Watts{2420}) << "an old voltage: the nominal one";
}

TEST(EnergyBalance, AMeterKnowsTheDirectionAndWins) {
  Inputs inputs = sample();
  inputs.grid.power = at(Watts{-1500});
  const Balance balance = balance_of(kNow, inputs, {});
  EXPECT_EQ(balance.grid, Watts{-1500});
  EXPECT_EQ(balance.solar, Watts{4400 + 1000 + 1500});
  inputs.grid.power = at(Watts{-1500}, 7s);
  EXPECT_EQ(balance_of(kNow, inputs, {}).grid, Watts{2200}) << "an old meter: the transformer";
}

TEST(EnergyBalance, StateOfChargeIsTheBmssElseTheVoltages) {
  Inputs inputs = sample();
  inputs.pack_voltage = at(Millivolts{54'400});
  inputs.soc = at(BasisPoints{7312});
  EXPECT_EQ(balance_of(kNow, inputs, {}).soc, (Soc{BasisPoints{7312}, SocSource::kBms}));
  inputs.soc = at(BasisPoints{10'001});
  EXPECT_EQ(balance_of(kNow, inputs, {}).soc, (Soc{BasisPoints{5000}, SocSource::kVoltage}));
  inputs.soc.reset();
  EXPECT_EQ(balance_of(kNow, inputs, {}).soc, (Soc{BasisPoints{5000}, SocSource::kVoltage}));
  inputs.pack_voltage = at(Millivolts{54'400}, 11s);
  EXPECT_FALSE(balance_of(kNow, inputs, {}).soc);
}

TEST(EnergyBalance, VoltageLineOfSixteenCells) {
  const VoltageLine line;
  EXPECT_EQ(soc_from_voltage(Millivolts{46'400}, line), BasisPoints{0});
  EXPECT_EQ(soc_from_voltage(Millivolts{30'000}, line), BasisPoints{0});
  EXPECT_EQ(soc_from_voltage(Millivolts{48'000}, line), BasisPoints{1000});
  EXPECT_EQ(soc_from_voltage(Millivolts{62'400}, line), BasisPoints{10'000});
  EXPECT_EQ(soc_from_voltage(Millivolts{80'000}, line), BasisPoints{10'000});
  EXPECT_EQ(lfp_voltage_line(16).empty, line.empty);
  EXPECT_EQ(lfp_voltage_line(16).full, line.full);
  EXPECT_EQ(soc_from_voltage(Millivolts{8 * 3400}, lfp_voltage_line(8)), BasisPoints{5000});
}

TEST(EnergyBalance, AnyNumbersGiveASolarPowerThatIsNotNegative) {
  Rng rng{7};
  for (int i = 0; i < 100'000; ++i) {
    Inputs inputs;
    inputs.grid.power = at(Watts{static_cast<std::int32_t>(rng.next())});
    inputs.inverter_output.current = at(Milliamps{static_cast<std::int32_t>(rng.next())});
    inputs.load[3].power = at(Watts{static_cast<std::int32_t>(rng.next())});
    inputs.ac_voltage = at(Millivolts{static_cast<std::int32_t>(rng.next())});
    inputs.pack_voltage = at(Millivolts{static_cast<std::int32_t>(rng.next())});
    inputs.pack_current = at(Milliamps{static_cast<std::int32_t>(rng.next())});
    BalanceConfig config;
    config.loads_outside = 0b1000;
    const Balance balance = balance_of(kNow, inputs, config);
    ASSERT_TRUE(balance.solar);
    ASSERT_GE(*balance.solar, Watts{0});
    ASSERT_GE(balance.soc->value, BasisPoints{0});
    ASSERT_LE(balance.soc->value, BasisPoints{10'000});
  }
}

}  // namespace
}  // namespace amphora::energy
