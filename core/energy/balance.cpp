// SPDX-License-Identifier: Apache-2.0
#include "core/energy/balance.hpp"

#include <algorithm>

namespace amphora::energy {

namespace {

constexpr std::int64_t kPermilleOne = 1000;
constexpr std::int64_t kBasisPointsOne = 10'000;

std::optional<Watts> ac_power(TimePoint now, const AcInput& input, const SensorConfig& sensor,
                              Millivolts voltage, Duration age_max) {
  if (const auto power = fresh(input.power, now, age_max)) {
    return power;
  }
  const auto current = fresh(input.current, now, age_max);
  if (!current) {
    return std::nullopt;
  }
  const std::int64_t magnitude = current->count() < 0 ? -std::int64_t{current->count()} : current->count();
  const std::int64_t calibrated = scale_rounded(magnitude, sensor.gain.count(), kPermilleOne);
  return calibrated < sensor.noise_floor.count()
             ? Watts{0}
             : power_of(voltage, Milliamps{clamp_to<std::int32_t>(calibrated)});
}

// Sums in 64 bits: a lying meter must not turn import into export by overflow.
std::optional<Watts> sum(std::optional<Watts> a, std::optional<Watts> b) {
  if (!a || !b) {
    return std::nullopt;
  }
  return Watts{clamp_to<std::int32_t>(std::int64_t{a->count()} + b->count())};
}

std::optional<Soc> soc_of(TimePoint now, const Inputs& inputs, const BalanceConfig& config) {
  for (const SocSource source : kSocSources) {
    if (source == SocSource::kBms) {
      const auto soc = fresh(inputs.soc, now, config.battery_age_max);
      // A BMS that says 120 % knows nothing; clamping would hide it.
      if (soc && *soc >= BasisPoints{0} && *soc <= BasisPoints{kBasisPointsOne}) {
        return Soc{*soc, source};
      }
    } else if (const auto voltage = fresh(inputs.pack_voltage, now, config.battery_age_max)) {
      return Soc{soc_from_voltage(*voltage, config.voltage_line), source};
    }
  }
  return std::nullopt;
}

}  // namespace

BasisPoints soc_from_voltage(Millivolts pack, const VoltageLine& line) {
  const std::int64_t span = std::int64_t{line.full.count()} - line.empty.count();
  const std::int64_t above = std::int64_t{pack.count()} - line.empty.count();
  return BasisPoints{scale_rounded(std::clamp<std::int64_t>(above, 0, span), kBasisPointsOne, span)};
}

Balance balance_of(TimePoint now, const Inputs& inputs, const BalanceConfig& config) {
  Balance balance;
  const Millivolts voltage = fresh(inputs.ac_voltage, now, config.ac_age_max).value_or(config.ac_nominal);
  balance.grid = ac_power(now, inputs.grid, config.grid, voltage, config.ac_age_max);
  balance.inverter_output =
      ac_power(now, inputs.inverter_output, config.inverter_output, voltage, config.ac_age_max);
  balance.home = balance.inverter_output;
  for (std::size_t i = 0; i < kLoadCount; ++i) {
    balance.load[i] = ac_power(now, inputs.load[i], config.load[i], voltage, config.ac_age_max);
    if (((config.loads_outside >> i) & 1U) != 0) {
      balance.home = sum(balance.home, balance.load[i]);
    }
  }
  const auto pack_voltage = fresh(inputs.pack_voltage, now, config.battery_age_max);
  const auto pack_current = fresh(inputs.pack_current, now, config.battery_age_max);
  if (pack_voltage && pack_current) {
    balance.battery = power_of(*pack_voltage, *pack_current);
  }
  if (balance.home && balance.battery && balance.grid) {
    const std::int64_t rest =
        std::int64_t{balance.home->count()} + balance.battery->count() - std::int64_t{balance.grid->count()};
    balance.solar = Watts{clamp_to<std::int32_t>(std::max<std::int64_t>(rest, 0))};
  }
  balance.soc = soc_of(now, inputs, config);
  return balance;
}

}  // namespace amphora::energy
