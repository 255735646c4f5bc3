// SPDX-License-Identifier: Apache-2.0
#include "core/energy/controller.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::energy {

namespace {

constexpr std::uint32_t bit(std::size_t index) {
  return 1U << index;
}

Ask& ask_of(Asks& asks, Holder holder, Relay relay) {
  return asks[static_cast<std::size_t>(holder)][index_of(relay)];
}

Event event(Event::Kind kind, TimePoint at) {
  Event result;
  result.kind = kind;
  result.at = at;
  return result;
}

}  // namespace

std::string_view to_text(Warning warning) {
  constexpr std::string_view kNames[] = {"over_eco_limit",    "loads_limit",  "eco_fell_back",
                                         "import_unmeasured", "time_unknown", "soc_unknown",
                                         "relay_mismatch",    "relay_wear"};
  return kNames[static_cast<std::size_t>(warning)];
}

std::string_view to_text(Event::Kind kind) {
  constexpr std::string_view kNames[] = {
      "switched",         "safety_entered",  "safety_left",      "minimum_soc_reached", "minimum_soc_left",
      "import_exhausted", "import_released", "warning_raised",   "warning_cleared",     "order_ended",
      "mismatch",         "match",           "settings_changed", "time_refused"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(OrderError error) {
  constexpr std::string_view kNames[] = {"not_fitted", "bad_duration", "held_by_mode"};
  return kNames[static_cast<std::size_t>(error)];
}

std::optional<SettingsError> check_config(const ControllerConfig& config) {
  if (const auto error = check_config(config.balance)) {
    return error;
  }
  if (const auto error = check_config(config.protection)) {
    return error;
  }
  return check_config(config.relays);
}

Controller::Controller(const ControllerConfig& config, const ModeSettings& settings, const Facts& stored)
    : config_{config},
      settings_{settings},
      safety_{config.protection},
      has_eco_fallen_back_{stored.has_eco_fallen_back && settings.enabled.has(Mode::kEco)},
      import_limit_{settings.enabled.has(Mode::kImportLimit) ? stored.import_exhausted : std::nullopt},
      arbiter_{config.relays},
      stored_{stored} {
  AMPHORA_ASSERT(!check_config(config) && !check_settings(settings));
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    if (stored.orders[i] && config.relays[i].is_fitted) {
      orders_[i] = Order{stored.orders[i]->position, stored.orders[i]->end_unix_s, std::nullopt};
    }
  }
}

// --- inputs ---------------------------------------------------------------------------------------------

void Controller::start(TimePoint now) {
  if (!started_at_) {
    started_at_ = now;
  }
}

void Controller::handle_timeout(TimePoint now) {
  start(now);
  if (now >= next_cycle_) {
    evaluate(now);
  }
}

void Controller::handle_inputs(TimePoint now, const Inputs& inputs) {
  start(now);
  inputs_ = inputs;
  has_inputs_ = true;
  evaluate(now);
}

void Controller::handle_time(TimePoint now, const TimeReading& reading) {
  start(now);
  if (!clock_.handle_time(now, reading)) {
    ++refused_time_count_;
    emit(event(Event::Kind::kTimeRefused, now));
    return;
  }
  evaluate(now);
}

std::optional<SettingsError> Controller::set_settings(TimePoint now, const ModeSettings& settings) {
  start(now);
  if (const auto error = check_settings(settings)) {
    return error;
  }
  if (settings == settings_) {
    return std::nullopt;
  }
  const bool is_eco_changed = settings.enabled.has(Mode::kEco) != settings_.enabled.has(Mode::kEco) ||
                              settings.eco_limit != settings_.eco_limit ||
                              settings.eco_falls_back != settings_.eco_falls_back ||
                              settings.eco_order != settings_.eco_order;
  settings_ = settings;
  if (is_eco_changed) {
    // Whoever changes eco wants it tried again.
    has_eco_fallen_back_ = false;
    eco_.stop();
  }
  if (!is_running(Mode::kSelfConsumption)) {
    self_consumption_.stop();
  }
  emit(event(Event::Kind::kSettingsChanged, now));
  evaluate(now);
  return std::nullopt;
}

std::optional<OrderError> Controller::order(TimePoint now, Relay relay, Position position, Duration lasts) {
  start(now);
  if (!config_.relays[index_of(relay)].is_fitted) {
    return OrderError::kNotFitted;
  }
  if (lasts < kOrderMin || lasts > kOrderMax) {
    return OrderError::kBadDuration;
  }
  for (const Holder holder : precedence_of(relay)) {
    if (holder != Holder::kManual && holder != Holder::kDefault &&
        ask_of(asks_, holder, relay).kind != Ask::Kind::kNone) {
      return OrderError::kHeldByMode;
    }
  }
  orders_[index_of(relay)] = Order{position, std::nullopt, add_saturating(now, lasts)};
  evaluate(now);
  return std::nullopt;
}

void Controller::release(TimePoint now, Relay relay) {
  start(now);
  orders_[index_of(relay)].reset();
  evaluate(now);
}

void Controller::reset_import_energy(TimePoint now) {
  start(now);
  import_limit_.reset_counter();
  evaluate(now);
}

// --- evaluation -----------------------------------------------------------------------------------------

EnumSet<Mode> Controller::running() const {
  EnumSet<Mode> modes = settings_.enabled;
  if (has_eco_fallen_back_) {
    modes.set(Mode::kEco, false);
    modes.set(Mode::kSelfConsumption, true);
  }
  return modes;
}

// Ends of orders live on the monotonic clock, so that a clock that is set does not lengthen them; what is
// stored is the wall time of the end.
void Controller::update_orders(TimePoint now) {
  const auto unix_s = clock_.unix_s(now);
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    auto& order = orders_[i];
    if (!order) {
      continue;
    }
    if (unix_s && !order->ends_at) {
      const std::int64_t left_s = order->end_unix_s.value_or(0) - *unix_s;
      const std::int64_t max_s = std::chrono::duration_cast<std::chrono::seconds>(kOrderMax).count();
      order->ends_at = left_s <= max_s ? now + std::chrono::seconds{std::max<std::int64_t>(left_s, 0)} : now;
    }
    if (order->ends_at && now >= *order->ends_at) {
      order.reset();
      Event ended = event(Event::Kind::kOrderEnded, now);
      ended.relay = relay_at(i);
      emit(ended);
    } else if (unix_s && !order->end_unix_s) {
      order->end_unix_s =
          *unix_s + std::chrono::duration_cast<std::chrono::seconds>(*order->ends_at - now).count();
    }
  }
}

