// SPDX-License-Identifier: Apache-2.0
// The life of the link part and what the link thread says. Answers to people are in link_api.cpp.
#include "apps/amphora/run/link_part.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/run/facts.hpp"
#include "apps/amphora/run/link_event_text.hpp"
#include "apps/amphora/run/shared_settings.hpp"

namespace amphora::run {
namespace {

using runtime::EventLevel;

// Addresses and carriers change seldom.
constexpr Duration kFactsPeriod = std::chrono::seconds{30};

bool has_secret(const sections::SectionTable& table) {
  return std::any_of(table.fields.begin(), table.fields.end(), [](const sections::FieldSpec& field) {
    return field.kind == sections::FieldKind::kSecret;
  });
}

// What a transmitter shares; a plain link carries no secrets, so sections with any stay out of it.
std::vector<state::SectionSpec> battery_side_specs(const config::Config& config) {
  std::vector<state::SectionSpec> specs;
  for (const sections::SectionTable& table : sections::tables()) {
    if (config.radio.mode == config::RadioMode::kSealed || !has_secret(table)) {
      specs.push_back(table.spec());
    }
  }
  return specs;
}

// A receiver's own: it has neither battery nor broker.
std::vector<state::SectionSpec> receiver_specs() {
  std::vector<state::SectionSpec> specs;
  for (const state::SectionId id :
       {sections::kMetadata, sections::kNetwork, sections::kSystem, sections::kDisplay}) {
    specs.push_back(sections::find_table(id)->spec());
  }
  return specs;
}

}  // namespace

runtime::LinkOptions LinkPart::make_options(const runtime::StoredState& stored) {
  runtime::LinkOptions options;
  options.radio = config_.radio.interface;
  options.radio_options.country = config_.radio.country;
  options.stored = runtime::load_link(stored);
  options.persists_queue = config_.radio.persists_queue;
  complaints_ = options.stored.complaints;
  for (const runtime::StoredSection& section : options.stored.sections) {
    if (section.owner.is_nobody()) {
      stored_own_.push_back(section);
    }
  }
  const link::Mode mode =
      config_.radio.mode == config::RadioMode::kSealed ? link::Mode::kSealed : link::Mode::kPlain;
  if (!config_.radio.peer.empty()) {
    options.only_peer = *runtime::parse_mac(config_.radio.peer);
  }
  if (is_receiver()) {
    own_specs_ = receiver_specs();
    peer_specs_ = battery_side_specs(config_);
    options.radio_options.channel = config_.radio.channel;
    node::ReceiverConfig node;
    node.mode = mode;
    node.channel = config_.radio.channel;
    node.own_sections = own_specs_;
    node.peer_sections = peer_specs_;
    options.node = node;
  } else {
    own_specs_ = battery_side_specs(config_);
    node::TransmitterConfig node;
    node.mode = mode;
    node.sections = own_specs_;
    node.discovery.channels = config::parse_channels(config_.radio.channels).value_or(link::kChannels1To13);
    options.node = node;
  }
  return options;
}

LinkPart::LinkPart(runtime::Loop& loop, Journal& journal, runtime::Store* store,
                   const runtime::StoredState& stored, const config::Config& config, Handlers handlers)
    : loop_{loop},
      journal_{journal},
      store_{store},
      config_{config},
      handlers_{std::move(handlers)},
      thread_{make_options(stored), store} {}

LinkPart::~LinkPart() {
  stop();
}

std::vector<const sections::SectionTable*> LinkPart::shared_tables() const {
  std::vector<const sections::SectionTable*> tables;
  for (const state::SectionSpec& spec : own_specs_) {
    tables.push_back(sections::find_table(spec.id));
  }
  return tables;
}

std::vector<std::pair<const sections::SectionTable*, sections::Values>> LinkPart::stored_sections() const {
  std::vector<std::pair<const sections::SectionTable*, sections::Values>> list;
  for (const sections::SectionTable* table : shared_tables()) {
    for (const runtime::StoredSection& section : stored_own_) {
      if (section.section == table->id && section.record && !runtime::is_seed(*section.record)) {
        list.emplace_back(table, values_of(*table, *section.record));
      }
    }
  }
  return list;
}

void LinkPart::start() {
  for (const std::string& complaint : complaints_) {
    journal_.note(EventLevel::kError, "link", "stored_record_ignored", complaint);
  }
  if (config_.radio.mode == config::RadioMode::kPlain) {
    journal_.note(EventLevel::kWarning, "link", "plain_link",
                  "The radio link is open: everybody in reach can read the battery and change settings. Set "
                  "mode = \"sealed\" and pair both boxes.");
  }
  report_watch_.emplace(loop_, thread_.reports().wake_fd());
  report_watch_->on_readable([this] { take_reports(); });
  message_watch_.emplace(loop_, thread_.messages().wake_fd());
  message_watch_->on_readable([this] { take_messages(); });
  thread_.start();
}

void LinkPart::stop() {
  if (!report_watch_) {
    return;
  }
  thread_.stop();
  take_messages();
  report_watch_.reset();
  message_watch_.reset();
}

void LinkPart::handle_tick(TimePoint now) {
  if (now >= facts_due_ && !told_self_.is_nobody()) {
    facts_due_ = now + kFactsPeriod;
    tell_facts();
  }
  changes_.give_up(now);
}

void LinkPart::handle_base_config(const config::Config& config) {
  config_ = config;
  tell_seeds();
}

void LinkPart::take_reports() {
  thread_.reports().clear_wake();
  runtime::LinkReportPtr newest;
  while (auto report = thread_.reports().pop()) {
    newest = std::move(*report);
  }
  if (!newest) {
    return;
  }
  const bool is_new_node = newest->self != told_self_;
  report_ = std::move(newest);
  if (is_new_node) {
    told_self_ = report_->self;
    facts_due_ = TimePoint{};
    tell_seeds();
    handle_tick(loop_.now());
  }
  follow_sections();
  reply_to_pairings();
}

void LinkPart::take_messages() {
  thread_.messages().clear_wake();
  while (const auto message = thread_.messages().pop()) {
    std::visit([this](const auto& one) { handle(one); }, *message);
  }
  reply_to_pairings();
}

// Who asked finds the effect in the state.
void LinkPart::reply_to_pairings() {
  std::erase_if(pairing_answers_, [this](const runtime::PairingAnswer& answer) {
    if (report_ == nullptr || report_->at < answer.at) {
      return false;
    }
    reply_to_pairing(answer);
    return true;
  });
}

// Notices which sections are different from the last report.
void LinkPart::follow_sections() {
  const std::uint64_t before = sections_revision_;
  for (const runtime::LinkSection& section : report_->own) {
    note_section(report_->self, section);
  }
  for (const runtime::LinkPeer& peer : report_->peers) {
    for (const runtime::LinkSection& section : peer.sections) {
      note_section(peer.node, section);
    }
  }
  if (sections_revision_ != before) {
    ++revision_;
    handlers_.on_change();
  }
}

void LinkPart::note_section(NodeId owner, const runtime::LinkSection& section) {
  const Seen now{section.record.version, section.record.stamp, section.is_waiting_for_time};
  const auto [seen, is_new] = seen_.try_emplace({owner, section.id}, Seen{});
  if (!is_new && seen->second == now) {
    return;
  }
  seen->second = now;
  ++sections_revision_;
  std::erase(changed_, std::pair{owner, section.id});
  changed_.emplace_back(owner, section.id);
  const sections::SectionTable* const table = sections::find_table(section.id);
  if (owner == report_->self && table != nullptr) {
    facts_due_ = section.id == sections::kSystem ? TimePoint{} : facts_due_;  // the name is a fact, too
    handlers_.on_section(*table, runtime::is_seed(section.record) && !section.is_waiting_for_time
                                     ? std::nullopt
                                     : std::optional{values_of(*table, section.record)});
  }
}

void LinkPart::handle(const node::TransmitterEvent& event) {
  if (const auto* replica = std::get_if<state::ReplicaEvent>(&event.what)) {
    changes_.handle_store(told_self_, *replica);
  }
  if (auto record = describe(event, told_self_, [](NodeId) { return std::string{"the receiver"}; })) {
    journal_.record_at(event.at, std::move(*record));
  }
}

void LinkPart::handle(const node::ReceiverEvent& event) {
  if (const auto* replica = std::get_if<state::ReplicaEvent>(&event.what)) {
    changes_.handle_store(event.peer, *replica);
  }
  const PeerName name = [this](NodeId node) { return peer_title(node); };
  if (auto record = describe(event, told_self_, name)) {
    journal_.record_at(event.at, std::move(*record));
  }
}

void LinkPart::handle(const runtime::ReadingArrived& arrived) {
  PeerBattery& battery = batteries_[arrived.delivery.peer];
  const WallTime wall = runtime::wall_now();
  if (battery.handle_reading(arrived.at, wall, arrived.delivery.delivery.entry)) {
    ++revision_;
    if (store_ != nullptr && &battery == shown_battery()) {
      store_->add_sample(battery.sample(wall));
    }
  }
}

void LinkPart::handle(const runtime::CellsArrived& arrived) {
  PeerBattery& battery = batteries_[arrived.cells.peer];
  battery.handle_cells(arrived.at, arrived.cells.cells);
  ++revision_;
  if (&battery == shown_battery()) {
    handlers_.on_cells(battery.cells_message(runtime::wall_now().unix_ms));
  }
}

// At a transmitter: readings at their interval, cells with each new snapshot but not more often than asked.
void LinkPart::handle_battery(const runtime::ReportPtr& report) {
  const TimePoint now = loop_.now();
  if (now >= reading_due_) {
    reading_due_ = std::max(reading_due_ + config_.radio.reading_interval, now);
    std::array<std::uint8_t, link::kBatterySummarySize> bytes{};
    link::encode_summary(summary_of(*report, now, runtime::wall_now()), bytes);
    (void)thread_.order(runtime::ReadingOrder{{bytes.begin(), bytes.end()}, link::kBatterySummaryFormat});
  }
  if (now < cells_due_ || !report->snapshot.cells || report->snapshot_count == cells_count_) {
    return;
  }
  constexpr std::int64_t kDecisecondUs = 10'000'000;
  cells_due_ = std::max(cells_due_ + Duration{kDecisecondUs / config_.radio.cells_decihertz}, now);
  cells_count_ = report->snapshot_count;
  const battery::CellVoltages& cells = report->snapshot.cells->value;
  runtime::CellsOrder order;
  for (std::uint16_t i = 0; i < cells.count; ++i) {
    order.values.push_back(static_cast<std::uint16_t>(
        std::clamp<std::int32_t>(cells.voltage[i].count(), 0, telemetry::kUnknownVoltage - 1)));
  }
  (void)thread_.order(std::move(order));
}

void LinkPart::set_mqtt_connected(bool is_connected) {
  is_mqtt_connected_ = is_connected;
  tell_status();
}

void LinkPart::tell_status() {
  const auto flags = static_cast<std::uint8_t>((is_mqtt_connected_ ? runtime::kStatusMqttConnected : 0) |
                                               (is_network_up() ? runtime::kStatusEthernetUp : 0));
  if (flags != status_) {
    status_ = flags;
    (void)thread_.order(runtime::StatusOrder{flags});
  }
}

// What only this box may say. Without a change there is no new version.
void LinkPart::tell_facts() {
  tell_status();
  const std::string shared_name = peer_name(told_self_);
  const std::string& name = shared_name.empty() ? config_.box.name : shared_name;
  (void)thread_.order(runtime::ChangeOrder{0, NodeId{}, sections::kMetadata,
                                           metadata_facts(name, config_.box.role, told_self_)});
  (void)thread_.order(runtime::ChangeOrder{0, NodeId{}, sections::kNetwork, network_facts()});
}

void LinkPart::tell_seeds() {
  for (const sections::SectionTable* table : shared_tables()) {
    if (const auto payload = payload_from(*table, config_)) {
      (void)thread_.order(runtime::SeedOrder{table->id, *payload});
    }
  }
}

const PeerBattery* LinkPart::shown_battery() const {
  if (report_ == nullptr) {
    return batteries_.empty() ? nullptr : &batteries_.begin()->second;
  }
  for (const runtime::LinkPeer& peer : report_->peers) {
    const auto found = batteries_.find(peer.node);
    if (found != batteries_.end()) {
      return &found->second;
    }
  }
  return nullptr;
}

}  // namespace amphora::run
