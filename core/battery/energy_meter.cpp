// SPDX-License-Identifier: Apache-2.0
#include "core/battery/energy_meter.hpp"

namespace amphora::battery {
namespace {

constexpr std::int64_t kPicojoulesPerMilliwattHour = 3'600'000'000'000;

}  // namespace

void EnergyMeter::add(std::int64_t& remainder_pj, MilliwattHours& counter, std::int64_t picojoules) {
  remainder_pj += picojoules;
  counter += MilliwattHours{remainder_pj / kPicojoulesPerMilliwattHour};
  remainder_pj %= kPicojoulesPerMilliwattHour;
}

void EnergyMeter::handle_sample(TimePoint now, Millivolts voltage, Milliamps current) {
  const std::int64_t microwatts = std::int64_t{voltage.count()} * current.count();
  if (last_at_ && now > *last_at_ && now - *last_at_ <= kGapMax) {
    const std::int64_t mean = (last_microwatts_ + microwatts) / 2;
    const std::int64_t picojoules = mean * (now - *last_at_).count();
    if (picojoules > 0) {
      add(remainder_in_pj_, counted_.in, picojoules);
    } else {
      add(remainder_out_pj_, counted_.out, -picojoules);
    }
  }
  last_at_ = now;
  last_microwatts_ = microwatts;
}

void EnergyMeter::restore(EnergyCounters stored) {
  base_ = stored;
  durable_ = stored;
  requested_.reset();
}

EnergyCounters EnergyMeter::total() const {
  return {base_->in + counted_.in, base_->out + counted_.out};
}

void EnergyMeter::handle_stored(EnergyCounters stored) {
  if (requested_ && stored == *requested_) {
    durable_ = stored;
  }
}

std::optional<EnergyCounters> EnergyMeter::poll_store(TimePoint now) {
  if (!base_) {
    return std::nullopt;
  }
  const bool is_due = !last_request_at_ || now - *last_request_at_ >= config_.store_interval;
  const EnergyCounters current = total();
  if (!is_due || current == *durable_) {
    return std::nullopt;
  }
  last_request_at_ = now;
  requested_ = current;
  return requested_;
}

std::optional<EnergyCounters> EnergyMeter::unsaved() const {
  if (!base_ || total() == *durable_) {
    return std::nullopt;
  }
  return total();
}

}  // namespace amphora::battery
