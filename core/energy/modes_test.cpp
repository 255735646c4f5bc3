// SPDX-License-Identifier: Apache-2.0
#include "core/energy/modes.hpp"

#include <gtest/gtest.h>

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;
using Kind = Ask::Kind;

constexpr std::uint16_t hm(int hours, int minutes = 0) {
  return static_cast<std::uint16_t>(hours * 60 + minutes);
}
// Day 0 is a Monday.
constexpr LocalTime wall(int day, int hours, int minutes = 0, int seconds = 0) {
  return LocalTime{(20'001LL - 20'001 % 7 + 4 + day) * kSecondsPerDay + hours * 3600 + minutes * 60 +
                   seconds};
}
static_assert(wall(0, 0).weekday() == 0);

// --- self-consumption -----------------------------------------------------------------------------------

TEST(EnergySelfConsumption, ClosesAtTheLowAndOpensAtTheHighThreshold) {
  SelfConsumption mode;
  const ModeSettings settings;
  EXPECT_EQ(mode.update(BasisPoints{1000}, settings), (Ask{Kind::kClose, Reason::kSocLow}));
  EXPECT_EQ(mode.update(BasisPoints{1001}, settings), (Ask{Kind::kClose, Reason::kSocBetween}));
  EXPECT_EQ(mode.update(BasisPoints{4999}, settings), (Ask{Kind::kClose, Reason::kSocBetween}));
  EXPECT_EQ(mode.update(BasisPoints{5000}, settings), (Ask{Kind::kOpen, Reason::kSocHigh}));
  EXPECT_EQ(mode.update(BasisPoints{1001}, settings), (Ask{Kind::kOpen, Reason::kSocBetween}));
  EXPECT_EQ(mode.update(BasisPoints{1000}, settings), (Ask{Kind::kClose, Reason::kSocLow}));
}

TEST(EnergySelfConsumption, BetweenTheThresholdsAtTheStartNothingSwitches) {
  SelfConsumption mode;
  const ModeSettings settings;
  EXPECT_EQ(mode.update(BasisPoints{3000}, settings), (Ask{Kind::kHold, Reason::kSocBetween}));
  mode.update(BasisPoints{6000}, settings);
  mode.stop();
  EXPECT_EQ(mode.update(BasisPoints{3000}, settings), (Ask{Kind::kHold, Reason::kSocBetween}));
}

TEST(EnergySelfConsumption, AnUnknownStateOfChargeClosesAndForgetsNothing) {
  SelfConsumption mode;
  const ModeSettings settings;
  mode.update(BasisPoints{6000}, settings);
  EXPECT_EQ(mode.update(std::nullopt, settings), (Ask{Kind::kClose, Reason::kSocUnknown}));
  EXPECT_EQ(mode.update(BasisPoints{3000}, settings), (Ask{Kind::kOpen, Reason::kSocBetween}));
}

// --- time of use ----------------------------------------------------------------------------------------

TEST(EnergyTimeOfUse, AWindowAcrossMidnightBelongsToTheDayItStartsOn) {
  ModeSettings settings;
  settings.windows.count = 1;
  settings.windows.window[0] = Window{hm(22), hm(6), 0b0000001};  // Monday
  const Ask inside{Kind::kClose, Reason::kInsideWindow};
  const Ask outside{Kind::kOpen, Reason::kOutsideWindows};
  EXPECT_EQ(time_of_use(wall(0, 5, 59), settings), outside) << "Sunday's night is not a window";
  EXPECT_EQ(time_of_use(wall(0, 21, 59, 59), settings), outside);
  EXPECT_EQ(time_of_use(wall(0, 22), settings), inside);
  EXPECT_EQ(time_of_use(wall(0, 23, 59, 59), settings), inside);
  EXPECT_EQ(time_of_use(wall(1, 0), settings), inside);
  EXPECT_EQ(time_of_use(wall(1, 5, 59, 59), settings), inside);
  EXPECT_EQ(time_of_use(wall(1, 6), settings), outside);
  EXPECT_EQ(time_of_use(wall(1, 22), settings), outside);
}

TEST(EnergyTimeOfUse, AnyWindowCloses) {
  ModeSettings settings;
  settings.windows.count = 2;
  settings.windows.window[0] = Window{hm(1), hm(2)};
  settings.windows.window[1] = Window{hm(13), hm(14)};
  settings.windows.window[2] = Window{hm(0), hm(0)};  // not counted
  EXPECT_EQ(time_of_use(wall(3, 1, 30), settings).kind, Kind::kClose);
  EXPECT_EQ(time_of_use(wall(3, 13, 30), settings).kind, Kind::kClose);
  EXPECT_EQ(time_of_use(wall(3, 12), settings).kind, Kind::kOpen);
}