void Controller::update_eco(TimePoint now) {
  if (!is_running(Mode::kEco)) {
    eco_.stop();
    return;
  }
  EcoView view;
  view.home = balance_.home;
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    const Relay relay = relay_at(i);
    view.position[i] = arbiter_.relay(relay).commanded;
    view.rated[i] = config_.relays[i].rated;
    view.is_fitted[i] = config_.relays[i].is_fitted;
    view.power[i] = is_load(relay)                    ? balance_.load[load_index(relay)]
                    : relay == Relay::kInverterOutput ? balance_.inverter_output
                                                      : std::nullopt;
  }
  eco_.update(now, view, settings_);
  if (eco_.gives_up() && settings_.eco_falls_back) {
    has_eco_fallen_back_ = true;
    eco_.stop();
  }
}

void Controller::ask_safety() {
  const auto ask_loads_open = [this](Holder holder, Reason reason) {
    for (std::size_t i = kFirstLoad; i < kRelayCount; ++i) {
      ask_of(asks_, holder, relay_at(i)) = ask_for(Position::kOpen, reason);
    }
  };
  if (safety_.causes().has_any()) {
    const Reason reason = safety_.reason();
    ask_of(asks_, Holder::kSafety, Relay::kGrid) = ask_for(Position::kClosed, reason);
    ask_of(asks_, Holder::kSafety, Relay::kInverterOutput) = Ask{Ask::Kind::kHold, reason};
    ask_loads_open(Holder::kSafety, reason);
  }
  if (minimum_soc_.is_reached()) {
    ask_of(asks_, Holder::kMinimumSoc, Relay::kGrid) = ask_for(Position::kClosed, Reason::kSocAtMinimum);
    if (is_import_exhausted()) {
      // The grid may not help, so the house has to wait.
      ask_of(asks_, Holder::kMinimumSoc, Relay::kInverterOutput) =
          ask_for(Position::kOpen, Reason::kSocAtMinimum);
      ask_loads_open(Holder::kMinimumSoc, Reason::kSocAtMinimum);
    }
  }
  if (is_import_exhausted()) {
    ask_of(asks_, Holder::kImportLimit, Relay::kGrid) = ask_for(Position::kOpen, Reason::kImportExhausted);
  }
}

