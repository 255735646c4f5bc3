// SPDX-License-Identifier: Apache-2.0
// What must hold for every battery and every history: a house depends on it.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "core/inverter/charge_limits.hpp"
#include "core/inverter/sample_battery_test.hpp"

namespace amphora::inverter {
namespace {

using namespace std::chrono_literals;
using battery::Profile;
using battery::Snapshot;

constexpr TimePoint kNow{1000s};

int pick(int low, int high) {
  return *rc::gen::inRange<int>(low, high + 1);
}

Profile any_profile() {
  Profile p = pick(0, 1) == 0 ? sample_profile() : battery::nmc_profile(kSampleCells, MilliampHours{66'000});
  p.charge_current_max = Milliamps{pick(0, 400'000)};
  p.discharge_current_max = Milliamps{pick(0, 400'000)};
  return p;
}

LimitConfig any_config() {
  LimitConfig config;
  config.ramp_up = Permille{pick(1, 1000)};
  config.ramp_start = Permille{pick(0, 1000)};
  config.charge_voltage_step = Millivolts{pick(0, 150)};
  config.imbalance_rest = Permille{pick(0, 1000)};
  config.recovery_delay = pick(0, 3000) * 1ms;
  return config;
}

UserLimits any_user() {
  UserLimits user;
  if (pick(0, 3) == 0) {
    user.charge_current = Milliamps{pick(-1000, 400'000)};
    user.discharge_current = Milliamps{pick(-1000, 400'000)};
    user.charge_voltage = Millivolts{pick(0, 70'000)};
  }
  return user;
}

// Mostly plausible, sometimes not, with every value possibly missing or old.
Snapshot any_snapshot(TimePoint now) {
  Snapshot s = sample_snapshot(now);
  const int low = pick(0, 9) == 0 ? pick(-100, 5000) : pick(2700, 4200);
  set_cells(s, now, Millivolts{low}, Millivolts{low + pick(pick(0, 9) == 0 ? -50 : 0, 350)});
  set_temperatures(s, now, Decicelsius{pick(-250, 500)}, Decicelsius{pick(-100, 600)});
  s.soc->value = BasisPoints{pick(pick(0, 9) == 0 ? -100 : 0, 10'000)};
  s.current->value = pick(0, 9) == 0 ? Milliamps{pick(-2'000'000, 2'000'000)} : Milliamps{pick(-1000, 1000)};
  if (pick(0, 19) == 0) {
    s.voltage->value = Millivolts{pick(-1000, 70'000)};
  }
  if (pick(0, 9) == 0) {
    s.cells->value.count = static_cast<std::uint16_t>(pick(0, 192));
  }
  if (pick(0, 4) == 0) {
    s.cells.reset();
  }
  if (pick(0, 4) == 0) {
    s.limits = Sampled<battery::PublishedLimits>{{Millivolts{pick(0, 70'000)}, Milliamps{pick(-10, 400'000)},
                                                  Milliamps{pick(-10, 400'000)}, Millivolts{pick(0, 70'000)}},
                                                 now};
  }
  if (pick(0, 9) == 0) {
    s.activity->value = battery::Activity::kFault;
  }
  const auto spoil = [now](auto& reading) {
    const int how = pick(0, 90);
    if (how == 0) {
      reading.reset();
    } else if (how == 1 && reading) {
      reading->at = now - pick(0, 10'000) * 1ms;
    } else if (how == 2 && reading) {
      reading->at = now + pick(1, 1000) * 1ms;
    }
  };
  spoil(s.cell_min);
  spoil(s.cell_max);
  spoil(s.voltage);
  spoil(s.current);
  spoil(s.soc);
  spoil(s.temperature_min);
  spoil(s.temperature_max);
  spoil(s.activity);
  return s;
}

void check_decision(const LimitDecision& d, const Profile& p, const LimitConfig& c) {
  RC_ASSERT(d.charge_current.value() >= Milliamps{0});
  RC_ASSERT(d.discharge_current.value() >= Milliamps{0});
  RC_ASSERT(d.charge_current.value() <= p.charge_current_max);
  RC_ASSERT(d.discharge_current.value() <= p.discharge_current_max);
  RC_ASSERT(d.charge_voltage.value() >= charge_voltage_floor(p, c));
  RC_ASSERT(d.charge_voltage.value() <= charge_voltage_max(p));
  RC_ASSERT(d.charge_voltage.value() > Millivolts{0});
  RC_ASSERT(d.discharge_voltage.value() <= charge_voltage_floor(p, c));
  RC_ASSERT(d.discharge_voltage.value() > Millivolts{0});
  if (!d.is_trusted() || d.is_fault) {
    RC_ASSERT(d.is_zero());
  }
  for (const auto* current : {&d.charge_current, &d.discharge_current}) {
    Milliamps lowest = (*current)[0].allows;
    for (std::size_t i = 0; i < current->size(); ++i) {
      lowest = std::min(lowest, (*current)[i].allows);
    }
    RC_ASSERT(current->value() == lowest);
    bool is_decisive_listed = false;
    for (std::size_t i = 0; i < current->size(); ++i) {
      is_decisive_listed = is_decisive_listed || ((*current)[i].reason == current->reason() &&
                                                  (*current)[i].allows == current->value());
    }
    RC_ASSERT(is_decisive_listed);
  }
}

// An independent statement of when current is forbidden, so that the rule is not tested against itself.
bool is_any_needed_value_bad(const Snapshot& s, const LimitConfig& c, TimePoint now) {
  const auto is_bad = [now](const auto& reading, Duration age_max) {
    return !reading || reading->at > now || now - reading->at > age_max;
  };
  const AgeBounds& a = c.age_max;
  return is_bad(s.cell_min, a.cells) || is_bad(s.cell_max, a.cells) || is_bad(s.voltage, a.voltage) ||
         is_bad(s.current, a.current) || is_bad(s.soc, a.soc) || is_bad(s.temperature_min, a.temperature) ||
         is_bad(s.temperature_max, a.temperature) || (s.cells && is_bad(s.cells, a.cells)) ||
         (s.activity && is_bad(s.activity, a.status)) || (s.limits && is_bad(s.limits, a.published)) ||
         s.soc->value < BasisPoints{0} || s.soc->value > BasisPoints{10'000} ||
         s.cell_min->value > s.cell_max->value || (s.cells && s.cells->value.count != kSampleCells) ||
         (s.activity && s.activity->value == battery::Activity::kFault);
}

RC_GTEST_PROP(LimitProperties, EveryDecisionIsWithinItsBounds, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  const Snapshot s = any_snapshot(kNow);
  const auto decision = instant_limits(kNow, s, p, c, any_user());
  check_decision(decision, p, c);
  if (is_any_needed_value_bad(s, c, kNow)) {
    RC_ASSERT(decision.is_zero());
  }
  RC_CLASSIFY(decision.is_trusted(), "trusted");
}

RC_GTEST_PROP(LimitProperties, NeverCurrentFromSpoiledDataWhateverTheHistory, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  LimitCalculator calculator{p, c};
  TimePoint now = kNow;
  for (int step = 0; step < 30; ++step) {
    now += pick(0, 3000) * 1ms;
    const Snapshot s = any_snapshot(now);
    calculator.set_user_limits(any_user());
    const auto decision = calculator.decide(now, s, pick(0, 9) == 0);
    check_decision(decision, p, c);
    if (is_any_needed_value_bad(s, c, now)) {
      RC_ASSERT(decision.is_zero());
    }
  }
}

RC_GTEST_PROP(LimitProperties, CurrentsRiseNoFasterThanTheRamp, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  LimitCalculator calculator{p, c};
  TimePoint now = kNow;
  auto before = calculator.decide(now, any_snapshot(now), false);
  for (int step = 0; step < 30; ++step) {
    const int milliseconds = pick(0, 3000);
    now += milliseconds * 1ms;
    const auto after = calculator.decide(now, any_snapshot(now), false);
    const auto rise_max = [&c, milliseconds](Milliamps maximum, Milliamps from) {
      const std::int64_t rate = std::int64_t{maximum.count()} * c.ramp_up.count() / 1000;
      const std::int64_t start = std::int64_t{maximum.count()} * c.ramp_start.count() / 1000;
      // One milliampere for the part of a milliampere that the ramp carries on.
      return std::max(start, from.count() + rate * milliseconds / 1000 + 1);
    };
    RC_ASSERT(after.charge_current.value().count() <=
              rise_max(p.charge_current_max, before.charge_current.value()));
    RC_ASSERT(after.discharge_current.value().count() <=
              rise_max(p.discharge_current_max, before.discharge_current.value()));
    before = after;
  }
}

RC_GTEST_PROP(LimitProperties, AHigherCellNeverAllowsMoreCharge, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  Snapshot s = sample_snapshot(kNow);
  s.cells.reset();
  const int low = pick(2600, 4300);
  const int high = pick(low, 4500);
  const int higher = pick(high, 4550);
  const auto at = [&](int maximum) {
    s.cell_min->value = Millivolts{low};
    s.cell_max->value = Millivolts{maximum};
    s.voltage->value = Millivolts{16 * low};
    return instant_limits(kNow, s, p, c, {});
  };
  RC_PRE(at(high).is_trusted() && at(higher).is_trusted());
  RC_ASSERT(at(higher).charge_current.value() <= at(high).charge_current.value());
  RC_ASSERT(at(higher).charge_voltage.value() <= at(high).charge_voltage.value());
  RC_ASSERT(at(higher).discharge_current.value() == at(high).discharge_current.value());
}

RC_GTEST_PROP(LimitProperties, ALowerCellNeverAllowsMoreDischarge, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  Snapshot s = sample_snapshot(kNow);
  s.cells.reset();
  const int high = pick(2600, 4300);
  const int low = pick(2300, high);
  const int lower = pick(2000, low);
  const auto at = [&](int minimum) {
    s.cell_min->value = Millivolts{minimum};
    s.cell_max->value = Millivolts{high};
    s.voltage->value = Millivolts{16 * high};
    return instant_limits(kNow, s, p, c, {});
  };
  RC_ASSERT(at(lower).discharge_current.value() <= at(low).discharge_current.value());
  RC_ASSERT(at(lower).charge_current.value() <= at(low).charge_current.value());
}

RC_GTEST_PROP(LimitProperties, LeavingTheGoodTemperaturesNeverAllowsMore, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  Snapshot s = sample_snapshot(kNow);
  const int coldest = pick(-400, 200);
  const int colder = pick(-400, coldest);
  const int hottest = pick(200, 1250);
  const int hotter = pick(hottest, 1250);
  const auto at = [&](int low, int high) {
    set_temperatures(s, kNow, Decicelsius{low}, Decicelsius{high});
    return instant_limits(kNow, s, p, c, {});
  };
  const auto base = at(coldest, hottest);
  for (const auto& worse : {at(colder, hottest), at(coldest, hotter)}) {
    RC_ASSERT(worse.charge_current.value() <= base.charge_current.value());
    RC_ASSERT(worse.discharge_current.value() <= base.discharge_current.value());
  }
}

RC_GTEST_PROP(LimitProperties, LessChargeNeverAllowsMoreDischarge, ()) {
  const Profile p = any_profile();
  Snapshot s = sample_snapshot(kNow);
  const int soc = pick(0, 10'000);
  const int lower = pick(0, soc);
  const auto at = [&](int basis_points) {
    s.soc->value = BasisPoints{basis_points};
    return instant_limits(kNow, s, p, LimitConfig{}, {}).discharge_current.value();
  };
  RC_ASSERT(at(lower) <= at(soc));
}

RC_GTEST_PROP(LimitProperties, ChargeVoltageNeverRisesWhileBlind, ()) {
  const Profile p = any_profile();
  const LimitConfig c = any_config();
  LimitCalculator calculator{p, c};
  TimePoint now = kNow;
  auto before = calculator.decide(now, sample_snapshot(now), false);
  for (int step = 0; step < 20; ++step) {
    now += pick(0, 3000) * 1ms;
    const auto after = calculator.decide(now, any_snapshot(now), false);
    if (!after.is_trusted()) {
      RC_ASSERT(after.charge_voltage.value() <= before.charge_voltage.value());
    }
    before = after;
  }
}

}  // namespace
}  // namespace amphora::inverter