TEST(EnergyTimeOfUse, AnUnknownTimeCloses) {
  EXPECT_EQ(time_of_use(std::nullopt, ModeSettings{}), (Ask{Kind::kClose, Reason::kTimeUnknown}));
}

TEST(EnergyTimeOfUse, WithoutWindowsItIsOpen) {
  EXPECT_EQ(time_of_use(wall(0, 12), ModeSettings{}), (Ask{Kind::kOpen, Reason::kOutsideWindows}));
}

// --- eco ------------------------------------------------------------------------------------------------

// A house in which what is shed opens at once and takes no power any more.
class House {
 public:
  House() {
    for (std::size_t i = 0; i <= index_of(Relay::kHeater); ++i) {
      view_.is_fitted[i] = true;
      view_.position[i] = Position::kClosed;
      view_.rated[i] = Watts{2000};
    }
  }
  void set_power(Relay relay, Watts power) { power_[index_of(relay)] = power; }
  void set_base(Watts power) { base_ = power; }

  // Goes on in steps of a second.
  void run(Duration lasts) {
    for (const TimePoint end = now_ + lasts; now_ < end;) {
      now_ += 1s;
      step();
    }
  }
  void run_unmeasured(Duration lasts) {
    for (const TimePoint end = now_ + lasts; now_ < end;) {
      now_ += 1s;
      view_.home.reset();
      eco.update(now_, view_, settings);
    }
  }
  Watts home() const {
    Watts sum{0};
    if (view_.position[index_of(Relay::kInverterOutput)] == Position::kClosed) {
      sum += base_;
      for (const Relay relay : {Relay::kPump, Relay::kHeater}) {
        if (view_.position[index_of(relay)] == Position::kClosed) {
          sum += power_[index_of(relay)];
        }
      }
    }
    return sum;
  }
  bool is_shed(Relay relay) const { return eco.is_shed(relay); }

  Eco eco;
  ModeSettings settings;
  bool follows = true;

 private:
  void step() {
    view_.home = home();
    for (const Relay relay : {Relay::kPump, Relay::kHeater}) {
      const bool is_on = view_.position[index_of(relay)] == Position::kClosed;
      view_.power[index_of(relay)] = is_on ? power_[index_of(relay)] : Watts{0};
    }
    view_.power[index_of(Relay::kInverterOutput)] = home();
    eco.update(now_, view_, settings);
    for (std::size_t i = 0; i <= index_of(Relay::kHeater) && follows; ++i) {
      view_.position[i] = eco.is_shed(relay_at(i)) ? Position::kOpen : Position::kClosed;
    }
  }

  EcoView view_;
  PerRelay<Watts> power_{};
  Watts base_{0};
  TimePoint now_{1000s};
};

TEST(EnergyEco, UpToTheLimitNothingIsShed) {
  House house;
  house.set_base(Watts{5000});
  house.run(1h);
  EXPECT_EQ(house.eco.shed_count(), 0U);
}

TEST(EnergyEco, OpensOneAfterTheOtherInTheOwnersOrder) {
  House house;
  house.set_base(Watts{4500});
  house.set_power(Relay::kHeater, Watts{2000});
  house.set_power(Relay::kPump, Watts{1000});
  house.run(1s);
  EXPECT_TRUE(house.is_shed(Relay::kHeater));
  house.run(4s);
  EXPECT_EQ(house.eco.shed_count(), 1U) << "the first has to show in the measured power";
  house.run(1s);
  EXPECT_TRUE(house.is_shed(Relay::kPump));
  house.run(1min);
  EXPECT_EQ(house.eco.shed_count(), 2U) << "4500 W are within the limit";
}