void Controller::ask_modes(TimePoint now) {
  const EnumSet<Mode> modes = running();
  const auto soc = balance_.soc ? std::optional{balance_.soc->value} : std::nullopt;
  if (modes.has(Mode::kBackup)) {
    ask_of(asks_, Holder::kBackup, Relay::kGrid) = ask_for(Position::kClosed, Reason::kBackupOn);
  }
  if (modes.has(Mode::kSelfConsumption)) {
    ask_of(asks_, Holder::kSelfConsumption, Relay::kGrid) = self_consumption_.update(soc, settings_);
  }
  if (modes.has(Mode::kTimeOfUse)) {
    ask_of(asks_, Holder::kTimeOfUse, Relay::kInverterOutput) = time_of_use(clock_.local(now), settings_);
  }
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    const Relay relay = relay_at(i);
    if (eco_.is_shed(relay)) {
      ask_of(asks_, Holder::kEco, relay) = ask_for(Position::kOpen, Reason::kOverEcoLimit);
    }
    if (orders_[i] && orders_[i]->ends_at) {
      ask_of(asks_, Holder::kManual, relay) = ask_for(orders_[i]->position, Reason::kOrdered);
    }
  }
}

void Controller::update_warnings() {
  const EnumSet<Mode> modes = running();
  const auto any_relay = [this](auto&& predicate) {
    for (std::size_t i = 0; i < kRelayCount; ++i) {
      if (predicate(arbiter_.relay(relay_at(i)))) {
        return true;
      }
    }
    return false;
  };
  EnumSet<Warning> next;
  next.set(Warning::kOverEcoLimit, eco_.is_over_for_long());
  next.set(Warning::kLoadsLimit, eco_.is_loads_limit());
  next.set(Warning::kEcoFellBack, has_eco_fallen_back_);
  next.set(Warning::kImportUnmeasured, modes.has(Mode::kImportLimit) && !balance_.grid);
  next.set(Warning::kTimeUnknown,
           !clock_.is_known() && (modes.has(Mode::kTimeOfUse) || modes.has(Mode::kImportLimit)));
  next.set(Warning::kSocUnknown, modes.has(Mode::kSelfConsumption) && !balance_.soc);
  next.set(Warning::kRelayMismatch, any_relay([](const RelayState& relay) { return relay.is_mismatched; }));
  next.set(Warning::kRelayWear,
           any_relay([](const RelayState& relay) { return relay.hindrance == Hindrance::kWear; }));
  warnings_ = next;
}

Controller::Shown Controller::shown() const {
  return {safety_.causes(), minimum_soc_.is_reached(), is_import_exhausted(), warnings_};
}

void Controller::evaluate(TimePoint now) {
  const bool is_cycle = now >= next_cycle_;
  if (is_cycle) {
    next_cycle_ = now + kCycle;
  }
  const Shown before = shown();
  balance_ = balance_of(now, inputs_, config_.balance);
  safety_.update(now, *started_at_, inputs_);
  (void)minimum_soc_.update(balance_.soc ? std::optional{balance_.soc->value} : std::nullopt, settings_);
  import_limit_.update(now, balance_.grid, clock_.local(now), settings_);
  update_orders(now);
  update_eco(now);
  asks_ = Asks{};
  ask_safety();
  ask_modes(now);
  if (has_inputs_ || safety_.causes().has_any() || is_import_exhausted()) {
    decide(now, is_cycle);
  }
  update_warnings();
  report_changes(now, before);
}

// Lets the arbiter decide; what changed is commanded at once, everything in each cycle.
void Controller::decide(TimePoint now, bool is_cycle) {
  PerRelay<std::optional<Position>> commanded_before{};
  PerRelay<bool> mismatched_before{};
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    commanded_before[i] = arbiter_.relay(relay_at(i)).commanded;
    mismatched_before[i] = arbiter_.relay(relay_at(i)).is_mismatched;
  }
  has_decided_ = true;
  arbiter_.decide(now, asks_, inputs_.measured);
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    const RelayState& state = arbiter_.relay(relay_at(i));
    if (!state.is_fitted) {
      continue;
    }
    const bool has_switched = state.commanded != commanded_before[i];
    if (is_cycle || has_switched) {
      relays_to_command_ |= bit(i);
    }
    Event changed = event(Event::Kind::kSwitched, now);
    changed.relay = relay_at(i);
    changed.position = state.commanded.value_or(Position::kOpen);
    changed.holder = state.holder;
    changed.reason = state.reason;
    if (has_switched) {
      emit(changed);
    }
    if (state.is_mismatched != mismatched_before[i]) {
      changed.kind = state.is_mismatched ? Event::Kind::kMismatch : Event::Kind::kMatch;
      emit(changed);
    }
  }
  const InverterRequest request{!safety_.forbids_charging(),
                                !safety_.forbids_discharging() && !minimum_soc_.is_reached()};
  is_inverter_to_ask_ = is_inverter_to_ask_ || is_cycle || request != inverter_request_;
  inverter_request_ = request;
}

