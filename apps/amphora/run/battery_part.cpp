// SPDX-License-Identifier: Apache-2.0
// The life of the battery part and what the control thread says. Orders of people are in battery_orders.cpp.
#include "apps/amphora/run/battery_part.hpp"

#include <utility>

#include "apps/amphora/run/event_text.hpp"

namespace amphora::run {
namespace {

constexpr Duration kSamplePeriod = std::chrono::seconds{10};
constexpr const char* kEnergyInCounter = "energy_in_mwh";
constexpr const char* kEnergyOutCounter = "energy_out_mwh";

// Zeros on the very first start; empty without a store, because then nobody knows.
std::optional<battery::EnergyCounters> stored_energy(const runtime::Store* store,
                                                     const runtime::StoredState& stored) {
  if (store == nullptr) {
    return std::nullopt;
  }
  const auto value = [&stored](const char* name) {
    const auto found = stored.counters.find(name);
    return MilliwattHours{found != stored.counters.end() ? found->second : 0};
  };
  return battery::EnergyCounters{value(kEnergyInCounter), value(kEnergyOutCounter)};
}

void put_energy(runtime::Store& store, const battery::EnergyCounters& counters) {
  store.put_counter(kEnergyInCounter, counters.in.count());
  store.put_counter(kEnergyOutCounter, counters.out.count());
}

runtime::ControlOptions with_energy(runtime::ControlOptions options, const runtime::Store* store,
                                    const runtime::StoredState& stored) {
  options.energy = stored_energy(store, stored);
  return options;
}

}  // namespace

BatteryPart::BatteryPart(runtime::Loop& loop, Journal& journal, runtime::Store* store,
                         const runtime::StoredState& stored, runtime::ControlOptions options,
                         OnReport on_report)
    : loop_{loop},
      journal_{journal},
      store_{store},
      node_config_{options.node},
      has_inverter_{!options.inverter_can.empty()},
      on_report_{std::move(on_report)},
      control_{with_energy(std::move(options), store, stored)} {}

BatteryPart::~BatteryPart() {
  stop();
}

void BatteryPart::start() {
  report_at_ = loop_.now();
  report_watch_.emplace(loop_, control_.reports().wake_fd());
  report_watch_->on_readable([this] { take_reports(); });
  message_watch_.emplace(loop_, control_.messages().wake_fd());
  message_watch_->on_readable([this] { take_messages(); });
  control_.start();
}

void BatteryPart::stop() {
  if (!report_watch_) {
    return;
  }
  control_.stop();
  take_messages();
  report_watch_.reset();
  message_watch_.reset();
  if (const auto energy = control_.final_energy(); energy && store_ != nullptr) {
    put_energy(*store_, *energy);
  }
}

void BatteryPart::handle_tick(TimePoint now) {
  sample_history(now);
  give_up_waiting(now);
}

void BatteryPart::reconfigure(const node::BmsGatewayConfig& config) {
  node_config_ = config;
  (void)control_.order(runtime::ReconfigureOrder{config.profile, config.output});
}

void BatteryPart::set_user_limits(const inverter::UserLimits& limits) {
  (void)control_.order(runtime::UserLimitsOrder{limits});
}

void BatteryPart::take_reports() {
  control_.reports().clear_wake();
  runtime::ReportPtr newest;
  while (auto report = control_.reports().pop()) {
    newest = std::move(*report);
  }
  if (newest) {
    report_ = std::move(newest);
    report_at_ = loop_.now();
    on_report_(report_);
  }
}

void BatteryPart::take_messages() {
  control_.messages().clear_wake();
  while (const auto message = control_.messages().pop()) {
    std::visit([this](const auto& one) { handle(one); }, *message);
  }
}

// Statistics come every minute and settings every ten; a log that tells so hides what matters. Settings are
// told once after the BMS was found or written to.
bool BatteryPart::is_routine(const node::Event& event) {
  const auto* output_event = std::get_if<victron::OutputEvent>(&event.what);
  if (output_event != nullptr) {
    // A box without an inverter has no bus to lose, and nobody to send limits to.
    using enum victron::OutputEvent::Kind;
    return !has_inverter_ && (output_event->kind == kBusDown || output_event->kind == kStarted);
  }
  const auto* driver_event = std::get_if<tinybms::DriverEvent>(&event.what);
  if (driver_event == nullptr) {
    return false;
  }
  if (std::holds_alternative<tinybms::Connected>(*driver_event) ||
      std::holds_alternative<tinybms::WriteFinished>(*driver_event)) {
    are_settings_awaited_ = true;
  }
  if (std::holds_alternative<tinybms::SettingsRead>(*driver_event)) {
    return !std::exchange(are_settings_awaited_, false);
  }
  return std::holds_alternative<tinybms::StatisticsRead>(*driver_event) ||
         std::holds_alternative<tinybms::VersionRead>(*driver_event);
}

void BatteryPart::handle(const node::Event& event) {
  if (is_routine(event)) {
    return;
  }
  journal_.record_at(event.at, describe(event, node_config_));
  follow_write(event);
  follow_command(event);
}

void BatteryPart::handle(const runtime::StoreEnergy& request) {
  if (store_ == nullptr) {
    return;
  }
  put_energy(*store_, request.counters);
  store_->flush([this, counters = request.counters](const std::optional<runtime::SysError>& error) {
    if (!error) {
      (void)control_.order(runtime::EnergyStoredOrder{counters});
    }
  });
}

void BatteryPart::sample_history(TimePoint now) {
  if (now < sample_due_ || store_ == nullptr || !report_ || !is_battery_online(*report_, now)) {
    return;
  }
  sample_due_ = now + kSamplePeriod;
  store_->add_sample(history_sample(report_->snapshot, runtime::wall_now()));
}

void BatteryPart::add_state(Json& groups, const config::Config& config, TimePoint now) const {
  if (!report_) {
    return;
  }
  groups["battery"] = battery_json(*report_, config, now);
  groups["limits"] = limits_json(*report_);
  if (!config.inverter.interface.empty()) {
    groups["inverter"] = inverter_json(*report_, config, now);
  }
  groups["bms_link"] = bms_link_json(*report_, config, now, runtime::wall_now());
  groups["control"] = control_json(*report_, control_.reports().dropped_count());
}

}  // namespace amphora::run