TEST(EnergyEco, RestoresInReverseOrderWhatFitsUnderTheMargin) {
  House house;
  house.set_base(Watts{4500});
  house.set_power(Relay::kHeater, Watts{2000});
  house.set_power(Relay::kPump, Watts{1000});
  house.run(1min);
  ASSERT_EQ(house.eco.shed_count(), 2U);
  house.set_base(Watts{3751});
  house.run(1h);
  EXPECT_EQ(house.eco.shed_count(), 2U) << "4751 W are above 95 % of 5000 W";
  house.set_base(Watts{3750});
  house.run(1s);
  EXPECT_FALSE(house.is_shed(Relay::kPump));
  EXPECT_TRUE(house.is_shed(Relay::kHeater));
  house.set_base(Watts{1000});
  house.run(29s);
  EXPECT_TRUE(house.is_shed(Relay::kHeater)) << "too soon after the last change";
  house.run(5s);
  EXPECT_EQ(house.eco.shed_count(), 0U);
}

TEST(EnergyEco, ALoadThatNeverFitsAloneIsTriedAgain) {
  House house;
  house.settings.eco_order = EcoOrder{{Relay::kInverterOutput}, 1};
  house.set_base(Watts{5100});
  house.run(1s);
  ASSERT_TRUE(house.is_shed(Relay::kInverterOutput));
  house.set_base(Watts{400});
  house.run(Eco::kRetryAfter - 1s);
  EXPECT_TRUE(house.is_shed(Relay::kInverterOutput)) << "what it took last does not fit under the limit";
  house.run(1s);
  EXPECT_FALSE(house.is_shed(Relay::kInverterOutput));
  house.run(1h);
  EXPECT_FALSE(house.is_shed(Relay::kInverterOutput));
}

TEST(EnergyEco, ARetryThatFailsIsShedAgain) {
  House house;
  house.settings.eco_order = EcoOrder{{Relay::kInverterOutput}, 1};
  house.set_base(Watts{5100});
  house.run(Eco::kRetryAfter + 10s);
  EXPECT_TRUE(house.is_shed(Relay::kInverterOutput));
  EXPECT_FALSE(house.eco.is_loads_limit());
}

TEST(EnergyEco, WithEverythingOpenItSaysSoWarnsAndGivesUp) {
  House house;
  house.settings.eco_order = EcoOrder{{Relay::kHeater}, 1};
  house.set_base(Watts{6000});
  house.set_power(Relay::kHeater, Watts{2000});
  house.run(6s);
  EXPECT_TRUE(house.eco.is_loads_limit());
  house.run(Eco::kWarnAfter - 6s);
  EXPECT_FALSE(house.eco.is_over_for_long());
  house.run(1s);
  EXPECT_TRUE(house.eco.is_over_for_long());
  house.run(Eco::kFallBackAfter - Eco::kWarnAfter - 1s);
  EXPECT_FALSE(house.eco.gives_up());
  house.run(1s);
  EXPECT_TRUE(house.eco.gives_up());
  house.eco.stop();
  EXPECT_FALSE(house.eco.gives_up());
  EXPECT_EQ(house.eco.shed_count(), 0U);
}

TEST(EnergyEco, ARelayThatDoesNotFollowKeepsTheNextWaitingOnlySoLong) {
  House house;
  house.follows = false;
  house.set_base(Watts{6000});
  house.run(1s);
  house.run(Eco::kPatience - 1s);
  EXPECT_EQ(house.eco.shed_count(), 1U);
  house.run(1s);
  EXPECT_EQ(house.eco.shed_count(), 2U);
}

TEST(EnergyEco, AnUnknownConsumptionKeepsWhatIsShed) {
  House house;
  house.set_base(Watts{4000});
  house.set_power(Relay::kHeater, Watts{2000});
  house.run(10s);
  ASSERT_TRUE(house.is_shed(Relay::kHeater));
  house.set_base(Watts{0});
  house.run_unmeasured(1h);
  EXPECT_TRUE(house.is_shed(Relay::kHeater));
  house.run(30s);
  EXPECT_TRUE(house.is_shed(Relay::kHeater)) << "the time within the limit starts again";
  house.run(1s);
  EXPECT_FALSE(house.is_shed(Relay::kHeater));
}

// --- import limit ---------------------------------------------------------------------------------------

class ImportBench {
 public:
  ImportBench() { settings.enabled.set(Mode::kImportLimit); }

  // From `local` on for a duration, a sample every ten seconds.
  void run(LocalTime local, Duration lasts, Watts grid) {
    for (Duration gone{0}; gone <= lasts; gone += 10s) {
      limit.update(now, grid, LocalTime{local.seconds + gone / 1s}, settings);
      now += 10s;
    }
    now -= 10s;
  }
  bool is_exhausted_at(LocalTime local) {
    now += 1h;  // a gap, which counts nothing
    limit.update(now, Watts{0}, local, settings);
    return limit.exhausted().has_value();
  }