void Controller::report_changes(TimePoint now, const Shown& before) {
  const Shown after = shown();
  for (std::size_t i = 0; i < kSafetyCauseCount; ++i) {
    const auto cause = static_cast<SafetyCause>(i);
    if (before.causes.has(cause) != after.causes.has(cause)) {
      Event changed =
          event(after.causes.has(cause) ? Event::Kind::kSafetyEntered : Event::Kind::kSafetyLeft, now);
      changed.cause = cause;
      emit(changed);
    }
  }
  if (before.is_minimum_soc != after.is_minimum_soc) {
    emit(event(after.is_minimum_soc ? Event::Kind::kMinimumSocReached : Event::Kind::kMinimumSocLeft, now));
  }
  if (before.is_exhausted != after.is_exhausted) {
    emit(event(after.is_exhausted ? Event::Kind::kImportExhausted : Event::Kind::kImportReleased, now));
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(Warning::kCount); ++i) {
    const auto warning = static_cast<Warning>(i);
    if (before.warnings.has(warning) != after.warnings.has(warning)) {
      Event changed = event(
          after.warnings.has(warning) ? Event::Kind::kWarningRaised : Event::Kind::kWarningCleared, now);
      changed.warning = warning;
      emit(changed);
    }
  }
}

// --- outputs --------------------------------------------------------------------------------------------

std::optional<Command> Controller::poll_transmit(TimePoint) {
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    const auto& commanded = arbiter_.relay(relay_at(i)).commanded;
    if ((relays_to_command_ & bit(i)) != 0 && commanded) {
      relays_to_command_ &= ~bit(i);
      return RelayCommand{relay_at(i), *commanded};
    }
  }
  if (is_inverter_to_ask_ && has_decided_) {
    is_inverter_to_ask_ = false;
    return inverter_request_;
  }
  return std::nullopt;
}

Facts Controller::facts() const {
  Facts facts;
  facts.import_exhausted = import_limit_.exhausted();
  facts.has_eco_fallen_back = has_eco_fallen_back_;
  for (std::size_t i = 0; i < kRelayCount; ++i) {
    if (orders_[i] && orders_[i]->end_unix_s) {
      facts.orders[i] = StoredOrder{orders_[i]->position, *orders_[i]->end_unix_s};
    }
  }
  return facts;
}

std::optional<StoreRequest> Controller::poll_store(TimePoint now) {
  if (storing_ || !started_at_ || now < retry_from_) {
    return std::nullopt;
  }
  const Facts wanted = facts();
  const bool is_urgent = wanted.import_exhausted && !stored_.import_exhausted;
  if (wanted == stored_ || (!is_urgent && now < store_from_)) {
    return std::nullopt;
  }
  storing_ = StoreRequest{next_ticket_++, wanted};
  return storing_;
}

void Controller::handle_stored(TimePoint now, std::uint32_t ticket) {
  if (storing_ && storing_->ticket == ticket) {
    stored_ = storing_->facts;
    storing_.reset();
    store_from_ = now + kStoreInterval;
    ++store_count_;
  }
}

void Controller::handle_store_failed(TimePoint now, std::uint32_t ticket) {
  if (storing_ && storing_->ticket == ticket) {
    storing_.reset();
    retry_from_ = now + kStoreRetry;
  }
}

std::optional<std::int64_t> Controller::import_exhausted_until_unix_s(TimePoint now) const {
  return is_import_exhausted() ? clock_.next_unix_s(now, settings_.import_reset_minute) : std::nullopt;
}

std::optional<Duration> Controller::order_left(TimePoint now, Relay relay) const {
  const auto& order = orders_[index_of(relay)];
  return order && order->ends_at ? std::optional{std::max(*order->ends_at - now, Duration::zero())}
                                 : std::nullopt;
}

}  // namespace amphora::energy
