// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/living_battery.hpp"

#include <array>
#include <chrono>

namespace amphora::emulate {

namespace {

constexpr std::int64_t kPeriodSeconds = 180;
constexpr std::int64_t kAmplitudeMa = 40'000;
constexpr std::int64_t kNoiseMa = 1'500;
constexpr BasisPoints kNearlyEmpty{1'500};
constexpr BasisPoints kNearlyFull{9'500};
constexpr Milliamps kRest{500};
constexpr Microvolts kBalanceSpread{15'000};

// A quarter of a sine in 16 steps, in thousandths.
constexpr std::array<std::int64_t, 17> kQuarterSine{0,   98,  195, 290, 383, 471, 556, 634, 707,
                                                    773, 831, 882, 924, 957, 981, 995, 1000};

// Sine of a fraction of the period, in thousandths; straight lines between the table's points.
std::int64_t sine(std::int64_t at, std::int64_t period) {
  constexpr std::int64_t kSteps = 64;  // of the whole period
  const std::int64_t scaled = at % period * kSteps;
  const std::int64_t step = scaled / period;
  const std::int64_t rest = scaled % period;
  const auto point = [](std::int64_t index) {
    const std::int64_t within = index % 32;
    const std::int64_t value = kQuarterSine[static_cast<std::size_t>(within <= 16 ? within : 32 - within)];
    return index % kSteps < 32 ? value : -value;
  };
  return point(step) + (point(step + 1) - point(step)) * rest / period;
}

tinybms::OnlineStatus status_of(Milliamps current) {
  if (current > kRest) {
    return tinybms::OnlineStatus::kCharging;
  }
  return current < -kRest ? tinybms::OnlineStatus::kDischarging : tinybms::OnlineStatus::kIdle;
}

}  // namespace

LivingBattery::LivingBattery(std::uint64_t seed)
    : rng_{seed}, pack_{{.soc_start = BasisPoints{6'200}}, rng_.fork()} {}

Milliamps LivingBattery::wave(TimePoint now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *began_).count();
  std::int64_t current =
      sine(seconds, kPeriodSeconds) * kAmplitudeMa / 1000 + rng_.between(-kNoiseMa, kNoiseMa);
  const bool is_against_the_end =
      (pack_.soc() < kNearlyEmpty && current < 0) || (pack_.soc() > kNearlyFull && current > 0);
  if (is_against_the_end) {
    current = -current;
  }
  return Milliamps{current};
}

void LivingBattery::advance(TimePoint now, sim::TinyBmsDevice& device) {
  if (!began_) {
    began_ = now;
  }
  const TimePoint elapsed{now - *began_};
  pack_.advance(elapsed);
  const Milliamps current = held_ ? *held_ : wave(now);
  pack_.set_current(current);
  std::uint32_t balancing = 0;
  for (std::size_t i = 0; i < pack_.cell_count(); ++i) {
    device.set_cell(i, pack_.cell_voltage(i));
    const bool is_high = pack_.cell_voltage(i) - pack_.cell_min() > kBalanceSpread;
    balancing |= is_high && current > kRest ? 1U << i : 0U;
  }
  pack_.set_balancing(balancing);
  device.set_balancing(static_cast<std::uint16_t>(balancing));
  device.set_current(current);
  device.set_soc(pack_.soc());
  device.set_temperature_internal(pack_.temperature() + Decicelsius{35});
  device.set_temperature_external(0, pack_.temperature());
  device.set_temperature_external(1, pack_.temperature() + Decicelsius{4});
  device.set_status(status_of(current));
}

}  // namespace amphora::emulate
