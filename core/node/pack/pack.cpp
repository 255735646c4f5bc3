// SPDX-License-Identifier: Apache-2.0
// The wiring of a pack. What commands of the gateway do is in pack_commands.cpp.
#include "core/node/pack/pack.hpp"

#include "core/base/assert.hpp"
#include "core/node/pack/mode_settings.hpp"
#include "core/node/pack/pack_telemetry.hpp"
#include "core/node/pack/report_codes.hpp"
#include "core/sections/tables.hpp"

namespace amphora::node {

namespace {

constexpr std::int32_t kSecondsPerQuarter = 900;
constexpr std::uint64_t kNodeIdMask = (std::uint64_t{1} << 48U) - 1;

// std::visit ends in abort() for a variant without a value, which the core may not need; a reader always has
// one.
template <typename Reader, typename Action>
decltype(auto) with_reader(Reader& reader, Action action) {
  if (auto* poller = std::get_if<modbus::Poller>(&reader)) {
    return action(*poller);
  }
  auto* driver = std::get_if<tinybms::Driver>(&reader);
  AMPHORA_ASSERT(driver != nullptr);
  return action(*driver);
}

// The origin of changes made here. Hardware numbers of 64 bits lose their upper 16: an origin only decides
// between equal stamps.
NodeId origin_of(packnet::HardwareNumber hardware) {
  return NodeId{(hardware & kNodeIdMask) != 0 ? hardware & kNodeIdMask : 1};
}

bool is_up(can::BusState state) {
  return state == can::BusState::kActive || state == can::BusState::kErrorPassive;
}

}  // namespace

std::string_view to_text(PackEvent::Kind kind) {
  constexpr std::string_view kNames[] = {"settings_refused", "settings_in_force", "time_source",
                                         "identify",         "restart_ordered",   "command"};
  return kNames[static_cast<std::size_t>(kind)];
}

Pack::Reader Pack::make_reader(const PackConfig& config) {
  if (config.bms == PackBmsKind::kModbus) {
    return Reader{std::in_place_type<modbus::Poller>, config.modbus};
  }
  return Reader{std::in_place_type<tinybms::Driver>, config.tinybms};
}

Pack::Pack(const PackConfig& config, const energy::Facts& stored)
    : config_{config},
      reader_{make_reader(config)},
      control_{config.control, default_mode_settings(), stored},
      network_{config.network},
      replica_{clock_, sections::pack_specs(), origin_of(config.network.hardware),
               origin_of(config.network.hardware)},
      share_{replica_, config.share} {}

// ---- at start

void Pack::restore_section(TimePoint now, state::SectionId section, const state::Record& record) {
  if (replica_.restore(section, record).ok()) {
    take_settings(now);
  }
}

void Pack::report_corrupt_section(TimePoint now, state::SectionId section) {
  replica_.report_corrupt(now, section);
  settle(now);
}

// ---- inputs

void Pack::handle_serial_line(TimePoint now, bool is_open) {
  with_reader(reader_, [&](auto& reader) { reader.handle_line(now, is_open); });
  settle(now);
}

void Pack::handle_serial_bytes(TimePoint now, ByteSpan bytes) {
  with_reader(reader_, [&](auto& reader) { reader.handle_bytes(now, bytes); });
  settle(now);
}

std::size_t Pack::poll_serial(TimePoint now, MutableByteSpan out) {
  return with_reader(reader_, [&](auto& reader) { return reader.poll_transmit(now, out); });
}

void Pack::handle_bus_state(TimePoint now, can::BusState state) {
  bus_off_count_ += state == can::BusState::kBusOff && bus_state_ != state ? 1U : 0U;
  bus_state_ = state;
  network_.handle_bus_state(now, state);
  settle(now);
}

void Pack::handle_bus_frame(TimePoint now, const can::Frame& frame) {
  network_.handle_frame(now, frame);
  settle(now);
}

void Pack::handle_bus_not_sent(TimePoint now) {
  network_.handle_not_sent(now);
  settle(now);
}

std::optional<packnet::OutFrame> Pack::poll_bus_frame(TimePoint now) {
  if (auto out = network_.poll_transmit(now)) {
    return out;
  }
  if (!is_up(bus_state_) || network_.node() == packnet::kNodeNone) {
    return std::nullopt;
  }
  const auto section = share_.poll_transmit(now);
  return section ? std::optional{packnet::OutFrame{packnet::encode(*section), false}} : std::nullopt;
}

void Pack::set_bus_errors(std::uint8_t transmit_errors, std::uint8_t receive_errors) {
  transmit_errors_ = transmit_errors;
  receive_errors_ = receive_errors;
}

void Pack::handle_ac(TimePoint now, energy::Relay place, const energy::AcInput& input) {
  switch (place) {
    case energy::Relay::kGrid:
      inputs_.grid = input;
      break;
    case energy::Relay::kInverterOutput:
      inputs_.inverter_output = input;
      break;
    default:
      inputs_.load[energy::load_index(place)] = input;
      break;
  }
  are_inputs_new_ = true;
  settle(now);
}

void Pack::handle_ac_voltage(TimePoint now, Millivolts voltage) {
  inputs_.ac_voltage = Sampled<Millivolts>{voltage, now};
  are_inputs_new_ = true;
  settle(now);
}

void Pack::handle_contact(TimePoint now, energy::Relay relay, std::optional<energy::Position> position) {
  std::optional<energy::Position>& measured = inputs_.measured[energy::index_of(relay)];
  if (measured != position) {
    measured = position;
    are_inputs_new_ = true;
    settle(now);
  }
}

void Pack::handle_contacts(TimePoint now,
                           const energy::PerRelay<std::optional<energy::Position>>& positions) {
  if (inputs_.measured != positions) {
    inputs_.measured = positions;
    are_inputs_new_ = true;
    settle(now);
  }
}

void Pack::handle_host_time(TimePoint now, const energy::TimeReading& reading, bool is_synchronised) {
  host_offset_s_ = reading.utc_offset_s;
  const auto& bus = network_.time();
  const bool is_bus_recent = bus && bus->age(now) <= kBusTimeAgeMax;
  if (is_synchronised && !is_bus_recent) {
    tell_time(now, reading, TimeSource::kHost);
  }
  settle(now);
}

void Pack::handle_timeout(TimePoint now) {
  if (!started_at_) {
    started_at_ = now;
    // Settings must be changeable on a pack that nobody has told the time.
    clock_.start_without_wall_time(now);
  }
  with_reader(reader_, [&](auto& reader) { reader.handle_timeout(now); });
  control_.handle_timeout(now);
  network_.handle_timeout(now);
  replica_.handle_timeout(now);
  share_.handle_timeout(now);
  settle(now);
  if (now >= telemetry_due_) {
    update_telemetry(now);
  }
}

TimePoint Pack::poll_timeout() const {
  TimePoint next = with_reader(reader_, [](const auto& reader) { return reader.poll_timeout(); });
  next = earliest(next, earliest(control_.poll_timeout(), network_.poll_timeout()));
  next = earliest(next, earliest(replica_.poll_timeout(), share_.poll_timeout()));
  if (store_again_.node || store_again_.floor) {
    next = earliest(next, store_again_.at);
  }
  return earliest(next, telemetry_due_);
}

// ---- outputs

std::optional<energy::Command> Pack::poll_command(TimePoint now) {
  return control_.poll_transmit(now);
}

std::optional<PackStoreRequest> Pack::poll_store(TimePoint now) {
  if (const auto node = network_.poll_store()) {
    store_again_.node = *node;
    store_again_.at = now;
  }
  if (const auto floor = network_.gate().poll_store()) {
    store_again_.floor = *floor;
    store_again_.at = now;
  }
  std::optional<PackStoreRequest> request;
  if (store_again_.at <= now && store_again_.node) {
    request = StoreNode{*store_again_.node};
    store_again_.node.reset();
  } else if (store_again_.at <= now && store_again_.floor) {
    request = StoreFloor{*store_again_.floor};
    store_again_.floor.reset();
  } else if (const auto facts = control_.poll_store(now)) {
    request = *facts;
  } else if (const auto section = replica_.poll_store(now)) {
    request = *section;
  }
  store_count_ += request ? 1U : 0U;
  return request;
}

void Pack::handle_stored(TimePoint now, const PackStoreRequest& request) {
  if (const auto* floor = std::get_if<StoreFloor>(&request)) {
    network_.gate().handle_stored(now, floor->floor);
  } else if (const auto* facts = std::get_if<energy::StoreRequest>(&request)) {
    control_.handle_stored(now, facts->ticket);
  } else if (const auto* section = std::get_if<state::StoreRequest>(&request)) {
    replica_.handle_stored(now, section->section, section->ticket);
  }
  settle(now);
}

void Pack::handle_store_failed(TimePoint now, const PackStoreRequest& request) {
  if (const auto* node = std::get_if<StoreNode>(&request)) {
    store_again_.node = store_again_.node.value_or(node->node);
    store_again_.at = now + kStoreAgainAfter;
  } else if (const auto* floor = std::get_if<StoreFloor>(&request)) {
    store_again_.floor = store_again_.floor.value_or(floor->floor);
    store_again_.at = now + kStoreAgainAfter;
  } else if (const auto* facts = std::get_if<energy::StoreRequest>(&request)) {
    control_.handle_store_failed(now, facts->ticket);
  } else if (const auto* section = std::get_if<state::StoreRequest>(&request)) {
    replica_.handle_store_failed(now, section->section, section->ticket);
  }
  settle(now);
}

// ---- what people ask for

std::optional<SectionChangeRefusal> Pack::change_section(TimePoint now, const sections::SectionTable& table,
                                                         const sections::Values& values) {
  const auto payload = sections::encode(table, values);
  if (!payload.ok()) {
    return SectionChangeRefusal{payload.error(), std::nullopt};
  }
  if (const auto fault = check_section(replica_, table.id, *payload)) {
    return SectionChangeRefusal{std::nullopt, fault};
  }
  (void)replica_.change(now, table.id, payload->bytes());
  settle(now);
  return std::nullopt;
}

std::optional<energy::OrderError> Pack::order_relay(TimePoint now, energy::Relay relay,
                                                    energy::Position position, Duration lasts) {
  const auto refusal = control_.order(now, relay, position, lasts);
  settle(now);
  return refusal;
}

void Pack::release_relay(TimePoint now, energy::Relay relay) {
  control_.release(now, relay);
  settle(now);
}

void Pack::reset_grid_energy(TimePoint now) {
  control_.reset_import_energy(now);
  settle(now);
}

void Pack::identify(TimePoint now, Duration lasts) {
  identify_until_ = now + lasts;
  emit(now, PackEvent{.kind = PackEvent::Kind::kIdentify});
}

// ---- queries

const battery::Snapshot& Pack::snapshot() const {
  return with_reader(reader_,
                     [](const auto& reader) -> const battery::Snapshot& { return reader.snapshot(); });
}

const bms::Statistics& Pack::bms_statistics() const {
  return with_reader(reader_,
                     [](const auto& reader) -> const bms::Statistics& { return reader.statistics(); });
}

packnet::BmsState Pack::bms_state() const {
  const auto* poller = std::get_if<modbus::Poller>(&reader_);
  const auto* driver = std::get_if<tinybms::Driver>(&reader_);
  const bool is_heard = poller != nullptr ? !poller->is_stale() : driver->is_connected();
  if (snapshot_count_ == 0) {
    return packnet::BmsState::kNever;
  }
  if (!is_heard) {
    return packnet::BmsState::kStale;
  }
  const bool has_fault = inputs_.bms_fault && inputs_.bms_fault->value;
  return has_fault ? packnet::BmsState::kFault : packnet::BmsState::kConnected;
}

Aggregate Pack::aggregate(TimePoint now) const {
  return aggregate_of(now, &telemetry_, network_.nodes().entries());
}

bool Pack::has_place() const {
  return !config_.has_bus || (network_.node() != packnet::kNodeNone && network_.master().has_value());
}

indicator::State Pack::indicator_state(TimePoint now) const {
  const energy::Balance& balance = control_.balance();
  indicator::State state;
  state.soc = balance.soc ? std::optional{balance.soc->value} : std::nullopt;
  state.is_charging = balance.battery && *balance.battery > Watts{0};
  state.has_place = has_place();
  state.has_warning = control_.warnings().has_any() || control_.is_minimum_soc_reached();
  state.has_fault = control_.safety_causes().has_any() || network_.claim().is_duplicate();
  state.is_identifying = now < identify_until_;
  return state;
}

std::uint64_t Pack::dropped_event_count() const {
  return events_.dropped_count() + control_.dropped_event_count() + replica_.dropped_event_count();
}

// ---- from one part to the other

void Pack::settle(TimePoint now) {
  bool has_news = true;
  while (has_news) {
    has_news = drain_reader(now);
    if (are_inputs_new_) {
      are_inputs_new_ = false;
      control_.handle_inputs(now, inputs_);
    }
    has_news = drain_network(now) || has_news;
    has_news = take_commands(now) || has_news;
    has_news = drain_sections(now) || has_news;
    has_news = drain_control(now) || has_news;
  }
}

bool Pack::drain_reader(TimePoint now) {
  bool has_news = false;
  if (auto* poller = std::get_if<modbus::Poller>(&reader_)) {
    while (const auto event = poller->poll_event()) {
      has_news = true;
      if (event->kind != modbus::PollerEvent::Kind::kUpdated) {
        (void)events_.push_overwrite(PackNodeEvent{now, *event});
      } else {
        take_snapshot();
      }
    }
    return has_news;
  }
  auto* driver = std::get_if<tinybms::Driver>(&reader_);
  AMPHORA_ASSERT(driver != nullptr);
  while (const auto event = driver->poll_event()) {
    has_news = true;
    if (!std::holds_alternative<tinybms::SnapshotUpdated>(*event)) {
      (void)events_.push_overwrite(PackNodeEvent{now, *event});
    } else {
      take_snapshot();
    }
  }
  return has_news;
}

void Pack::take_snapshot() {
  const battery::Snapshot& from = snapshot();
  ++snapshot_count_;
  inputs_.pack_voltage = from.voltage;
  inputs_.pack_current = from.current;
  inputs_.soc = from.soc;
  inputs_.cell_min = from.cell_min;
  inputs_.cell_max = from.cell_max;
  inputs_.temperature_max = from.temperature_max;
  if (from.alarms) {
    inputs_.bms_fault = Sampled<bool>{from.alarms->value.has_any(), from.alarms->at};
  }
  are_inputs_new_ = true;
}

bool Pack::drain_control(TimePoint now) {
  bool has_news = false;
  while (const auto event = control_.poll_event()) {
    has_news = true;
    (void)events_.push_overwrite(PackNodeEvent{event->at, *event});
    report_on_bus(now, *event);
  }
  if (has_news) {
    const bool has_alarm = control_.safety_causes().has_any();
    const bool has_warning = control_.warnings().has_any() || control_.is_minimum_soc_reached();
    network_.set_presence_flags(now,
                                static_cast<std::uint8_t>((has_alarm ? packnet::kPresenceAlarm : 0U) |
                                                          (has_warning ? packnet::kPresenceWarning : 0U)));
    telemetry_due_ = now;
  }
  return has_news;
}

void Pack::report_on_bus(TimePoint now, const energy::Event& event) {
  using Kind = energy::Event::Kind;
  using packnet::Level;
  const auto report = [&](Level level, bool is_end, std::uint16_t code, std::int32_t value) {
    (void)network_.report(now, level, is_end, code, value);
  };
  const auto relay = static_cast<std::int32_t>(energy::index_of(event.relay));
  switch (event.kind) {
    case Kind::kSafetyEntered:
    case Kind::kSafetyLeft:
      report(Level::kError, event.kind == Kind::kSafetyLeft, report_code(event.cause), 0);
      break;
    case Kind::kMinimumSocReached:
    case Kind::kMinimumSocLeft:
      report(Level::kWarning, event.kind == Kind::kMinimumSocLeft, kReportMinimumSoc, 0);
      break;
    case Kind::kImportExhausted:
    case Kind::kImportReleased:
      report(Level::kNotice, event.kind == Kind::kImportReleased, kReportImportExhausted, 0);
      break;
    case Kind::kWarningRaised:
    case Kind::kWarningCleared:
      report(Level::kWarning, event.kind == Kind::kWarningCleared, report_code(event.warning), 0);
      break;
    case Kind::kMismatch:
    case Kind::kMatch:
      report(Level::kWarning, event.kind == Kind::kMatch, kReportRelayMismatch, relay);
      break;
    default:
      break;
  }
}

bool Pack::drain_network(TimePoint now) {
  bool has_news = false;
  while (const auto event = network_.poll_event()) {
    has_news = true;
    take_network_event(now, *event);
  }
  while (const auto event = network_.gate().poll_event()) {
    has_news = true;
    (void)events_.push_overwrite(PackNodeEvent{event->at, *event});
  }
  while (const auto opaque = network_.poll_opaque()) {
    has_news = true;
    if (opaque->channel == packnet::Channel::kState) {
      share_.handle_frame(now, opaque->node, ByteSpan{opaque->data}.first(opaque->size));
    }
  }
  return has_news;
}

void Pack::take_network_event(TimePoint now, const packnet::NetworkEvent& event) {
  using Kind = packnet::NetworkEvent::Kind;
  if (event.kind == Kind::kTelemetry) {
    return;
  }
  if (event.kind == Kind::kTime) {
    take_bus_time(now);
    return;
  }
  if (event.kind == Kind::kNodeClaimed) {
    share_.start(now, event.node);
  } else if (event.kind == Kind::kNodeLost) {
    share_.stop(now);
  }
  (void)events_.push_overwrite(PackNodeEvent{event.at, event});
  telemetry_due_ = now;
}

void Pack::take_bus_time(TimePoint now) {
  const packnet::Time& time = network_.time()->value;
  const auto wall = packnet::wall_time_of(time);
  if (!wall) {
    return;
  }
  const auto offset =
      time.offset_quarters ? std::optional{*time.offset_quarters * kSecondsPerQuarter} : host_offset_s_;
  if (!offset) {
    // Enough to stamp changes; windows need the clock on the wall.
    (void)clock_.set_wall_time(now, *wall);
    return;
  }
  tell_time(now, energy::TimeReading{wall->unix_ms / 1000, *offset, std::nullopt}, TimeSource::kBus);
}

void Pack::tell_time(TimePoint now, const energy::TimeReading& reading, TimeSource source) {
  control_.handle_time(now, reading);
  if (reading.unix_s < energy::kUnixMinS || reading.unix_s > energy::kUnixMaxS) {
    return;  // refused by the control, which says so
  }
  (void)clock_.set_wall_time(now, WallTime{reading.unix_s * 1000});
  if (source != time_source_) {
    time_source_ = source;
    emit(now, PackEvent{.kind = PackEvent::Kind::kTimeSource, .source = source});
  }
}

bool Pack::drain_sections(TimePoint now) {
  using Kind = state::ReplicaEvent::Kind;
  bool has_news = false;
  while (const auto event = replica_.poll_event()) {
    has_news = true;
    (void)events_.push_overwrite(PackNodeEvent{event->at, *event});
    if (event->kind == Kind::kStored) {
      finish_durable(now, event->section, packnet::CommandResult::kDone);
    } else if (event->kind == Kind::kStoreFailed) {
      finish_durable(now, event->section, packnet::CommandResult::kFailed);
    } else {
      take_settings(now);
    }
  }
  while (const auto event = share_.poll_event()) {
    has_news = true;
    (void)events_.push_overwrite(PackNodeEvent{now, *event});
  }
  return has_news;
}

void Pack::take_settings(TimePoint now) {
  const auto settings = settings_of(replica_);
  if (!settings.ok()) {
    if (settings_fault_ != settings.error()) {
      settings_fault_ = settings.error();
      emit(now, PackEvent{.kind = PackEvent::Kind::kSettingsRefused});
    }
    return;
  }
  settings_fault_.reset();
  if (*settings == control_.settings()) {
    return;
  }
  settings_fault_ = control_.set_settings(now, *settings);
  emit(now, PackEvent{.kind = settings_fault_ ? PackEvent::Kind::kSettingsRefused
                                              : PackEvent::Kind::kSettingsInForce});
}

void Pack::update_telemetry(TimePoint now) {
  telemetry_due_ = now + kTelemetryRefresh;
  PackFacts facts;
  facts.bms = bms_state();
  facts.capacity = config_.capacity;
  facts.uptime = started_at_ ? now - *started_at_ : Duration{};
  facts.transmit_errors = transmit_errors_;
  facts.receive_errors = receive_errors_;
  facts.bus = bus_state_;
  facts.bus_off_count = bus_off_count_;
  facts.store_count = store_count_;
  facts.firmware = config_.firmware;
  fill_telemetry(telemetry_, now, snapshot(), control_, facts);
  const Aggregate all = aggregate(now);
  fill_aggregate(telemetry_, network_.is_master() ? &all : nullptr);
  network_.set_telemetry(telemetry_);
}

void Pack::emit(TimePoint now, const PackEvent& event) {
  (void)events_.push_overwrite(PackNodeEvent{now, event});
}

}  // namespace amphora::node
