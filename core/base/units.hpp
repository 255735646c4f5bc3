// SPDX-License-Identifier: Apache-2.0
// Physical quantities as integer types: adding volts to amperes does not compile.
//
// A Quantity is a dimension, a decimal scale and an integer. Quantities of one dimension and scale add,
// subtract and compare; scales convert only by quantity_cast, which rounds half away from zero and saturates
// at the target's range, so that a conversion can be wrong by at most half a unit and never wraps into
// another sign.
//
// Signs used everywhere: battery current and power are positive while charging, grid power is positive on
// import.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

namespace amphora {

struct VoltageDimension {};
struct CurrentDimension {};
struct ChargeDimension {};
struct PowerDimension {};
struct EnergyDimension {};
struct TemperatureDimension {};
struct ResistanceDimension {};
struct FractionDimension {};

template <class Dimension, class Scale, class Rep = std::int32_t>
class Quantity {
 public:
  using dimension = Dimension;
  using scale = Scale;
  using rep = Rep;

  constexpr Quantity() = default;
  template <class Integer>
  requires std::is_integral_v<Integer>
  constexpr explicit Quantity(Integer value) : value_{static_cast<Rep>(value)} {}

  // The bare number, in this type's unit. For codecs, formatting and arithmetic that mixes dimensions.
  constexpr Rep count() const { return value_; }

  static constexpr Quantity max() { return Quantity{std::numeric_limits<Rep>::max()}; }
  static constexpr Quantity min() { return Quantity{std::numeric_limits<Rep>::min()}; }

  constexpr Quantity operator-() const { return Quantity{-value_}; }
  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    value_ -= other.value_;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return a -= b; }
  friend constexpr Quantity operator*(Quantity a, Rep factor) { return Quantity{a.value_ * factor}; }
  friend constexpr Quantity operator/(Quantity a, Rep divisor) { return Quantity{a.value_ / divisor}; }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;

 private:
  Rep value_ = 0;
};

using Microvolts = Quantity<VoltageDimension, std::micro, std::int64_t>;
using Millivolts = Quantity<VoltageDimension, std::milli>;
using Centivolts = Quantity<VoltageDimension, std::centi>;
using Decivolts = Quantity<VoltageDimension, std::deci>;
using Milliamps = Quantity<CurrentDimension, std::milli>;
using Deciamps = Quantity<CurrentDimension, std::deci>;
using MilliampHours = Quantity<ChargeDimension, std::milli>;
using AmpHours = Quantity<ChargeDimension, std::ratio<1>>;
using Watts = Quantity<PowerDimension, std::ratio<1>>;
using Milliwatts = Quantity<PowerDimension, std::milli, std::int64_t>;
using WattHours = Quantity<EnergyDimension, std::ratio<1>, std::int64_t>;
using MilliwattHours = Quantity<EnergyDimension, std::milli, std::int64_t>;
using HectowattHours = Quantity<EnergyDimension, std::hecto, std::int64_t>;
using Decicelsius = Quantity<TemperatureDimension, std::deci>;
using Microohms = Quantity<ResistanceDimension, std::micro>;
// Fractions of one. A basis point is a hundredth of a per cent (the usual term for 1/10,000).
using Permille = Quantity<FractionDimension, std::milli>;
using Percent = Quantity<FractionDimension, std::centi>;
using BasisPoints = Quantity<FractionDimension, std::ratio<1, 10000>>;

// value * numerator / denominator, rounded half away from zero. The caller keeps |value * numerator| below
// 2^63.
constexpr std::int64_t scale_rounded(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t product = value * numerator;
  const std::int64_t half = denominator / 2;
  return product >= 0 ? (product + half) / denominator : (product - half) / denominator;
}

template <class Integer>
constexpr Integer clamp_to(std::int64_t value) {
  constexpr auto low = static_cast<std::int64_t>(std::numeric_limits<Integer>::min());
  constexpr auto high = static_cast<std::int64_t>(std::numeric_limits<Integer>::max());
  return static_cast<Integer>(value < low ? low : (value > high ? high : value));
}

template <class To, class Scale, class Rep>
constexpr To quantity_cast(Quantity<typename To::dimension, Scale, Rep> from) {
  using Factor = std::ratio_divide<Scale, typename To::scale>;
  return To{clamp_to<typename To::rep>(
      scale_rounded(static_cast<std::int64_t>(from.count()), Factor::num, Factor::den))};
}

// P = U * I. Exact in microwatts, rounded to watts.
constexpr Watts power_of(Millivolts voltage, Milliamps current) {
  const std::int64_t microwatts = std::int64_t{voltage.count()} * current.count();
  return Watts{clamp_to<std::int32_t>(scale_rounded(microwatts, 1, 1'000'000))};
}

namespace literals {
constexpr Millivolts operator""_mV(unsigned long long v) {
  return Millivolts{v};
}
constexpr Milliamps operator""_mA(unsigned long long v) {
  return Milliamps{v};
}
constexpr Deciamps operator""_dA(unsigned long long v) {
  return Deciamps{v};
}
constexpr Decicelsius operator""_dC(unsigned long long v) {
  return Decicelsius{v};
}
}  // namespace literals

}  // namespace amphora
