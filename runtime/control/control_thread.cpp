// SPDX-License-Identifier: Apache-2.0
#include "runtime/control/control_thread.hpp"

#include <pthread.h>

#include <array>
#include <utility>

#include "core/can/bms_protocol.hpp"

namespace amphora::runtime {
namespace {

bool sends_limits(victron::Phase phase) {
  using enum victron::Phase;
  return phase != kWaiting && phase != kBmsSilent && phase != kInverterAbsent && phase != kBusDown;
}

}  // namespace

// Lives on the control thread. All callbacks only hand input to the node and ask for a pump.
class ControlThread::Host {
 public:
  explicit Host(ControlThread& owner)
      : owner_{owner},
        node_{owner.options_.node},
        pump_{owner.loop_, [this](TimePoint now) { return step(now); }},
        order_watch_{owner.loop_, owner.orders_.wake_fd()} {
    const TimePoint now = owner_.loop_.now();
    if (owner_.options_.energy) {
      node_.restore_energy(now, *owner_.options_.energy);
    }
    phase_since_ = now;
    open_ports();
    order_watch_.on_readable([this] { take_orders(); });
    pump_.request();
  }

  std::optional<battery::EnergyCounters> unsaved_energy() const { return node_.unsaved_energy(); }

 private:
  void open_ports();
  TimePoint step(TimePoint now);
  void transmit(TimePoint now);
  void note_limit_frame(TimePoint now, std::uint32_t id);
  void deliver_events(TimePoint now);
  void report_if_due(TimePoint now);
  ReportPtr make_report(TimePoint now) const;
  void take_orders();
  void handle(TimePoint now, const WriteSettingsOrder& order);
  void handle(TimePoint now, const ControlOrder& order);
  void handle(TimePoint now, const EnergyStoredOrder& order);
  void handle(TimePoint now, const ReconfigureOrder& order);
  void handle(TimePoint now, const UserLimitsOrder& order);

