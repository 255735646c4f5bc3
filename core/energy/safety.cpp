// SPDX-License-Identifier: Apache-2.0
#include "core/energy/safety.hpp"

#include <algorithm>

namespace amphora::energy {

namespace {

// What was measured, or nothing when it is older than the BMS may be silent.
template <class T>
std::optional<T> recent(const Reading<T>& reading, TimePoint now, const Protection& protection) {
  return fresh(reading, now, protection.bms_stale_after);
}

}  // namespace

Safety::Judgement Safety::judge(SafetyCause cause, TimePoint now, TimePoint started_at,
                                const Inputs& inputs) const {
  const Protection& p = protection_;
  // The worse of the two judgements; one that is unknown does not count beside a known one.
  const auto worse = [](Judgement a, Judgement b) {
    return a == Judgement::kUnknown ? b : (b == Judgement::kUnknown ? a : std::min(a, b));
  };
  const auto above = [](auto value, auto limit, auto hysteresis) {
    if (!value) {
      return Judgement::kUnknown;
    }
    return *value > limit ? Judgement::kBad
                          : (*value <= limit - hysteresis ? Judgement::kGood : Judgement::kBetween);
  };
  const auto below = [](auto value, auto limit, auto hysteresis) {
    if (!value) {
      return Judgement::kUnknown;
    }
    return *value < limit ? Judgement::kBad
                          : (*value >= limit + hysteresis ? Judgement::kGood : Judgement::kBetween);
  };
  switch (cause) {
    case SafetyCause::kOverVoltage:
      return worse(above(recent(inputs.pack_voltage, now, p), p.pack_max, p.pack_hysteresis),
                   above(recent(inputs.cell_max, now, p), p.cell_max, p.cell_hysteresis));
    case SafetyCause::kOverTemperature:
      return above(recent(inputs.temperature_max, now, p), p.temperature_max, p.temperature_hysteresis);
    case SafetyCause::kUnderVoltage:
      return worse(below(recent(inputs.pack_voltage, now, p), p.pack_min, p.pack_hysteresis),
                   below(recent(inputs.cell_min, now, p), p.cell_min, p.cell_hysteresis));
    case SafetyCause::kBmsFault: {
      const auto fault = recent(inputs.bms_fault, now, p);
      return !fault ? Judgement::kUnknown : (*fault ? Judgement::kBad : Judgement::kGood);
    }
    default: {
      // Every BMS tells its voltage, whatever else it tells.
      const TimePoint heard_at = inputs.pack_voltage ? inputs.pack_voltage->at : started_at;
      return now - heard_at > p.bms_stale_after
                 ? Judgement::kBad
                 : (inputs.pack_voltage ? Judgement::kGood : Judgement::kBetween);
    }
  }
}

void Safety::update(TimePoint now, TimePoint started_at, const Inputs& inputs) {
  for (std::size_t i = 0; i < kSafetyCauseCount; ++i) {
    const auto cause = static_cast<SafetyCause>(i);
    Latch& latch = latches_[i];
    const Judgement judgement = judge(cause, now, started_at, inputs);
    if (judgement == Judgement::kBad) {
      latch = Latch{true, std::nullopt};
    } else if (judgement != Judgement::kGood) {
      latch.good_since.reset();
    } else if (latch.is_active) {
      latch.good_since = latch.good_since.value_or(now);
      if (now - *latch.good_since >= protection_.hold) {
        latch = Latch{};
      }
    }
    causes_.set(cause, latch.is_active);
  }
}

Reason Safety::reason() const {
  const auto row = std::ranges::find_if(kSafetyCauses, [&](const auto& r) { return causes_.has(r.cause); });
  return row == kSafetyCauses.end() ? Reason::kNothingAsked : row->reason;
}

bool Safety::forbids_charging() const {
  return std::ranges::any_of(kSafetyCauses,
                             [&](const auto& row) { return row.stops_charging && causes_.has(row.cause); });
}

bool Safety::forbids_discharging() const {
  return std::ranges::any_of(
      kSafetyCauses, [&](const auto& row) { return row.stops_discharging && causes_.has(row.cause); });
}

bool MinimumSoc::update(std::optional<BasisPoints> soc, const ModeSettings& settings) {
  if (soc && *soc <= settings.soc_minimum) {
    is_reached_ = true;
  } else if (soc && *soc >= settings.soc_minimum_release) {
    is_reached_ = false;
  }
  return is_reached_;
}

}  // namespace amphora::energy
