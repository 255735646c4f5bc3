// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/energy_checker.hpp"

#include <algorithm>

namespace amphora::sim {

namespace {

constexpr std::int64_t kErrorPpmMax = 1'000;  // 0.1 %
// Before that much came in, rounding of the stored energy alone would look large.
constexpr std::int64_t kJudgedFromUj = 3'600'000'000'000;  // 1 kWh

}  // namespace

void EnergyChecker::handle_step(TimePoint now, const HybridFlows& flows, std::int64_t battery_loss_mw,
                                OpenContacts contacts, std::int64_t step_ms) {
  totals_.sun_uj += (flows.sun_used_mw + flows.curtailed_mw) * step_ms;
  totals_.import_uj += flows.import_mw * step_ms;
  totals_.discharged_uj += std::max<std::int64_t>(-flows.battery_mw, 0) * step_ms;
  totals_.load_uj += flows.load_mw * step_ms;
  totals_.export_uj += flows.export_mw * step_ms;
  totals_.charged_uj += std::max<std::int64_t>(flows.battery_mw, 0) * step_ms;
  totals_.curtailed_uj += flows.curtailed_mw * step_ms;
  totals_.inverter_loss_uj += flows.loss_mw * step_ms;
  totals_.battery_loss_uj += battery_loss_mw * step_ms;
  totals_.unserved_uj += flows.unserved_mw * step_ms;
  if (contacts.is_grid_open && (flows.import_mw != 0 || flows.export_mw != 0)) {
    log_.add(kInvariantRelays, now, "power flows through an open grid contact; a: import, b: export in mW",
             flows.import_mw, flows.export_mw);
  }
  if (contacts.is_output_open && flows.load_mw != 0) {
    log_.add(kInvariantRelays, now, "loads run behind an open inverter output; a: mW", flows.load_mw);
  }
  const bool is_negative = flows.sun_used_mw < 0 || flows.curtailed_mw < 0 || flows.import_mw < 0 ||
                           flows.export_mw < 0 || flows.load_mw < 0 || flows.loss_mw < 0 ||
                           battery_loss_mw < 0;
  if (is_negative) {
    log_.add(kInvariantRelays, now, "a flow of energy runs backwards; a: loss, b: load in mW", flows.loss_mw,
             flows.load_mw);
  }
}

void EnergyChecker::judge(TimePoint now, std::int64_t stored_mj) {
  const std::int64_t stored_uj = (stored_mj - stored_start_mj_) * 1'000;
  const std::int64_t in_uj = totals_.sun_uj + totals_.import_uj;
  const std::int64_t out_uj = totals_.load_uj + totals_.export_uj + totals_.curtailed_uj +
                              totals_.inverter_loss_uj + totals_.battery_loss_uj + stored_uj;
  const std::int64_t through_uj = std::max(in_uj, in_uj - std::min<std::int64_t>(stored_uj, 0));
  if (through_uj < kJudgedFromUj) {
    return;
  }
  const std::int64_t error_uj = in_uj > out_uj ? in_uj - out_uj : out_uj - in_uj;
  const std::int64_t error_ppm = error_uj / (through_uj / 1'000'000);
  error_ppm_max_ = std::max(error_ppm_max_, error_ppm);
  if (error_ppm > kErrorPpmMax) {
    log_.add(kInvariantRelays, now, "energy appears or vanishes; a: error in millionths, b: mWh", error_ppm,
             error_uj / 3'600'000);
  }
}

}  // namespace amphora::sim
