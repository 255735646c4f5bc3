// SPDX-License-Identifier: Apache-2.0
#include "core/node/pack/aggregate.hpp"

namespace amphora::node {

namespace {

using packnet::Field;
using packnet::Telemetry;

void add(std::optional<std::int64_t>& sum, std::optional<std::int64_t> part) {
  if (part) {
    sum = sum.value_or(0) + *part;
  }
}

// A pack that does not know its capacity counts like one of this size, so that its SOC is not lost.
constexpr std::int64_t kUnknownCapacityDeciampHours = 1'000;

class Sum {
 public:
  void count(bool is_online) {
    result_.online = static_cast<std::uint8_t>(result_.online + (is_online ? 1 : 0));
    ++result_.known;
  }
  void take(const Telemetry& pack) {
    add(result_.power_w, pack.value(Field::kPowerBattery));
    add(result_.solar_w, pack.value(Field::kPowerSolar));
    add(result_.grid_w, pack.value(Field::kPowerGrid));
    add(result_.home_w, pack.value(Field::kPowerHome));
    if (const auto soc = pack.value(Field::kSoc)) {
      const std::int64_t weight = pack.value(Field::kCapacity).value_or(kUnknownCapacityDeciampHours);
      weighted_soc_ += *soc * weight;
      weight_ += weight;
    }
  }
  Aggregate result() {
    if (weight_ > 0) {
      result_.soc_basis_points = (weighted_soc_ + weight_ / 2) / weight_;
    }
    return result_;
  }

 private:
  Aggregate result_;
  std::int64_t weighted_soc_ = 0;
  std::int64_t weight_ = 0;
};

}  // namespace

Aggregate aggregate_of(TimePoint now, const Telemetry* own, std::span<const packnet::NodeEntry> others) {
  Sum sum;
  if (own != nullptr) {
    sum.count(true);
    sum.take(*own);
  }
  for (const packnet::NodeEntry& entry : others) {
    if (entry.type != packnet::DeviceType::kEnergyPack) {
      continue;
    }
    const bool is_online = entry.telemetry_at && now - *entry.telemetry_at <= kPackAgeMax;
    sum.count(is_online);
    if (is_online) {
      sum.take(entry.telemetry);
    }
  }
  return sum.result();
}

}  // namespace amphora::node
