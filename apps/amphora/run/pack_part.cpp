// SPDX-License-Identifier: Apache-2.0
// The life of the pack part and what the pack thread says. Answers to people are in pack_api.cpp.
#include "apps/amphora/run/pack_part.hpp"

#include <algorithm>
#include <utility>

#include "apps/amphora/run/pack_event_text.hpp"
#include "apps/amphora/run/pack_json.hpp"
#include "apps/amphora/run/pack_text.hpp"
#include "core/sections/tables.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;

constexpr Duration kSamplePeriod = std::chrono::seconds{10};
// For the acknowledgement of a restart to reach the bus.
constexpr Duration kRestartAfter = std::chrono::milliseconds{500};

}  // namespace

PackPart::PackPart(runtime::Loop& loop, Journal& journal, runtime::Store* store, runtime::PackOptions options,
                   OnReport on_report)
    : loop_{loop},
      journal_{journal},
      store_{store},
      options_{std::move(options)},
      on_report_{std::move(on_report)},
      thread_{options_, store} {
  for (std::size_t i = 0; i < runtime::kPlaceCount; ++i) {
    if (const auto* spec = std::get_if<runtime::MqttSpec>(&options_.sensors.specs[i])) {
      mqtt_inputs_.push_back({*spec, static_cast<runtime::Place>(i), {}});
    }
  }
}

PackPart::~PackPart() {
  stop();
}

void PackPart::start() {
  for (const std::string& complaint : options_.stored.complaints) {
    journal_.note(EventLevel::kError, "settings", "stored_record_ignored", complaint);
  }
  if (!options_.bus.empty() && !options_.node.network.gate.is_sealed) {
    journal_.note(EventLevel::kWarning, "packnet", "plain_bus",
                  "The bus of the packs is open: every device on it can give commands. Set mode = \"sealed\" "
                  "with key_file and gateway.");
  }
  report_at_ = loop_.now();
  report_watch_.emplace(loop_, thread_.reports().wake_fd());
  report_watch_->on_readable([this] { take_reports(); });
  message_watch_.emplace(loop_, thread_.messages().wake_fd());
  message_watch_->on_readable([this] { take_messages(); });
  thread_.start();
}

void PackPart::stop() {
  if (!report_watch_) {
    return;
  }
  thread_.stop();
  take_messages();
  take_notices();
  report_watch_.reset();
  message_watch_.reset();
  if (const auto& facts = thread_.final_facts(); facts && store_ != nullptr) {
    runtime::PackRecord record = runtime::to_record(*facts);
    store_->put_section(record.name, std::move(record.content));
  }
}

void PackPart::handle_tick(TimePoint now) {
  take_notices();
  sample_history(now);
  changes_.give_up(now);
}

void PackPart::take_reports() {
  thread_.reports().clear_wake();
  runtime::PackReportPtr newest;
  while (auto report = thread_.reports().pop()) {
    newest = std::move(*report);
  }
  if (newest) {
    report_ = std::move(newest);
    report_at_ = loop_.now();
    on_report_(report_);
  }
}

void PackPart::take_messages() {
  thread_.messages().clear_wake();
  while (const auto message = thread_.messages().pop()) {
    std::visit([this](const auto& one) { handle(one); }, *message);
  }
}

void PackPart::take_notices() {
  while (const auto notice = thread_.sensors().notices().pop()) {
    journal_.record_at(notice->at, describe(*notice));
  }
  while (const auto notice = thread_.indicator().notices().pop()) {
    journal_.record_at(notice->at, describe(*notice));
  }
}

void PackPart::handle(const node::PackNodeEvent& event) {
  if (const auto* replica = std::get_if<state::ReplicaEvent>(&event.what)) {
    changes_.handle_store(kAllPacks, *replica);
  }
  const auto* pack = std::get_if<node::PackEvent>(&event.what);
  if (pack != nullptr && pack->kind == node::PackEvent::Kind::kRestartOrdered) {
    restart_at_ = loop_.now() + kRestartAfter;
  }
  if (is_repeated(event)) {
    return;
  }
  if (auto record = describe(event, options_)) {
    journal_.record_at(event.at, std::move(*record));
  }
}

void PackPart::handle(const runtime::RelayNotice& notice) {
  journal_.record_at(notice.at, describe(notice));
}