  ModeSettings settings;
  ImportLimit limit;
  TimePoint now{1000s};
};

TEST(EnergyImportLimit, CountsEnergyAndIsExhaustedAtTheLimit) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{9990});
  EXPECT_EQ(bench.limit.counted(), WattHours{9990});
  EXPECT_FALSE(bench.limit.exhausted());
  bench.run(wall(0, 9), 10s, Watts{3600});
  EXPECT_EQ(bench.limit.counted(), WattHours{10'000});
  EXPECT_TRUE(bench.limit.exhausted());
}

TEST(EnergyImportLimit, ExportAndGapsCountNothing) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{-9000});
  EXPECT_EQ(bench.limit.counted(), WattHours{0});
  bench.limit.update(bench.now + 11s, Watts{100'000}, wall(0, 9, 0, 11), bench.settings);
  bench.limit.update(bench.now + 22s, Watts{100'000}, wall(0, 9, 0, 22), bench.settings);
  EXPECT_EQ(bench.limit.counted(), WattHours{0});
}

TEST(EnergyImportLimit, ExhaustedLastsUntilTheResetTime) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{11'000});
  ASSERT_TRUE(bench.limit.exhausted());
  EXPECT_TRUE(bench.is_exhausted_at(wall(0, 23, 59)));
  EXPECT_TRUE(bench.is_exhausted_at(wall(1, 0)));
  EXPECT_TRUE(bench.is_exhausted_at(wall(1, 4, 59, 59)));
  EXPECT_FALSE(bench.is_exhausted_at(wall(1, 5)));
  EXPECT_EQ(bench.limit.counted(), WattHours{0});
}

TEST(EnergyImportLimit, ARestartDoesNotOpenTheTapAgain) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{11'000});
  const auto stored = bench.limit.exhausted();
  ASSERT_TRUE(stored);
  bench.limit = ImportLimit{stored};
  bench.limit.update(bench.now, Watts{0}, std::nullopt, bench.settings);
  EXPECT_TRUE(bench.limit.exhausted()) << "also before the time is known";
  EXPECT_TRUE(bench.is_exhausted_at(wall(1, 4, 59)));
  EXPECT_FALSE(bench.is_exhausted_at(wall(1, 5)));
}

TEST(EnergyImportLimit, ARestartAfterTheResetTimeIsANewDay) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{11'000});
  bench.limit = ImportLimit{bench.limit.exhausted()};
  EXPECT_FALSE(bench.is_exhausted_at(wall(1, 5)));
}

TEST(EnergyImportLimit, SwitchingTheModeOffEndsIt) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{11'000});
  bench.settings.enabled.set(Mode::kImportLimit, false);
  EXPECT_FALSE(bench.is_exhausted_at(wall(0, 10)));
}

TEST(EnergyImportLimit, ResettingTheCounterDoesNotReleaseIt) {
  ImportBench bench;
  bench.run(wall(0, 8), 1h, Watts{11'000});
  bench.limit.reset_counter();
  EXPECT_EQ(bench.limit.counted(), WattHours{0});
  EXPECT_TRUE(bench.is_exhausted_at(wall(0, 10)));
}

TEST(EnergyImportLimit, WithoutAClockADayIsTwentyFourHours) {
  ImportBench bench;
  bench.limit = ImportLimit{ImportExhausted{}};
  bench.limit.update(bench.now, Watts{0}, std::nullopt, bench.settings);
  bench.limit.update(bench.now + 24h - 1us, Watts{0}, std::nullopt, bench.settings);
  EXPECT_TRUE(bench.limit.exhausted());
  bench.limit.update(bench.now + 24h, Watts{0}, std::nullopt, bench.settings);
  EXPECT_FALSE(bench.limit.exhausted());
}

TEST(EnergyImportLimit, TheRepeatedHourDoesNotEndTheDayTwice) {
  ImportBench bench;
  bench.settings.import_reset_minute = hm(2, 30);
  bench.run(wall(0, 2, 30), 20min, Watts{9000});
  EXPECT_EQ(bench.limit.counted(), WattHours{3000});
  bench.run(wall(0, 2), 40min, Watts{9000});
  EXPECT_GE(bench.limit.counted(), WattHours{8999}) << "still the day that began at the first 02:30";
}

}  // namespace
}  // namespace amphora::energy
