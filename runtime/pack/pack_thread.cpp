// SPDX-License-Identifier: Apache-2.0
#include "runtime/pack/pack_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "core/indicator/indicator.hpp"
#include "core/packnet/bus_load.hpp"
#include "core/sections/tables.hpp"
#include "runtime/link/node_host.hpp"
#include "runtime/pack/host_clock.hpp"

namespace amphora::runtime {
namespace {

// Smooth enough for a pixel that walks in steps of 100 ms.
constexpr Duration kPicturePeriod = std::chrono::milliseconds{50};
constexpr Duration kHostTimePeriod = std::chrono::seconds{10};
constexpr Duration kLoadPeriod = std::chrono::seconds{2};

// What of a bus concerns packs. It may carry other protocols as well.
std::vector<CanFilter> bus_filters() {
  constexpr std::uint32_t kBlock = 0x700;  // 256 ids
  constexpr std::uint32_t kOne = 0x7FF;
  return {{packnet::kMasterBeaconBase, kBlock, false},
          {packnet::kTelemetryBase, kBlock, false},
          {packnet::kCommandBase, kBlock, false},
          {packnet::kOldPresenceId, kOne, false},
          {packnet::kTimeId, kOne, false},
          {packnet::kClaimBase, packnet::kClaimBase, true}};
}

const energy::AcInput& input_of(const energy::Inputs& inputs, energy::Relay place) {
  switch (place) {
    case energy::Relay::kGrid:
      return inputs.grid;
    case energy::Relay::kInverterOutput:
      return inputs.inverter_output;
    default:
      return inputs.load[energy::load_index(place)];
  }
}

// Who comes before a person's order.
energy::Holder holder_before_people(const energy::Controller& control, energy::Relay relay) {
  for (const energy::Holder holder : energy::precedence_of(relay)) {
    const auto& asks = control.asks()[static_cast<std::size_t>(holder)];
    if (holder == energy::Holder::kManual || asks[energy::index_of(relay)].kind != energy::Ask::Kind::kNone) {
      return holder;
    }
  }
  return energy::Holder::kDefault;
}

}  // namespace

// Lives on the pack thread. All callbacks only hand input to the node and ask for a pump.
class PackThread::Host {
 public:
  explicit Host(PackThread& owner)
      : owner_{owner},
        node_{node_config(owner.options_), owner.options_.stored.facts},
        bank_{owner.options_.relays},
        pump_{owner.loop_, [this](TimePoint now) { return step(now); }},
        order_watch_{owner.loop_, owner.orders_.wake_fd()},
        sensor_watch_{owner.loop_, owner.sensors_.readings().wake_fd()},
        started_at_{owner.loop_.now()} {
    restore_sections();
    open_ports();
    order_watch_.on_readable([this] { take_orders(); });
    sensor_watch_.on_readable([this] { take_sensor_readings(); });
    pump_.request();
  }

  energy::Facts facts() const { return node_.control().facts(); }

 private:
  static node::PackConfig node_config(const PackOptions& options) {
    node::PackConfig config = options.node;
    config.has_bus = !options.bus.empty();
    config.network.stored_node = options.stored.node;
    config.network.gate.floor = options.stored.floor;
    config.network.seed = random_bits();
    config.share.seed = random_bits();
    return config;
  }

  void restore_sections();
  void open_ports();
  TimePoint step(TimePoint now);
  void tell_time(TimePoint now);
  void transmit(TimePoint now);
  void count_bits(const can::Frame& frame);
  void work_relays(TimePoint now);
  void watch_bank();
  void store(TimePoint now);
  void deliver(TimePoint now);
  void show_picture(TimePoint now);
  void report_if_due(TimePoint now);
  void measure_load(TimePoint now);
  PackReportPtr make_report(TimePoint now) const;
  void add_bus_report(PackBusReport& bus) const;
  void take_orders();
  void take_sensor_readings();
  void take(TimePoint now, const SensorReading& reading);
  void handle(TimePoint now, const PackStoredOrder& order);
  void handle(TimePoint now, const PackChangeOrder& order);
  void handle(TimePoint now, const PackRelayOrder& order);
  void handle(TimePoint now, const PackResetOrder& order);
  void handle(TimePoint now, const PackIdentifyOrder& order);
  void handle(TimePoint now, const PackReadingOrder& order) { take(now, order.reading); }
  void send(PackMessage message) { (void)owner_.messages_.push(std::move(message)); }

