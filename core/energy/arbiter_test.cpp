// SPDX-License-Identifier: Apache-2.0
#include "core/energy/arbiter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/base/rng.hpp"
#include "tests/contract/slow_build.hpp"

namespace amphora::energy {
namespace {

using namespace std::chrono_literals;
using Kind = Ask::Kind;

constexpr Ask kOpenAsk{Kind::kOpen, Reason::kOrdered};
constexpr Ask kCloseAsk{Kind::kClose, Reason::kOrdered};
constexpr Ask kHoldAsk{Kind::kHold, Reason::kOrdered};

struct Bench {
  explicit Bench(const PerRelay<RelayConfig>& relays = default_relays()) : arbiter{relays} {}

  Ask& ask(Holder holder, Relay relay) { return asks[static_cast<std::size_t>(holder)][index_of(relay)]; }
  const RelayState& decide(Relay relay, Duration later = 0s) {
    now += later;
    arbiter.decide(now, asks, measured);
    return arbiter.relay(relay);
  }

  TimePoint now{1000s};
  Asks asks{};
  PerRelay<std::optional<Position>> measured{};
  Arbiter arbiter;
};

TEST(EnergyArbiter, WithoutAskEveryFittedRelayIsClosed) {
  Bench bench;
  bench.decide(Relay::kGrid);
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    const RelayState& state = bench.arbiter.relay(relay_at(i));
    EXPECT_EQ(state.is_fitted, i < 4);
    EXPECT_EQ(state.commanded, i < 4 ? std::optional{Position::kClosed} : std::nullopt);
    EXPECT_EQ(state.holder, Holder::kDefault);
  }
}

// Every pair of every list: whoever is named first wins, whatever the other wants.
TEST(EnergyArbiter, TheFirstOfTheListWins) {
  for (const Relay relay : {Relay::kGrid, Relay::kInverterOutput, Relay::kHeater}) {
    const auto order = precedence_of(relay);
    for (std::size_t first = 0; first < order.size(); ++first) {
      for (std::size_t second = first + 1; second < order.size(); ++second) {
        for (const bool is_open : {false, true}) {
          Bench bench;
          bench.ask(order[first], relay) = is_open ? kOpenAsk : kCloseAsk;
          bench.ask(order[second], relay) = is_open ? kCloseAsk : kOpenAsk;
          const bool is_vetoed = row_of(order[second]).is_veto && !is_open;
          const RelayState& state = bench.decide(relay);
          EXPECT_EQ(state.holder, order[first]);
          EXPECT_EQ(state.requested, is_open ? Position::kOpen : Position::kClosed);
          EXPECT_EQ(state.commanded == Position::kOpen, is_open || is_vetoed);
        }
      }
    }
  }
}

TEST(EnergyArbiter, WhoIsNotInTheListOfARelayHasNoSay) {
  Bench bench;
  bench.ask(Holder::kEco, Relay::kGrid) = kOpenAsk;
  bench.ask(Holder::kBackup, Relay::kHeater) = kOpenAsk;
  EXPECT_EQ(bench.decide(Relay::kGrid).commanded, Position::kClosed);
  EXPECT_EQ(bench.decide(Relay::kHeater).commanded, Position::kClosed);
}

TEST(EnergyArbiter, MinimumTimesDelayASwitchAndSayUntilWhen) {
  Bench bench;
  bench.decide(Relay::kHeater);
  bench.ask(Holder::kManual, Relay::kHeater) = kOpenAsk;
  const RelayState& state = bench.decide(Relay::kHeater, 59s);
  EXPECT_EQ(state.requested, Position::kOpen);
  EXPECT_EQ(state.commanded, Position::kClosed);
  EXPECT_EQ(state.hindrance, Hindrance::kMinimumOn);
  EXPECT_EQ(state.hindered_until, bench.now + 1s);
  EXPECT_EQ(bench.decide(Relay::kHeater, 1s).commanded, Position::kOpen);
  EXPECT_EQ(state.hindrance, Hindrance::kNone);
  bench.ask(Holder::kManual, Relay::kHeater) = kCloseAsk;
  EXPECT_EQ(bench.decide(Relay::kHeater, 59s).hindrance, Hindrance::kMinimumOff);
  EXPECT_EQ(bench.decide(Relay::kHeater, 1s).commanded, Position::kClosed);
}

TEST(EnergyArbiter, SafetyDoesNotWaitForMinimumTimes) {
  Bench bench;
  bench.decide(Relay::kHeater);
  bench.ask(Holder::kSafety, Relay::kHeater) = kOpenAsk;
  EXPECT_EQ(bench.decide(Relay::kHeater, 1ms).commanded, Position::kOpen);
}

TEST(EnergyArbiter, HoldKeepsWhatIs) {
  Bench bench;
  bench.ask(Holder::kManual, Relay::kInverterOutput) = kOpenAsk;
  bench.decide(Relay::kInverterOutput);
  bench.ask(Holder::kSafety, Relay::kInverterOutput) = kHoldAsk;
  bench.ask(Holder::kManual, Relay::kInverterOutput) = kCloseAsk;
  const RelayState& state = bench.decide(Relay::kInverterOutput, 1h);
  EXPECT_EQ(state.commanded, Position::kOpen);
  EXPECT_EQ(state.holder, Holder::kSafety);
  EXPECT_EQ(state.hindrance, Hindrance::kNone);
}

TEST(EnergyArbiter, AnExhaustedImportLimitStandsAgainstSafety) {
  Bench bench;
  bench.ask(Holder::kImportLimit, Relay::kGrid) = kOpenAsk;
  bench.ask(Holder::kSafety, Relay::kGrid) = kCloseAsk;
  const RelayState& state = bench.decide(Relay::kGrid);
  EXPECT_EQ(state.commanded, Position::kOpen);
  EXPECT_EQ(state.requested, Position::kClosed);
  EXPECT_EQ(state.holder, Holder::kSafety);
  EXPECT_EQ(state.hindrance, Hindrance::kImportExhausted);
}

TEST(EnergyArbiter, AtTheStartTheMeasuredPositionIsTakenOver) {
  Bench bench;
  bench.measured[index_of(Relay::kGrid)] = Position::kOpen;
  const RelayState& state = bench.decide(Relay::kGrid);
  EXPECT_EQ(state.commanded, Position::kOpen) << "the minimum time starts with what is there";
  EXPECT_EQ(state.hindrance, Hindrance::kMinimumOff);
  EXPECT_EQ(bench.decide(Relay::kGrid, 30s).commanded, Position::kClosed);
}

TEST(EnergyArbiter, AContactThatDoesNotFollowIsReported) {
  Bench bench;
  bench.measured[index_of(Relay::kGrid)] = Position::kClosed;
  bench.decide(Relay::kGrid);
  bench.ask(Holder::kSafety, Relay::kGrid) = kOpenAsk;
  const RelayState& state = bench.decide(Relay::kGrid, 1s);
  EXPECT_EQ(state.commanded, Position::kOpen);
  EXPECT_EQ(state.measured, Position::kClosed);
  EXPECT_FALSE(bench.decide(Relay::kGrid, 4s).is_mismatched) << "contacts need their time";
  EXPECT_TRUE(bench.decide(Relay::kGrid, 1s).is_mismatched);
  bench.measured[index_of(Relay::kGrid)] = Position::kOpen;
  EXPECT_FALSE(bench.decide(Relay::kGrid).is_mismatched);
}

TEST(EnergyArbiter, TheWearLimitHoldsARelayAndSaysSo) {
  auto relays = default_relays();
  relays[index_of(Relay::kPump)].switches_per_hour = 6;
  Bench bench{relays};
  bench.decide(Relay::kPump);
  const TimePoint first = bench.now + 60s;
  for (int i = 0; i < 4; ++i) {
    bench.ask(Holder::kManual, Relay::kPump) = i % 2 == 0 ? kOpenAsk : kCloseAsk;
    bench.decide(Relay::kPump, 60s);
    ASSERT_EQ(bench.arbiter.relay(Relay::kPump).switches_last_hour, i + 1);
  }
  bench.ask(Holder::kManual, Relay::kPump) = kOpenAsk;
  const RelayState& state = bench.decide(Relay::kPump, 60s);
  EXPECT_EQ(state.commanded, Position::kClosed);
  EXPECT_EQ(state.hindrance, Hindrance::kWear);
  EXPECT_EQ(state.hindered_until, first + 1h);
  bench.ask(Holder::kSafety, Relay::kPump) = kOpenAsk;
  EXPECT_EQ(bench.decide(Relay::kPump).commanded, Position::kOpen) << "kept back for safety";
  bench.ask(Holder::kSafety, Relay::kPump) = kCloseAsk;
  EXPECT_EQ(bench.decide(Relay::kPump, 1s).hindrance, Hindrance::kWear) << "the last one is for opening";
  EXPECT_EQ(bench.decide(Relay::kPump, 1h).commanded, Position::kClosed);
}

TEST(EnergyArbiter, OrdinaryAsksResumeWhenTheHourHasPassed) {
  auto relays = default_relays();
  relays[index_of(Relay::kPump)].switches_per_hour = 4;
  Bench bench{relays};
  bench.decide(Relay::kPump);
  bench.ask(Holder::kManual, Relay::kPump) = kOpenAsk;
  bench.decide(Relay::kPump, 60s);
  bench.ask(Holder::kManual, Relay::kPump) = kCloseAsk;
  bench.decide(Relay::kPump, 60s);
  bench.ask(Holder::kManual, Relay::kPump) = kOpenAsk;
  const RelayState& state = bench.decide(Relay::kPump, 60s);
  ASSERT_EQ(state.hindrance, Hindrance::kWear);
  EXPECT_EQ(bench.decide(Relay::kPump, state.hindered_until - bench.now - 1us).commanded, Position::kClosed);
  EXPECT_EQ(bench.decide(Relay::kPump, 1us).commanded, Position::kOpen);
}

// --- properties -----------------------------------------------------------------------------------------

// What the rules say, written down a second time and slowly.
struct Expectation {
  Position requested = Position::kClosed;
  Holder holder = Holder::kDefault;
  bool is_vetoed = false;
};
Expectation expect(const Asks& asks, Relay relay, std::optional<Position> commanded) {
  Expectation result;
  for (const Holder holder : precedence_of(relay)) {
    const Ask& ask = asks[static_cast<std::size_t>(holder)][index_of(relay)];
    if (ask.kind != Kind::kNone) {
      result.holder = holder;
      result.requested = ask.kind == Kind::kOpen                            ? Position::kOpen
                         : ask.kind == Kind::kHold && commanded.has_value() ? *commanded
                                                                            : Position::kClosed;
      break;
    }
  }
  result.is_vetoed =
      relay == Relay::kGrid && asks[static_cast<std::size_t>(Holder::kImportLimit)][0].kind == Kind::kOpen;
  return result;
}

struct Watcher {
  std::optional<Position> commanded;
  TimePoint since{};
  std::vector<TimePoint> switches;
};

class ArbiterRun {
 public:
  explicit ArbiterRun(std::uint64_t seed) : rng_{seed}, config_{random_config()}, arbiter_{config_} {}