// A BMS that refuses does so with each poll.
bool PackPart::is_repeated(const node::PackNodeEvent& event) {
  const auto* poller = std::get_if<modbus::PollerEvent>(&event.what);
  if (poller == nullptr) {
    return false;
  }
  if (poller->kind == modbus::PollerEvent::Kind::kFresh) {
    told_refusal_.reset();
  }
  if (poller->kind != modbus::PollerEvent::Kind::kRefused) {
    return false;
  }
  return std::exchange(told_refusal_, std::optional{poller->detail}) == poller->detail;
}

std::vector<std::string> PackPart::topics() const {
  std::vector<std::string> topics;
  for (const MqttInput& input : mqtt_inputs_) {
    if (std::find(topics.begin(), topics.end(), input.spec.topic) == topics.end()) {
      topics.push_back(input.spec.topic);
    }
  }
  return topics;
}

void PackPart::handle_mqtt(std::string_view topic, std::string_view payload) {
  for (MqttInput& input : mqtt_inputs_) {
    if (input.spec.topic != topic) {
      continue;
    }
    const auto decoded = runtime::decode_payload(input.spec, input.place, loop_.now(), payload);
    const auto* error = std::get_if<runtime::SpecError>(&decoded);
    const std::string fault = error != nullptr ? error->text : std::string{};
    if (fault != input.error) {
      input.error = fault;
      journal_.note(fault.empty() ? EventLevel::kNotice : EventLevel::kWarning, "energy",
                    fault.empty() ? "mqtt_input_works" : "mqtt_input_bad",
                    std::string{title_of(input.place)} +
                        (fault.empty() ? ": messages can be used again."
                                       : ": a message cannot be used: " + fault + "."));
    }
    if (const auto* reading = std::get_if<runtime::SensorReading>(&decoded)) {
      (void)thread_.order(runtime::PackReadingOrder{*reading});
    }
  }
}

void PackPart::sample_history(TimePoint now) {
  if (now < sample_due_ || store_ == nullptr || !report_ || report_->bms_state == packnet::BmsState::kNever ||
      report_->bms_state == packnet::BmsState::kStale) {
    return;
  }
  sample_due_ = now + kSamplePeriod;
  runtime::HistorySample sample = history_sample(report_->snapshot, runtime::wall_now());
  if (const auto& soc = report_->control.balance().soc) {
    sample.values[static_cast<std::size_t>(runtime::Series::kSocPercent)] = soc->value.count() / 100.0;
  }
  store_->add_sample(sample);
}

bool PackPart::is_well(const config::Config& config, TimePoint now) const {
  if (!report_ || report_->control.safety_causes().has_any()) {
    return false;
  }
  const bool has_place =
      report_->bus.interface.empty() || report_->bus.claim == packnet::ClaimState::kClaimed;
  return has_place && is_battery_online(*report_, config, now);
}

// Which sections changed last, so that pages know when to ask again.
Json PackPart::sections_group() {
  for (const runtime::LinkSection& section : report_->sections) {
    const auto known = std::find_if(changed_.begin(), changed_.end(),
                                    [&section](const auto& one) { return one.first == section.id; });
    if (known != changed_.end() && known->second == section.record.version) {
      continue;
    }
    if (known != changed_.end()) {
      changed_.erase(known);
    }
    changed_.emplace_back(section.id, section.record.version);
    ++sections_revision_;
  }
  Json changed = Json::array();
  for (const auto& [section, version] : changed_) {
    changed.push_back(
        {{"scope", "own"}, {"section", sections::find_table(section)->name}, {"version", version}});
  }
  return Json{{"changed", std::move(changed)}, {"revision", sections_revision_}};
}

void PackPart::add_state(Json& groups, const config::Config& config, TimePoint now) {
  if (!report_) {
    return;
  }
  groups["battery"] = battery_json(*report_, config, now);
  groups["bms_link"] = bms_link_json(*report_, config, now);
  groups["energy"] = energy_json(*report_, config, now);
  groups["modes"] = modes_json(*report_, now);
  groups["packs"] = packs_json(*report_, now);
  groups["indicator"] = indicator_json(*report_, now);
  groups["sections"] = sections_group();
  groups["control"] = control_json(*report_, thread_.reports().dropped_count());
}

}  // namespace amphora::run
