// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/relay_checker.hpp"

#include <algorithm>

namespace amphora::sim {

using energy::Mode;
using energy::Position;
using energy::Relay;
using std::chrono::seconds;

namespace {

constexpr std::int64_t kMicrojoulesPerWattHour = 3'600'000'000;
// Safety holds for 10 s after its cause ended; a cycle or two until everybody knows.
constexpr Duration kUnsafeEcho = seconds{30};
// How long a contact may differ from what it must be, beyond its minimum times.
constexpr Duration kSlack = seconds{15};
// From the last time over the limit to a shed that minimum times held back.
constexpr Duration kEcoEcho = seconds{200};
// So close to its wear limit a relay may have been held by it for most of an hour.
constexpr std::size_t kWearReserve = 3;
// After a stuck contact followed again, the arbiter's minimum times and the contact's own differ.
constexpr Duration kStuckEcho = seconds{90};
// Eco does not keep the house dark for longer.
constexpr Duration kDarkMax = std::chrono::hours{1};
// Over the limit for this long, everything eco may open must be open.
constexpr Duration kEcoMax = std::chrono::minutes{15};
// What may flow between the limit and the open contact, and what a meter that tells whole watts may miss.
constexpr std::int64_t kImportSlackWh = 60;

constexpr const char* kClosesExhausted = "the grid closes although the import limit is exhausted";

std::int64_t accounting_day(std::int64_t local_s, const energy::ModeSettings& settings) {
  return (local_s - std::int64_t{settings.import_reset_minute} * 60) / 86'400;
}

bool is_inside_any(const energy::Windows& windows, std::int64_t local_s) {
  // Minute by minute as a wall calendar has it: the window that began today, and the one that began
  // yesterday.
  const std::int64_t minute = local_s / 60 % 1'440;
  const std::int64_t weekday = (local_s / 86'400 + 3) % 7;
  for (std::size_t i = 0; i < windows.count; ++i) {
    const energy::Window& window = windows.window[i];
    const std::int64_t length =
        (window.end_minute - window.start_minute + 1'440 - 1) % 1'440 + 1;  // of the wall; 1 to 1440
    for (const std::int64_t days_ago : {0, 1}) {
      const std::int64_t since = minute + days_ago * 1'440 - window.start_minute;
      const bool is_its_day = ((window.days >> ((weekday + 7 - days_ago) % 7)) & 1) != 0;
      if (is_its_day && since >= 0 && since < length) {
        return true;
      }
    }
  }
  return false;
}

bool is_in_order(const energy::EcoOrder& order, Relay relay) {
  return std::find(order.relay.begin(), order.relay.begin() + order.count, relay) !=
         order.relay.begin() + order.count;
}

}  // namespace

RelayChecker::Expected RelayChecker::expected_grid(const Context& context) const {
  const RelayTruth& truth = context.truth;
  const energy::ModeSettings& settings = context.settings;
  if (context.is_exhausted) {
    return Expected::kOpen;
  }
  if (context.is_maybe_exhausted) {
    return Expected::kEither;
  }
  if (truth.is_unsafe) {
    return Expected::kClosed;
  }
  const bool is_at_minimum = truth.soc && *truth.soc <= settings.soc_minimum;
  if (is_at_minimum || truth.running.has(Mode::kBackup)) {
    return Expected::kClosed;
  }
  if (truth.soc && *truth.soc < settings.soc_minimum_release) {
    return Expected::kEither;
  }
  if (truth.running.has(Mode::kSelfConsumption)) {
    if (!truth.soc || *truth.soc <= settings.self_low) {
      return Expected::kClosed;
    }
    return *truth.soc >= settings.self_high ? Expected::kOpen : Expected::kEither;
  }
  const auto& order = truth.order[energy::index_of(Relay::kGrid)];
  return order && *order == Position::kOpen ? Expected::kOpen : Expected::kClosed;
}

RelayChecker::Expected RelayChecker::expected_output(const Context& context, Relay relay,
                                                     bool with_eco) const {
  const RelayTruth& truth = context.truth;
  const energy::ModeSettings& settings = context.settings;
  if (truth.is_unsafe) {
    return relay == Relay::kInverterOutput ? Expected::kEither : Expected::kOpen;
  }
  if (context.is_exhausted || context.is_maybe_exhausted) {
    const bool is_at_minimum = truth.soc && *truth.soc <= settings.soc_minimum;
    if (is_at_minimum && context.is_exhausted) {
      return Expected::kOpen;
    }
    if (!truth.soc || *truth.soc < settings.soc_minimum_release) {
      return Expected::kEither;
    }
  }
  if (with_eco && truth.running.has(Mode::kEco) && is_in_order(settings.eco_order, relay)) {
    return Expected::kEither;
  }
  if (relay == Relay::kInverterOutput && truth.running.has(Mode::kTimeOfUse)) {
    const bool is_closed = !truth.minute_of_day || is_inside_any(settings.windows, truth.local_s);
    return is_closed ? Expected::kClosed : Expected::kOpen;
  }
  const auto& order = truth.order[energy::index_of(relay)];
  return order && *order == Position::kOpen ? Expected::kOpen : Expected::kClosed;
}

void RelayChecker::check_switch(TimePoint now, const Context& context, std::size_t index) {
  const Position position = context.truth.contact[index];
  const Relay relay = energy::relay_at(index);
  const auto id = static_cast<std::int64_t>(index);
  if (context.is_exhausted && relay == Relay::kGrid && position == Position::kClosed) {
    log_.add(kInvariantRelays, now, kClosesExhausted);
  }
  const bool is_opening = position == Position::kOpen;
  const bool is_safe_way = relay == Relay::kGrid ? !is_opening : (energy::is_load(relay) && is_opening);
  const bool is_by_safety = is_safe_way && unsafe_at_ && now - *unsafe_at_ <= kUnsafeEcho;
  const bool is_by_import = relay == Relay::kGrid && is_opening &&
                            context.truth.running.has(Mode::kImportLimit) &&
                            (context.is_exhausted || context.is_maybe_exhausted);
  const Duration least = is_opening ? relays_[index].on_min : relays_[index].off_min;
  if (switched_at_[index] && now - *switched_at_[index] < least && !is_by_safety && !is_by_import) {
    log_.add(kInvariantRelays, now, "a relay breaks its minimum time; a: relay, b: ms since the last switch",
             id, to_milliseconds(now - *switched_at_[index]));
  }
  switched_at_[index] = now;
  ++switch_counts_[index];
  auto& switches = switches_[index];
  while (!switches.is_empty() && now - switches.front() >= std::chrono::hours{1}) {
    (void)switches.pop();
  }
  (void)switches.push_overwrite(now);
  if (switches.size() > relays_[index].switches_per_hour) {
    log_.add(kInvariantRelays, now, "a relay passes its wear limit; a: relay, b: switches in an hour", id,
             static_cast<std::int64_t>(switches.size()));
  }
  const bool is_only_eco = is_opening && relay != Relay::kGrid &&
                           expected_output(context, relay, true) == Expected::kEither &&
                           expected_output(context, relay, false) == Expected::kClosed &&
                           !(unsafe_at_ && now - *unsafe_at_ <= kUnsafeEcho);
  const bool was_worn = switches.size() + kWearReserve >= relays_[index].switches_per_hour;
  if (is_only_eco && !was_worn && !(over_limit_at_ && now - *over_limit_at_ <= kEcoEcho)) {
    log_.add(kInvariantRelays, now, "eco sheds without need; a: relay", id);
  }
}

void RelayChecker::check_expected(TimePoint now, const Context& context, std::size_t index) {
  const Relay relay = energy::relay_at(index);
  Expected expected = relay == Relay::kGrid ? expected_grid(context) : expected_output(context, relay, true);
  const bool is_echo = context.truth.is_nearly_unsafe || (unsafe_at_ && now - *unsafe_at_ <= kUnsafeEcho);
  if (!context.truth.is_unsafe && is_echo && !context.is_exhausted) {
    expected = Expected::kEither;
  }
  if (!context.truth.is_running) {
    expected = Expected::kEither;
  }
  if (expected != expected_[index]) {
    expected_[index] = expected;
    expected_since_[index] = now;
  }
  const Position position = context.truth.contact[index];
  const bool is_right =
      expected == Expected::kEither || (expected == Expected::kOpen) == (position == Position::kOpen);
  const Duration allowed = std::max(relays_[index].on_min, relays_[index].off_min) + kSlack;
  if (is_right || now - expected_since_[index] <= allowed) {
    return;
  }
  auto& switches = switches_[index];
  while (!switches.is_empty() && now - switches.front() >= std::chrono::hours{1}) {
    (void)switches.pop();
  }
  if (switches.size() + 2 >= relays_[index].switches_per_hour) {
    return;  // held by wear
  }
  log_.add(kInvariantRelays, now, "a relay is not where precedence wants it; a: relay, b: position",
           static_cast<std::int64_t>(index), static_cast<std::int64_t>(position));
  expected_since_[index] = now;  // again only after as long
}

bool RelayChecker::is_excused(TimePoint now, std::size_t index) const {
  return stuck_at_[index] && now - *stuck_at_[index] <= kStuckEcho;
}

void RelayChecker::check_import(TimePoint now, const Context& context) {
  const energy::ModeSettings& settings = context.settings;
  const std::int64_t today = accounting_day(context.truth.local_s, settings);
  if (today != today_) {
    today_ = today;
    imported_uj_ = 0;
    is_count_whole_ = context.truth.minute_of_day.has_value() && context.truth.is_running;
  }
  is_count_whole_ = is_count_whole_ && context.truth.is_metered && !context.truth.is_date_doubtful &&
                    !is_excused(now, energy::index_of(Relay::kGrid));
  imported_uj_ += context.truth.import_uj;
  const std::int64_t limit_wh =
      settings.import_limit.count() + settings.import_limit.count() / 100 + kImportSlackWh;
  if (is_count_whole_ && context.truth.running.has(Mode::kImportLimit) &&
      imported_uj_ > limit_wh * kMicrojoulesPerWattHour) {
    is_count_whole_ = false;
    log_.add(kInvariantRelays, now, "more came from the grid than the limit allows; a: Wh, b: limit in Wh",
             imported_uj_ / kMicrojoulesPerWattHour, settings.import_limit.count());
  }
}

void RelayChecker::check_eco(TimePoint now, const Context& context) {
  const RelayTruth& truth = context.truth;
  const bool is_dark = truth.is_running &&
                       truth.contact[energy::index_of(Relay::kInverterOutput)] == Position::kOpen &&
                       truth.running.has(Mode::kEco) && !truth.is_nearly_unsafe &&
                       !is_excused(now, energy::index_of(Relay::kInverterOutput)) &&
                       expected_output(context, Relay::kInverterOutput, false) == Expected::kClosed;
  dark_since_ = is_dark ? std::optional{dark_since_.value_or(now)} : std::nullopt;
  if (dark_since_ && now - *dark_since_ > kDarkMax) {
    log_.add(kInvariantRelays, now, "eco keeps the house dark; a: limit in W",
             context.settings.eco_limit.count());
    dark_since_ = now;
  }
  const bool is_over = truth.running.has(Mode::kEco) && truth.home_w > context.settings.eco_limit.count();
  if (!is_over || !truth.is_running) {
    over_limit_since_.reset();
    return;
  }
  over_limit_at_ = now;
  over_limit_since_ = over_limit_since_.value_or(now);
  if (now - *over_limit_since_ <= kEcoMax) {
    return;
  }
  for (std::size_t i = 0; i < context.settings.eco_order.count; ++i) {
    const std::size_t index = energy::index_of(context.settings.eco_order.relay[i]);
    // An order that ended or safety that let go may have closed it just now.
    const bool has_settled = contact_[index] == Position::kClosed && !is_excused(now, index) &&
                             (!switched_at_[index] || now - *switched_at_[index] > kEcoEcho);
    if (relays_[index].is_fitted && truth.contact[index] == Position::kClosed && has_settled) {
      log_.add(kInvariantRelays, now, "over the limit for long and eco still has something to shed; a: relay",
               static_cast<std::int64_t>(index));
      over_limit_since_ = now;
    }
  }
}

void RelayChecker::handle_step(TimePoint now, const RelayTruth& truth, const energy::ModeSettings& settings) {
  Context context{truth, settings};
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    stuck_at_[i] = truth.is_stuck[i] ? std::optional{now} : stuck_at_[i];
  }
  check_import(now, context);
  if (!truth.running.has(Mode::kImportLimit) || (exhausted_day_ && today_ > *exhausted_day_)) {
    exhausted_day_.reset();
  }
  context.is_exhausted = exhausted_day_.has_value();
  // Exhausted, but not yet durable; or exhausted while nobody knew the date; or by a count that only the
  // controller has.
  context.is_maybe_exhausted =
      !context.is_exhausted && truth.running.has(Mode::kImportLimit) &&
      (imported_uj_ >= (settings.import_limit.count() - kImportSlackWh) * kMicrojoulesPerWattHour ||
       !truth.minute_of_day || !is_count_whole_);
  if (truth.is_unsafe) {
    unsafe_at_ = now;
  }
  check_eco(now, context);
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    if (!relays_[i].is_fitted) {
      continue;
    }
    if (is_excused(now, i)) {
      const bool closes = has_contacts_ && truth.contact[i] != contact_[i] &&
                          truth.contact[i] == Position::kClosed && i == energy::index_of(Relay::kGrid);
      if (closes && context.is_exhausted) {
        log_.add(kInvariantRelays, now, kClosesExhausted);
      }
      expected_since_[i] = now;
      switched_at_[i].reset();
      continue;
    }
    if (has_contacts_ && truth.contact[i] != contact_[i]) {
      check_switch(now, context, i);
    }
    check_expected(now, context, i);
  }
  contact_ = truth.contact;
  has_contacts_ = true;
}

void RelayChecker::handle_boot(TimePoint now) {
  expected_since_.fill(now);
  over_limit_since_.reset();
  is_count_whole_ = false;
}

void RelayChecker::handle_exhausted(std::int64_t local_s, const energy::ModeSettings& settings) {
  exhausted_day_ = accounting_day(local_s, settings);
}

void RelayChecker::handle_date(std::int64_t local_s, const energy::ModeSettings& settings) {
  const std::int64_t today = accounting_day(local_s, settings);
  if (exhausted_day_ && today < *exhausted_day_ - 1) {
    exhausted_day_ = today;
  }
}

void FactsChecker::handle_write(TimePoint now, const energy::Facts& durable, const energy::Facts& written) {
  constexpr std::uint64_t kSecondsPerYear = std::uint64_t{365} * 24 * 3'600;
  ++write_count_;
  if (durable == written) {
    log_.add(kInvariantStore, now, "facts are written that the store already holds");
  }
  const auto elapsed_s = static_cast<std::uint64_t>(to_microseconds(now) / 1'000'000);
  const std::uint64_t allowed = kBurst + kWritesPerYear * elapsed_s / kSecondsPerYear;
  if (write_count_ > allowed) {
    log_.add(kInvariantStore, now, "facts are written too often; a: writes, b: allowed so far",
             static_cast<std::int64_t>(write_count_), static_cast<std::int64_t>(allowed));
  }
}

}  // namespace amphora::sim