  std::uint64_t steps = 0;
  std::uint64_t switches = 0;
  std::uint64_t wear_held = 0;
  std::uint64_t minimum_held = 0;
  std::uint64_t vetoed = 0;

  void run(int count) {
    for (int i = 0; i < count && !::testing::Test::HasFatalFailure(); ++i) {
      step();
    }
  }

 private:
  PerRelay<RelayConfig> random_config() {
    auto config = default_relays();
    for (RelayConfig& relay : config) {
      relay.is_fitted = rng_.chance(800'000);
      relay.on_min = std::chrono::seconds{rng_.between(0, 120)};
      relay.off_min = std::chrono::seconds{rng_.between(0, 120)};
      relay.switches_per_hour = static_cast<std::uint8_t>(rng_.between(kSwitchesPerHourMin, 30));
    }
    return config;
  }

  void change_asks() {
    // Calm phases and wild ones, so that both limits are reached.
    for (std::uint32_t i = rng_.below(4); i > 0; --i) {
      const auto holder = rng_.below(static_cast<std::uint32_t>(kHolderCount) - 1);
      const auto relay = rng_.below(static_cast<std::uint32_t>(kRelayCount));
      auto kind = static_cast<Kind>(rng_.below(4));
      const bool is_rare = holder <= static_cast<std::uint32_t>(Holder::kImportLimit);
      if (is_rare && rng_.chance(700'000)) {
        kind = Kind::kNone;
      }
      if (holder == static_cast<std::uint32_t>(Holder::kImportLimit) && kind != Kind::kNone) {
        kind = Kind::kOpen;
      }
      asks_[holder][relay] = Ask{kind, Reason::kOrdered};
    }
  }

  void step() {
    ++steps;
    now_ +=
        rng_.chance(20'000) ? Duration{rng_.between(0, 4'000'000'000)} : Duration{rng_.between(0, 9'000'000)};
    change_asks();
    const bool is_measured = rng_.chance(500'000);
    for (std::size_t i = 0; i < kRelayCount; ++i) {
      measured_[i] = is_measured ? std::optional{static_cast<Position>(rng_.below(2))} : std::nullopt;
    }
    arbiter_.decide(now_, asks_, measured_);
    for (std::size_t i = 0; i < kRelayCount; ++i) {
      check(i);
    }
  }

  void check(std::size_t i) {
    const RelayState& state = arbiter_.relay(relay_at(i));
    Watcher& watcher = watchers_[i];
    if (!config_[i].is_fitted) {
      ASSERT_FALSE(state.commanded);
      return;
    }
    ASSERT_TRUE(state.commanded);
    if (!watcher.commanded && measured_[i]) {
      watcher = Watcher{measured_[i], now_, {}};
    }
    const Expectation expected = expect(asks_, relay_at(i), watcher.commanded);
    ASSERT_EQ(state.holder, expected.holder);
    ASSERT_EQ(state.requested, expected.requested);
    const Position target = expected.is_vetoed ? Position::kOpen : expected.requested;
    const bool is_overriding = expected.is_vetoed || row_of(expected.holder).overrides_minimum_times;
    if (expected.is_vetoed) {
      ++vetoed;
      ASSERT_EQ(state.commanded, Position::kOpen) << "an exhausted import limit and a closed grid";
    }
    if (is_overriding && target == Position::kOpen) {
      ASSERT_EQ(state.commanded, Position::kOpen) << "a protecting opening was held back";
    }
    if (!watcher.commanded) {
      ASSERT_EQ(state.commanded, target);
      watcher = Watcher{state.commanded, now_, {}};
    } else if (state.commanded != watcher.commanded) {
      check_switch(i, target, is_overriding);
    } else {
      check_stay(i, target);
    }
  }

  void check_switch(std::size_t i, Position target, bool is_overriding) {
    Watcher& watcher = watchers_[i];
    const RelayConfig& config = config_[i];
    ++switches;
    ASSERT_EQ(arbiter_.relay(relay_at(i)).commanded, target) << "a switch that nobody asked for";
    const Duration needed = watcher.commanded == Position::kClosed ? config.on_min : config.off_min;
    ASSERT_TRUE(is_overriding || now_ - watcher.since >= needed) << "a minimum time was broken";
    watcher.switches.push_back(now_);
    std::erase_if(watcher.switches, [&](TimePoint at) { return now_ - at >= 1h; });
    ASSERT_LE(watcher.switches.size(), config.switches_per_hour) << "the wear limit was passed";
    watcher.commanded = target;
    watcher.since = now_;
  }

  // A relay that is not where it should be names what keeps it, and is kept by that.
  void check_stay(std::size_t i, Position target) {
    Watcher& watcher = watchers_[i];
    const RelayState& state = arbiter_.relay(relay_at(i));
    if (target == watcher.commanded) {
      return;
    }
    const bool is_closed = watcher.commanded == Position::kClosed;
    const Duration needed = is_closed ? config_[i].on_min : config_[i].off_min;
    if (state.hindrance == Hindrance::kWear) {
      ++wear_held;
      std::erase_if(watcher.switches, [&](TimePoint at) { return now_ - at >= 1h; });
      ASSERT_GE(watcher.switches.size() + Arbiter::kReserve, config_[i].switches_per_hour);
    } else {
      ++minimum_held;
      ASSERT_EQ(state.hindrance, is_closed ? Hindrance::kMinimumOn : Hindrance::kMinimumOff);
      ASSERT_LT(now_ - watcher.since, needed);
    }
    ASSERT_GT(state.hindered_until, now_);
  }

  Rng rng_;
  PerRelay<RelayConfig> config_;
  Arbiter arbiter_;
  TimePoint now_{1000s};
  Asks asks_{};
  PerRelay<std::optional<Position>> measured_{};
  PerRelay<Watcher> watchers_{};
};

TEST(EnergyArbiter, PrecedenceTimesWearAndVetoHoldInAMillionRandomSteps) {
  std::uint64_t steps = 0;
  std::uint64_t switches = 0;
  std::uint64_t wear_held = 0;
  std::uint64_t minimum_held = 0;
  std::uint64_t vetoed = 0;
  for (std::uint64_t seed = 1; seed <= contract::repetitions(60u); ++seed) {
    ArbiterRun run{seed};
    run.run(20'000);
    ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << run.steps;
    steps += run.steps;
    switches += run.switches;
    wear_held += run.wear_held;
    minimum_held += run.minimum_held;
    vetoed += run.vetoed;
  }
  EXPECT_GE(steps, contract::repetitions(1'000'000u));
  // The run is worth something only if it reached what it is about.
  EXPECT_GT(switches, contract::repetitions(50'000u));
  EXPECT_GT(wear_held, contract::repetitions(10'000u));
  EXPECT_GT(minimum_held, contract::repetitions(50'000u));
  EXPECT_GT(vetoed, contract::repetitions(50'000u));
}

}  // namespace
}  // namespace amphora::energy
