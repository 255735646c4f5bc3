// SPDX-License-Identifier: Apache-2.0
#include "core/energy/modes.hpp"

#include <algorithm>

namespace amphora::energy {

Ask SelfConsumption::update(std::optional<BasisPoints> soc, const ModeSettings& settings) {
  if (!soc) {
    return ask_for(Position::kClosed, Reason::kSocUnknown);
  }
  if (*soc <= settings.self_low) {
    last_ = Position::kClosed;
    return ask_for(Position::kClosed, Reason::kSocLow);
  }
  if (*soc >= settings.self_high) {
    last_ = Position::kOpen;
    return ask_for(Position::kOpen, Reason::kSocHigh);
  }
  return last_ ? ask_for(*last_, Reason::kSocBetween) : Ask{Ask::Kind::kHold, Reason::kSocBetween};
}

Ask time_of_use(std::optional<LocalTime> now, const ModeSettings& settings) {
  if (!now) {
    return ask_for(Position::kClosed, Reason::kTimeUnknown);
  }
  for (std::size_t i = 0; i < settings.windows.count; ++i) {
    if (is_inside(settings.windows.window[i], *now)) {
      return ask_for(Position::kClosed, Reason::kInsideWindow);
    }
  }
  return ask_for(Position::kOpen, Reason::kOutsideWindows);
}

bool Eco::is_shed(Relay relay) const {
  return std::any_of(shed_.begin(), shed_.begin() + shed_count_,
                     [&](const Shed& shed) { return shed.relay == relay; });
}

void Eco::stop() {
  *this = Eco{};
}

bool Eco::has_settled(TimePoint now, const EcoView& view) const {
  if (!changed_at_) {
    return true;
  }
  const Duration since = now - *changed_at_;
  const bool has_followed =
      shed_count_ == 0 || view.position[index_of(shed_[shed_count_ - 1].relay)] == Position::kOpen;
  return since >= kPatience || (has_followed && since >= kSettle);
}

// The first of the owner's order that conducts and is not shed yet. One that somebody else holds open takes
// nothing.
std::optional<Relay> Eco::next_to_shed(const EcoView& view, const ModeSettings& settings) const {
  for (std::size_t i = 0; i < settings.eco_order.count; ++i) {
    const Relay relay = settings.eco_order.relay[i];
    if (view.is_fitted[index_of(relay)] && !is_shed(relay) &&
        view.position[index_of(relay)] == Position::kClosed) {
      return relay;
    }
  }
  return std::nullopt;
}

void Eco::handle_over(TimePoint now, const EcoView& view, const ModeSettings& settings) {
  within_since_.reset();
  over_since_ = over_since_.value_or(now);
  is_over_for_long_ = now - *over_since_ >= kWarnAfter;
  gives_up_ = now - *over_since_ >= kFallBackAfter;
  const auto relay = next_to_shed(view, settings);
  if (!has_settled(now, view)) {
    return;
  }
  is_loads_limit_ = !relay;
  if (relay) {
    const std::size_t index = index_of(*relay);
    shed_[shed_count_++] = Shed{*relay, view.power[index].value_or(view.rated[index]), now};
    restored_.reset();
    changed_at_ = now;
  }
}

// A restored load is in the measured power only when it conducts. Until then the next one would be judged too
// kindly. Somebody else may keep it open for good, hence the patience.
bool Eco::awaits_restored(TimePoint now, const EcoView& view) {
  if (restored_ && view.position[index_of(*restored_)] == Position::kClosed) {
    restored_.reset();
    changed_at_ = now;
  } else if (restored_ && now - *changed_at_ >= kPatience) {
    restored_.reset();
  }
  return restored_.has_value();
}

void Eco::handle_within(TimePoint now, const EcoView& view, const ModeSettings& settings) {
  over_since_.reset();
  is_over_for_long_ = false;
  gives_up_ = false;
  is_loads_limit_ = false;
  within_since_ = within_since_.value_or(now);
  if (awaits_restored(now, view) || shed_count_ == 0 || now - *within_since_ < kRestoreAfter ||
      (changed_at_ && now - *changed_at_ < kRestoreAfter)) {
    return;
  }
  const std::int64_t limit = std::int64_t{settings.eco_limit.count()} * (100 - kMarginPercent);
  const Shed& last = shed_[shed_count_ - 1];
  const bool never_fits = std::int64_t{last.power.count()} * 100 > limit;
  const std::int64_t after = std::int64_t{view.home->count()} + last.power.count();
  if (after * 100 <= limit || (never_fits && now - last.at >= kRetryAfter)) {
    restored_ = shed_[--shed_count_].relay;
    changed_at_ = now;
  }
}

void Eco::update(TimePoint now, const EcoView& view, const ModeSettings& settings) {
  if (!view.home) {
    // What is shed stays shed; nothing is judged.
    over_since_.reset();
    within_since_.reset();
    return;
  }
  if (*view.home > settings.eco_limit) {
    handle_over(now, view, settings);
  } else {
    handle_within(now, view, settings);
  }
}

namespace {

constexpr std::int64_t kMicrojoulesPerWattHour = 3'600'000'000;

std::int32_t accounting_day(LocalTime local, std::uint16_t reset_minute) {
  return static_cast<std::int32_t>((local.seconds - std::int64_t{reset_minute} * 60) / kSecondsPerDay);
}

}  // namespace

WattHours ImportLimit::counted() const {
  return WattHours{counted_uj_ / kMicrojoulesPerWattHour};
}

// Each pair of samples adds the mean of their imports times their distance. 1 W * 1 us = 1 uJ; the sum is
// bounded by the limit plus one gap: far within 64 bits.
void ImportLimit::count(TimePoint now, std::optional<Watts> grid) {
  if (!grid) {
    sample_at_.reset();
    return;
  }
  const std::int64_t import_w = std::max<std::int64_t>(grid->count(), 0);
  if (sample_at_ && now - *sample_at_ <= kGapMax) {
    const std::int64_t added = (import_w + sample_w_) * (now - *sample_at_).count() / 2;
    const std::int64_t limit = (kImportLimitMax.count() + 1) * kMicrojoulesPerWattHour;
    counted_uj_ = std::min(counted_uj_ + added, std::max(counted_uj_, limit));
  }
  sample_at_ = now;
  sample_w_ = import_w;
}

void ImportLimit::start_day(TimePoint now) {
  counted_uj_ = 0;
  exhausted_.reset();
  day_began_ = now;
}

void ImportLimit::update(TimePoint now, std::optional<Watts> grid, std::optional<LocalTime> local,
                         const ModeSettings& settings) {
  day_began_ = day_began_.value_or(now);
  if (!settings.enabled.has(Mode::kImportLimit)) {
    exhausted_.reset();
  }
  count(now, grid);
  if (local) {
    const std::int32_t today = accounting_day(*local, settings.import_reset_minute);
    if (exhausted_ && exhausted_->day && today < *exhausted_->day - 1) {
      // The clock was wrong and has been set back by more than a day. The same limit, in the right day.
      exhausted_->day = today;
    }
    const std::int32_t last = exhausted_ && exhausted_->day ? *exhausted_->day : day_.value_or(today);
    if (today > last) {
      start_day(now);
    }
    if (exhausted_ && !exhausted_->day) {
      exhausted_->day = today;
    }
    // The hour that is repeated in autumn must not end the day twice.
    day_ = day_ && today == *day_ - 1 ? *day_ : today;
  } else if (now - *day_began_ >= kDayWithoutClock) {
    start_day(now);
  }
  const std::int64_t limit_uj = settings.import_limit.count() * kMicrojoulesPerWattHour;
  if (settings.enabled.has(Mode::kImportLimit) && !exhausted_ && counted_uj_ >= limit_uj) {
    exhausted_ = ImportExhausted{day_};
  }
}

}  // namespace amphora::energy