  PackThread& owner_;
  node::Pack node_;
  RelayBank bank_;
  Pump pump_;
  FdWatch order_watch_;
  FdWatch sensor_watch_;
  std::optional<FdWatch> bank_watch_;
  int bank_socket_ = -1;
  std::unique_ptr<SerialPort> serial_;
  std::shared_ptr<CanPort> bus_;
  HostClock clock_;
  energy::Inputs inputs_;  // only what sensors and MQTT measure
  std::uint64_t store_writes_ = 0;
  std::uint64_t store_failures_ = 0;
  std::uint64_t bits_ = 0;
  TimePoint bits_since_{};
  Permille load_;
  std::uint64_t reported_count_ = 0;
  TimePoint report_due_{};
  TimePoint picture_due_{};
  TimePoint time_due_{};
  TimePoint started_at_;
};

void PackThread::Host::restore_sections() {
  const TimePoint now = owner_.loop_.now();
  for (const StoredSection& section : owner_.options_.stored.sections) {
    if (section.record) {
      node_.restore_section(now, section.section, *section.record);
    } else {
      node_.report_corrupt_section(now, section.section);
    }
  }
}

void PackThread::Host::open_ports() {
  const PackOptions& options = owner_.options_;
  serial_ = std::make_unique<SerialPort>(
      owner_.loop_, SerialOptions{.path = options.serial_path, .baud = options.baud},
      SerialHandlers{.on_bytes =
                         [this](ByteSpan bytes) {
                           node_.handle_serial_bytes(owner_.loop_.now(), bytes);
                           pump_.request();
                         },
                     .on_state =
                         [this](bool is_open) {
                           node_.handle_serial_line(owner_.loop_.now(), is_open);
                           pump_.request();
                         }});
  if (options.bus.empty()) {
    return;
  }
  bus_ = *open_can(owner_.loop_, options.bus, CanOptions{.filters = bus_filters()},
                   CanHandlers{.on_frame =
                                   [this](const can::Frame& frame) {
                                     count_bits(frame);
                                     node_.handle_bus_frame(owner_.loop_.now(), frame);
                                     pump_.request();
                                   },
                               .on_state =
                                   [this](can::BusState state) {
                                     node_.handle_bus_state(owner_.loop_.now(), state);
                                     pump_.request();
                                   }});
  node_.handle_bus_state(owner_.loop_.now(), bus_->state());
}

TimePoint PackThread::Host::step(TimePoint now) {
  tell_time(now);
  node_.handle_timeout(now);
  work_relays(now);
  store(now);
  transmit(now);
  deliver(now);
  show_picture(now);
  report_if_due(now);
  const TimePoint own = earliest(earliest(report_due_, picture_due_), time_due_);
  return earliest(earliest(node_.poll_timeout(), bank_.poll_timeout()), own);
}

void PackThread::Host::tell_time(TimePoint now) {
  if (now < time_due_) {
    return;
  }
  time_due_ = now + kHostTimePeriod;
  const HostTime use = owner_.options_.host_time;
  const bool may_tell =
      use == HostTime::kTrusted || (use == HostTime::kSynchronised && is_clock_synchronised());
  node_.handle_host_time(now, clock_.read(wall_now().unix_ms / 1000), may_tell);
}

void PackThread::Host::transmit(TimePoint now) {
  if (bus_) {
    const CanCounters& counters = bus_->counters();
    node_.set_bus_errors(counters.transmit_error_level, counters.receive_error_level);
  }
  std::array<std::uint8_t, node::kPackSerialSizeMax> buffer{};
  while (const std::size_t size = node_.poll_serial(now, buffer)) {
    (void)serial_->write(ByteSpan{buffer}.first(size));
  }
  while (bus_) {
    const auto out = node_.poll_bus_frame(now);
    if (!out) {
      break;
    }
    if (bus_->send(out->frame)) {
      count_bits(out->frame);
    } else if (out->is_single_shot) {
      node_.handle_bus_not_sent(now);
    }
  }
}

void PackThread::Host::count_bits(const can::Frame& frame) {
  bits_ += packnet::worst_case_bits(frame.size, frame.is_extended);
}

void PackThread::Host::work_relays(TimePoint now) {
  while (const auto command = node_.poll_command(now)) {
    if (const auto* relay = std::get_if<energy::RelayCommand>(&*command)) {
      bank_.set(relay->relay, relay->position);
    }
  }
  bank_.poll(now);
  watch_bank();
  node_.handle_contacts(now, bank_.positions());
  while (auto notice = bank_.poll_notice()) {
    send(std::move(*notice));
  }
}

// The socket is another one after the guard was started again.
void PackThread::Host::watch_bank() {
  if (bank_.socket() == bank_socket_) {
    return;
  }
  bank_watch_.reset();
  bank_socket_ = bank_.socket();
  if (bank_socket_ >= 0) {
    bank_watch_.emplace(owner_.loop_, bank_socket_);
    bank_watch_->on_readable([this] {
      bank_.poll(owner_.loop_.now());
      watch_bank();
      pump_.request();
    });
  }
}

void PackThread::Host::store(TimePoint now) {
  while (const auto request = node_.poll_store(now)) {
    ++store_writes_;
    const PackStoredOrder answer{*request, true};
    if (owner_.store_ == nullptr) {
      (void)owner_.order(answer);
      continue;
    }
    PackRecord record = to_record(*request);
    owner_.store_->put_section(record.name, std::move(record.content),
                               [&owner = owner_, answer](const std::optional<SysError>& error) {
                                 PackStoredOrder outcome = answer;
                                 outcome.is_durable = !error;
                                 (void)owner.order(outcome);
                               });
  }
}

void PackThread::Host::deliver(TimePoint now) {
  while (const auto event = node_.poll_event()) {
    const auto* energy_event = std::get_if<energy::Event>(&event->what);
    if (energy_event != nullptr || std::holds_alternative<packnet::NetworkEvent>(event->what) ||
        std::holds_alternative<state::ReplicaEvent>(event->what)) {
      report_due_ = now;
    }
    send(*event);
  }
}

void PackThread::Host::show_picture(TimePoint now) {
  if (owner_.options_.indicator.is_empty()) {
    picture_due_ = kNever;
  } else if (now >= picture_due_) {
    picture_due_ = now + kPicturePeriod;
    owner_.indicator_.show(indicator::render(node_.indicator_state(now), now));
  }
}

void PackThread::Host::report_if_due(TimePoint now) {
  if (now < report_due_ && node_.snapshot_count() == reported_count_) {
    return;
  }
  measure_load(now);
  reported_count_ = node_.snapshot_count();
  report_due_ = now + owner_.options_.report_interval;
  (void)owner_.reports_.push(make_report(now));
}

void PackThread::Host::measure_load(TimePoint now) {
  const Duration passed = now - bits_since_;
  if (passed < kLoadPeriod) {
    return;
  }
  const std::int64_t capacity = std::int64_t{packnet::kBitRate} * passed.count() / 1'000'000;
  load_ = Permille{clamp_to<std::int32_t>(scale_rounded(static_cast<std::int64_t>(bits_), 1000, capacity))};
  bits_ = 0;
  bits_since_ = now;
}

PackReportPtr PackThread::Host::make_report(TimePoint now) const {
  auto report = std::make_shared<PackReport>(now, node_.control());
  report->snapshot = node_.snapshot();
  report->snapshot_count = node_.snapshot_count();
  report->bms = node_.bms_statistics();
  report->bms_state = node_.bms_state();
  report->serial = serial_->counters();
  report->serial_error = text_of(serial_->last_error());
  add_bus_report(report->bus);
  report->bus.is_synchronised = node_.share().is_synchronised(now);
  report->telemetry = node_.telemetry();
  report->aggregate = node_.aggregate(now);
  report->indicator = node_.indicator_state(now);
  report->time_source = node_.time_source();
  report->settings_fault = node_.settings_fault();
  for (const state::SectionSpec& spec : node_.sections().specs()) {
    LinkSection section = section_report(node_.sections(), spec.id, nullptr);
    if (node_.share().is_started()) {
      section.sync =
          report->bus.is_synchronised ? state::SyncState::kSynchronised : state::SyncState::kWaitingForPeer;
    }
    report->sections.push_back(std::move(section));
  }
  for (std::size_t i = 0; i < energy::kRelayCount; ++i) {
    report->relay_errors[i] = text_of(bank_.error(energy::relay_at(i)));
  }
  report->relays = bank_.counters();
  report->store_writes = store_writes_;
  report->store_failures = store_failures_;
  report->started_at = started_at_;
  report->events_dropped = node_.dropped_event_count() + owner_.messages_.dropped_count();
  report->loop_delay_last = pump_.delay_last();
  report->loop_delay_max = pump_.delay_max();
  return report;
}

void PackThread::Host::add_bus_report(PackBusReport& bus) const {
  const packnet::PackNetwork& network = node_.network();
  bus.interface = owner_.options_.bus;
  bus.hardware = owner_.options_.node.network.hardware;
  bus.is_sealed = owner_.options_.node.network.gate.is_sealed;
  if (!bus_) {
    return;
  }
  bus.state = bus_->state();
  bus.counters = bus_->counters();
  bus.error = text_of(bus_->last_error());
  bus.load = load_;
  bus.network = network.metrics();
  bus.gate = network.gate().metrics();
  bus.share = node_.share().metrics();
  bus.node = network.node();
  bus.claim = network.claim().state();
  bus.master = network.master();
  bus.is_master = network.is_master();
  bus.term = network.election().term();
  const auto entries = network.nodes().entries();
  bus.others.assign(entries.begin(), entries.end());
}

void PackThread::Host::take_orders() {
  owner_.orders_.clear_wake();
  const TimePoint now = owner_.loop_.now();
  while (const auto order = owner_.orders_.pop()) {
    std::visit([this, now](const auto& one) { handle(now, one); }, *order);
  }
  pump_.request();
}

void PackThread::Host::take_sensor_readings() {
  owner_.sensors_.readings().clear_wake();
  const TimePoint now = owner_.loop_.now();
  while (const auto reading = owner_.sensors_.readings().pop()) {
    take(now, *reading);
  }
  pump_.request();
}

void PackThread::Host::take(TimePoint now, const SensorReading& reading) {
  take_reading(inputs_, reading);
  if (reading.place != Place::kAcVoltage) {
    const energy::Relay place = energy::relay_at(index_of(reading.place));
    node_.handle_ac(now, place, input_of(inputs_, place));
  } else if (inputs_.ac_voltage) {
    node_.handle_ac_voltage(now, inputs_.ac_voltage->value);
  }
}

void PackThread::Host::handle(TimePoint now, const PackStoredOrder& order) {
  if (order.is_durable) {
    node_.handle_stored(now, order.request);
  } else {
    ++store_failures_;
    node_.handle_store_failed(now, order.request);
  }
}

void PackThread::Host::handle(TimePoint now, const PackChangeOrder& order) {
  const sections::SectionTable& table = *sections::find_table(order.section);
  const state::Replica& replica = node_.sections();
  const std::uint32_t before = replica.current(order.section).version;
  const auto held = sections::decode(table, replica.current(order.section).payload.bytes());
  // What cannot be read is replaced by the defaults that were shown for it.
  sections::Values values = held.ok() ? *held : sections::default_values(table);
  for (const auto& [index, value] : order.fields) {
    values.fields[index] = value;
  }
  PackChangeAnswer answer{.token = order.token, .section = order.section, .result = before};
  if (const auto refusal = node_.change_section(now, table, values)) {
    answer.result = *refusal;
  } else {
    const std::uint32_t after = replica.current(order.section).version;
    answer.result = after;
    answer.is_to_be_stored = after != before;
  }
  send(std::move(answer));
  report_due_ = now;
}

void PackThread::Host::handle(TimePoint now, const PackRelayOrder& order) {
  PackAnswer answer{.token = order.token, .refusal = std::nullopt};
  if (!order.position) {
    node_.release_relay(now, order.relay);
  } else if ((answer.refusal = node_.order_relay(now, order.relay, *order.position, order.lasts))) {
    answer.holder = holder_before_people(node_.control(), order.relay);
  }
  send(answer);
  report_due_ = now;
}

void PackThread::Host::handle(TimePoint now, const PackResetOrder& order) {
  node_.reset_grid_energy(now);
  send(PackAnswer{.token = order.token, .refusal = std::nullopt});
  report_due_ = now;
}

void PackThread::Host::handle(TimePoint now, const PackIdentifyOrder& order) {
  node_.identify(now, order.lasts);
  send(PackAnswer{.token = order.token, .refusal = std::nullopt});
  report_due_ = now;
}

PackThread::PackThread(PackOptions options, Store* store)
    : options_{std::move(options)},
      store_{store},
      sensors_{options_.sensors},
      indicator_{options_.indicator} {}

PackThread::~PackThread() {
  stop();
}

void PackThread::start() {
  sensors_.start();
  indicator_.start();
  thread_ = std::thread{[this] { run(); }};
}

void PackThread::run() {
  (void)pthread_setname_np(pthread_self(), "pack");
  Host host{*this};
  loop_.run();
  final_facts_ = host.facts();
}

void PackThread::stop() {
  if (thread_.joinable()) {
    loop_.stop();
    thread_.join();
    sensors_.stop();
    indicator_.stop();
  }
}

bool PackThread::order(PackOrder order) {
  return orders_.push(std::move(order));
}

}  // namespace amphora::runtime
