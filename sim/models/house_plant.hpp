// SPDX-License-Identifier: Apache-2.0
// Sun, loads, battery and hybrid inverter of one house, joined by the contacts of its relays.
//
// In each step power flows for that long with the contacts as they are. Who moves the contacts, and what a
// grid costs, is the business of the world around it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/rng.hpp"
#include "core/energy/relay.hpp"
#include "sim/models/house.hpp"
#include "sim/models/house_battery.hpp"
#include "sim/models/hybrid_inverter.hpp"

namespace amphora::sim {

struct HouseCircuit {
  Circuit circuit = Circuit::kBase;
  std::optional<energy::Relay> relay;  // behind which it is, beside the inverter output
  bool catches_up = false;             // what it did not get it takes later
};
inline constexpr auto kHouseCircuits =
    std::array{HouseCircuit{Circuit::kBase, std::nullopt, false},
               HouseCircuit{Circuit::kPump, energy::Relay::kPump, false},
               HouseCircuit{Circuit::kHeater, energy::Relay::kHeater, true},
               HouseCircuit{Circuit::kCar, energy::Relay::kLoad3, true}};
static_assert(kHouseCircuits.size() == kCircuitCount);

// As meters tell them.
constexpr Watts whole_watts(std::int64_t milliwatts) {
  return Watts{scale_rounded(milliwatts, 1, 1'000)};
}

struct PlantConfig {
  SunConfig sun;
  LoadConfig loads;
  HouseBatteryConfig battery;
  HybridConfig inverter;
};

// The world around the house in one step.
struct PlantInput {
  std::int64_t unix_s = 0;
  std::int64_t local_s = 0;
  std::int64_t step_ms = 0;
  bool is_grid_up = true;
  bool is_cheap = false;
  bool may_charge = true;
  bool may_discharge = true;
  std::int32_t charge_permille = 1'000;  // of what is charged arrives; less breaks the conservation of energy
};

class HousePlant {
 public:
  HousePlant(const PlantConfig& config, Rng sun, Rng loads)
      : sun_{config.sun, sun},
        loads_{config.loads, loads},
        battery_{config.battery},
        inverter_{config.inverter} {}

  void step(const PlantInput& input, const energy::PerRelay<energy::Position>& contacts);

  const HybridFlows& flows() const { return flows_; }
  const HouseBattery& battery() const { return battery_; }
  // What a circuit took in the last step.
  std::int64_t circuit_mw(Circuit circuit) const { return circuit_mw_[static_cast<std::size_t>(circuit)]; }
  // Wanted behind open contacts and not caught up later.
  std::int64_t switched_off_uj() const { return switched_off_uj_; }
  std::int64_t car_missed_mj() const { return loads_.car_missed_mj(); }
  std::uint64_t trip_count() const { return inverter_.trip_count(); }

 private:
  SunModel sun_;
  HouseLoads loads_;
  HouseBattery battery_;
  HybridInverter inverter_;
  PerCircuit<std::int64_t> circuit_mw_{};
  HybridFlows flows_;
  std::int64_t switched_off_uj_ = 0;
};

}  // namespace amphora::sim