  ControlThread& owner_;
  node::BmsGateway node_;
  Pump pump_;
  FdWatch order_watch_;
  std::unique_ptr<SerialPort> serial_;
  std::shared_ptr<CanPort> inverter_can_;
  std::shared_ptr<CanPort> battery_can_;
  std::uint64_t reported_count_ = 0;
  TimePoint report_due_{};
  victron::Phase phase_ = victron::Phase::kWaiting;
  TimePoint phase_since_{};
  std::optional<TimePoint> last_limit_at_;
  Duration limit_gap_max_{};
};

void ControlThread::Host::open_ports() {
  const ControlOptions& options = owner_.options_;
  if (!options.serial_path.empty()) {
    serial_ = std::make_unique<SerialPort>(
        owner_.loop_, SerialOptions{.path = options.serial_path},
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
  }
  if (!options.battery_can.empty()) {
    battery_can_ = *open_can(owner_.loop_, options.battery_can, {},
                             CanHandlers{.on_frame =
                                             [this](const can::Frame& frame) {
                                               node_.handle_battery_frame(owner_.loop_.now(), frame);
                                               pump_.request();
                                             },
                                         .on_state =
                                             [this](can::BusState state) {
                                               node_.handle_battery_bus(owner_.loop_.now(), state);
                                               pump_.request();
                                             }});
  }
  if (options.inverter_can.empty()) {
    node_.handle_inverter_bus(owner_.loop_.now(), can::BusState::kDown);
    return;
  }
  inverter_can_ = *open_can(owner_.loop_, options.inverter_can, {},
                            CanHandlers{.on_frame =
                                            [this](const can::Frame& frame) {
                                              node_.handle_inverter_frame(owner_.loop_.now(), frame);
                                              pump_.request();
                                            },
                                        .on_state =
                                            [this](can::BusState state) {
                                              node_.handle_inverter_bus(owner_.loop_.now(), state);
                                              pump_.request();
                                            }});
  // Until the adapter has said otherwise, there is no bus: no frame may be counted as sent before.
  node_.handle_inverter_bus(owner_.loop_.now(), inverter_can_->state());
}

TimePoint ControlThread::Host::step(TimePoint now) {
  node_.handle_timeout(now);
  transmit(now);
  deliver_events(now);
  report_if_due(now);
  return earliest(node_.poll_timeout(), report_due_);
}

void ControlThread::Host::transmit(TimePoint now) {
  std::array<std::uint8_t, tinybms::kTransmitSizeMax> buffer{};
  while (serial_) {
    const std::size_t size = node_.poll_serial(now, buffer);
    if (size == 0) {
      break;
    }
    (void)serial_->write(ByteSpan{buffer}.first(size));
  }
  while (inverter_can_) {
    const auto frame = node_.poll_inverter_frame(now);
    if (!frame) {
      break;
    }
    if (inverter_can_->send(*frame)) {
      note_limit_frame(now, frame->id);
    }
  }
  while (battery_can_) {
    const auto frame = node_.poll_battery_frame(now);
    if (!frame) {
      break;
    }
    (void)battery_can_->send(*frame);
  }
}

void ControlThread::Host::note_limit_frame(TimePoint now, std::uint32_t id) {
  if (id != can::kLimitsId) {
    return;
  }
  if (last_limit_at_) {
    limit_gap_max_ = std::max(limit_gap_max_, now - *last_limit_at_);
  }
  last_limit_at_ = now;
}

void ControlThread::Host::deliver_events(TimePoint now) {
  while (auto event = node_.poll_event()) {
    (void)owner_.messages_.push(ControlMessage{*event});
  }
  if (const auto counters = node_.poll_store(now)) {
    (void)owner_.messages_.push(ControlMessage{StoreEnergy{*counters}});
  }
  if (node_.output().phase() != phase_) {
    phase_ = node_.output().phase();
    phase_since_ = now;
    report_due_ = now;
  }
  if (!sends_limits(phase_)) {
    last_limit_at_.reset();
  }
}

void ControlThread::Host::report_if_due(TimePoint now) {
  if (now < report_due_ && node_.snapshot_count() == reported_count_) {
    return;
  }
  reported_count_ = node_.snapshot_count();
  report_due_ = now + owner_.options_.report_interval;
  (void)owner_.reports_.push(make_report(now));
}

ReportPtr ControlThread::Host::make_report(TimePoint now) const {
  auto report = std::make_shared<ControlReport>();
  report->at = now;
  report->snapshot = node_.snapshot();
  report->snapshot_count = node_.snapshot_count();
  const victron::Output& output = node_.output();
  report->limits = output.decision();
  report->alarms = output.alarms();
  report->warnings = output.warnings();
  report->phase = phase_;
  report->phase_since = phase_since_;
  report->keepalive_age = output.keepalive_age(now);
  report->output = output.statistics();
  report->bms = node_.bms_statistics();
  report->bms_link = node_.bms_liveness().state();
  report->bms_link_history = node_.bms_liveness().history();
  if (const tinybms::Driver* driver = node_.tinybms()) {
    report->settings = driver->settings();
    report->bms_events = driver->event_list();
  }
  if (serial_) {
    report->serial = serial_->counters();
    report->serial_error = text_of(serial_->last_error());
  }
  if (inverter_can_) {
    report->inverter_bus = inverter_can_->state();
    report->inverter_can = inverter_can_->counters();
    report->inverter_can_error = text_of(inverter_can_->last_error());
  }
  if (battery_can_) {
    report->battery_bus = battery_can_->state();
    report->battery_can = battery_can_->counters();
    report->battery_can_error = text_of(battery_can_->last_error());
  }
  report->events_dropped = node_.dropped_event_count() + owner_.messages_.dropped_count();
  report->loop_delay_last = pump_.delay_last();
  report->loop_delay_max = pump_.delay_max();
  report->limit_gap_max = limit_gap_max_;
  return report;
}

void ControlThread::Host::take_orders() {
  owner_.orders_.clear_wake();
  const TimePoint now = owner_.loop_.now();
  while (const auto order = owner_.orders_.pop()) {
    std::visit([this, now](const auto& one) { handle(now, one); }, *order);
  }
  pump_.request();
}

void ControlThread::Host::handle(TimePoint now, const WriteSettingsOrder& order) {
  const auto result = node_.write_settings(now, order.writes);
  WriteAnswer answer{.token = order.token, .result = tinybms::WriteRefusal{}};
  if (result.ok()) {
    answer.result = *result;
  } else {
    answer.result = result.error();
  }
  (void)owner_.messages_.push(ControlMessage{answer});
}

void ControlThread::Host::handle(TimePoint now, const ControlOrder& order) {
  const auto refusal = node_.control(now, order.option);
  (void)owner_.messages_.push(ControlMessage{ControlAnswer{order.token, order.option, refusal}});
}

void ControlThread::Host::handle(TimePoint now, const EnergyStoredOrder& order) {
  node_.handle_energy_stored(now, order.stored);
}

void ControlThread::Host::handle(TimePoint now, const ReconfigureOrder& order) {
  node_.reconfigure(now, order.profile, order.output);
}

void ControlThread::Host::handle(TimePoint now, const UserLimitsOrder& order) {
  node_.set_user_limits(now, order.limits);
}

ControlThread::ControlThread(ControlOptions options) : options_{std::move(options)} {}

ControlThread::~ControlThread() {
  stop();
}

void ControlThread::start() {
  thread_ = std::thread{[this] { run(); }};
}

void ControlThread::run() {
  (void)pthread_setname_np(pthread_self(), "control");
  Host host{*this};
  loop_.run();
  final_energy_ = host.unsaved_energy();
}

void ControlThread::stop() {
  if (thread_.joinable()) {
    loop_.stop();
    thread_.join();
  }
}

bool ControlThread::order(Order order) {
  return orders_.push(std::move(order));
}

}  // namespace amphora::runtime
