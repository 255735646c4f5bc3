// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/emulate/living_battery.hpp"

#include <algorithm>
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

// What a BMS of an LFP pack takes for too much.
constexpr Millivolts kCellHighest{3'650};
constexpr Millivolts kCellLowest{2'600};
constexpr Millivolts kCellSpreadMax{250};
constexpr Decicelsius kHottest{600};
constexpr Decicelsius kColdest{-100};

constexpr auto kFaultNames = std::array<std::string_view, 6>{
    "none", "over-voltage", "under-voltage", "over-temperature", "under-temperature", "imbalance"};
constexpr std::size_t kWeakCell = 2;

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

std::string_view to_text(BatteryFault fault) {
  return kFaultNames[static_cast<std::size_t>(fault)];
}

std::optional<BatteryFault> battery_fault_from_text(std::string_view text) {
  const auto* const found = std::ranges::find(kFaultNames, text);
  if (found == kFaultNames.end()) {
    return std::nullopt;
  }
  return static_cast<BatteryFault>(found - kFaultNames.begin());
}

LivingBattery::LivingBattery(const LivingBatteryConfig& config)
    : rng_{config.seed},
      pack_{{.cell_count = config.cell_count, .soc_start = config.soc_start}, rng_.fork()} {}

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

void LivingBattery::step(TimePoint now) {
  if (!began_) {
    began_ = now;
  }
  pack_.advance(TimePoint{now - *began_});
  current_ = held_ ? *held_ : wave(now);
  pack_.set_current(current_);
  balancing_ = 0;
  for (std::size_t i = 0; i < pack_.cell_count(); ++i) {
    const bool is_high = pack_.cell_voltage(i) - pack_.cell_min() > kBalanceSpread;
    balancing_ |= is_high && current_ > kRest ? 1U << i : 0U;
  }
  pack_.set_balancing(balancing_);
}

Microvolts LivingBattery::cell_voltage(std::size_t index) const {
  const Microvolts voltage = pack_.cell_voltage(index);
  switch (fault_) {
    case BatteryFault::kOverVoltage:
      return voltage + Microvolts{500'000};
    case BatteryFault::kUnderVoltage:
      return voltage - Microvolts{1'000'000};
    case BatteryFault::kImbalance:
      return index == kWeakCell ? voltage - Microvolts{300'000} : voltage;
    case BatteryFault::kNone:
    case BatteryFault::kOverTemperature:
    case BatteryFault::kUnderTemperature:
      break;
  }
  return voltage;
}

Decicelsius LivingBattery::temperature() const {
  if (fault_ == BatteryFault::kOverTemperature) {
    return pack_.temperature() + Decicelsius{500};
  }
  return pack_.temperature() - Decicelsius{fault_ == BatteryFault::kUnderTemperature ? 450 : 0};
}

void LivingBattery::advance(TimePoint now, sim::TinyBmsDevice& device) {
  step(now);
  for (std::size_t i = 0; i < pack_.cell_count(); ++i) {
    device.set_cell(i, cell_voltage(i));
  }
  device.set_balancing(static_cast<std::uint16_t>(balancing_));
  device.set_current(current_);
  device.set_soc(pack_.soc());
  device.set_temperature_internal(temperature() + Decicelsius{35});
  device.set_temperature_external(0, temperature());
  device.set_temperature_external(1, temperature() + Decicelsius{4});
  device.set_status(status_of(current_));
}

void LivingBattery::advance(TimePoint now, sim::ModbusBmsDevice& device) {
  step(now);
  Microvolts sum{0};
  Millivolts lowest{10'000};
  Millivolts highest{0};
  for (std::size_t i = 0; i < pack_.cell_count(); ++i) {
    const auto voltage = quantity_cast<Millivolts>(cell_voltage(i));
    sum = sum + cell_voltage(i);
    lowest = std::min(lowest, voltage);
    highest = std::max(highest, voltage);
    device.set_cell(static_cast<std::uint16_t>(i), voltage);
  }
  const Decicelsius coldest = temperature();
  const Decicelsius hottest = coldest + Decicelsius{4};
  battery::AlarmSet alarms;
  alarms.set(battery::Alarm::kHighVoltage, highest > kCellHighest);
  alarms.set(battery::Alarm::kLowVoltage, lowest < kCellLowest);
  alarms.set(battery::Alarm::kHighTemperature, hottest > kHottest);
  alarms.set(battery::Alarm::kLowTemperature, coldest < kColdest);
  alarms.set(battery::Alarm::kCellImbalance, highest - lowest > kCellSpreadMax);
  device.set_alarms(alarms);
  device.set_voltage(quantity_cast<Millivolts>(sum));
  device.set_current(current_);
  device.set_soc(pack_.soc());
  device.set_soh(BasisPoints{10'000});
  device.set_temperatures(coldest, hottest, coldest + Decicelsius{35});
}

}  // namespace amphora::emulate
