// SPDX-License-Identifier: Apache-2.0
#include "core/node/bms_gateway/bms_gateway.hpp"

#include <memory>

#include "core/base/assert.hpp"

namespace amphora::node {

namespace {

// std::visit for the reader. The library's own ends in abort() for a variant without a value, which the core
// may not need; a reader always has one.
template <typename Reader, typename Action>
decltype(auto) with_driver(Reader& reader, Action action) {
  if (auto* tinybms = std::get_if<tinybms::Driver>(&reader)) {
    return action(*tinybms);
  }
  auto* canbms = std::get_if<canbms::Driver>(&reader);
  AMPHORA_ASSERT(canbms != nullptr);
  return action(*canbms);
}

}  // namespace

BmsGateway::Reader BmsGateway::make_reader(const BmsGatewayConfig& config) {
  if (config.bms == BmsKind::kTinybms) {
    return Reader{std::in_place_type<tinybms::Driver>, config.tinybms};
  }
  return Reader{std::in_place_type<canbms::Driver>, config.canbms};
}

BmsGateway::BmsGateway(const BmsGatewayConfig& config)
    : config_{config},
      reader_{make_reader(config)},
      output_{config.output, config.profile},
      energy_{config.energy} {}

void BmsGateway::handle_serial_line(TimePoint now, bool is_open) {
  if (auto* driver = std::get_if<tinybms::Driver>(&reader_)) {
    driver->handle_line(now, is_open);
    settle(now);
  }
}

void BmsGateway::handle_serial_bytes(TimePoint now, ByteSpan bytes) {
  if (auto* driver = std::get_if<tinybms::Driver>(&reader_)) {
    driver->handle_bytes(now, bytes);
    settle(now);
  }
}

std::size_t BmsGateway::poll_serial(TimePoint now, MutableByteSpan out) {
  auto* driver = std::get_if<tinybms::Driver>(&reader_);
  return driver != nullptr ? driver->poll_transmit(now, out) : 0;
}

void BmsGateway::handle_battery_frame(TimePoint now, const can::Frame& frame) {
  if (auto* driver = std::get_if<canbms::Driver>(&reader_)) {
    driver->handle_frame(now, frame);
    settle(now);
  }
}

void BmsGateway::handle_battery_bus(TimePoint now, can::BusState state) {
  if (auto* driver = std::get_if<canbms::Driver>(&reader_)) {
    driver->handle_bus_state(now, state);
    settle(now);
  }
}

std::optional<can::Frame> BmsGateway::poll_battery_frame(TimePoint now) {
  auto* driver = std::get_if<canbms::Driver>(&reader_);
  return driver != nullptr ? driver->poll_transmit(now) : std::nullopt;
}

void BmsGateway::handle_inverter_frame(TimePoint now, const can::Frame& frame) {
  output_.handle_frame(now, frame);
  settle(now);
}

void BmsGateway::handle_inverter_bus(TimePoint now, can::BusState state) {
  output_.handle_bus_state(now, state);
  settle(now);
}

std::optional<can::Frame> BmsGateway::poll_inverter_frame(TimePoint now) {
  return output_.poll_transmit(now);
}

void BmsGateway::handle_timeout(TimePoint now) {
  with_driver(reader_, [now](auto& driver) { driver.handle_timeout(now); });
  output_.handle_timeout(now);
  settle(now);
}

TimePoint BmsGateway::poll_timeout() const {
  const TimePoint reader = with_driver(reader_, [](const auto& driver) { return driver.poll_timeout(); });
  return earliest(reader, output_.poll_timeout());
}

void BmsGateway::restore_energy(TimePoint now, battery::EnergyCounters stored) {
  energy_.restore(stored);
  take_snapshot(now);
  drain_output(now);
}

void BmsGateway::handle_energy_stored(TimePoint now, battery::EnergyCounters stored) {
  energy_.handle_stored(stored);
  take_snapshot(now);
  drain_output(now);
}

Result<tinybms::WriteId, tinybms::WriteRefusal> BmsGateway::write_settings(
    TimePoint now, std::span<const tinybms::RegisterWrite> writes) {
  auto* driver = std::get_if<tinybms::Driver>(&reader_);
  if (driver == nullptr) {
    return tinybms::WriteRefusal{.reason = tinybms::WriteRefusalReason::kNotConnected};
  }
  return driver->write_settings(now, writes);
}

std::optional<tinybms::ControlRefusal> BmsGateway::control(TimePoint now, tinybms::ControlOption option) {
  auto* driver = std::get_if<tinybms::Driver>(&reader_);
  return driver != nullptr ? driver->control(now, option) : tinybms::ControlRefusal::kNotConnected;
}

void BmsGateway::set_user_limits(TimePoint now, const inverter::UserLimits& limits) {
  output_.set_user_limits(now, limits);
  settle(now);
}

void BmsGateway::reconfigure(TimePoint now, const battery::Profile& profile,
                             const victron::OutputConfig& output) {
  config_.profile = profile;
  config_.output = output;
  const can::BusState bus = output_.bus_state();
  const inverter::UserLimits user_limits = output_.user_limits();
  // In place: a second Output does not fit the stack of a microcontroller's task.
  std::destroy_at(&output_);
  std::construct_at(&output_, output, profile);
  output_.handle_bus_state(now, bus);
  output_.set_user_limits(now, user_limits);
  output_.handle_snapshot(now, snapshot_);
  drain_output(now);
}

const bms::Statistics& BmsGateway::bms_statistics() const {
  return with_driver(reader_,
                     [](const auto& driver) -> const bms::Statistics& { return driver.statistics(); });
}

const liveness::Liveness& BmsGateway::bms_liveness() const {
  return with_driver(reader_,
                     [](const auto& driver) -> const liveness::Liveness& { return driver.liveness(); });
}

std::uint64_t BmsGateway::dropped_event_count() const {
  const std::uint64_t reader =
      with_driver(reader_, [](const auto& driver) { return driver.dropped_event_count(); });
  return reader + output_.dropped_event_count() + events_.dropped_count();
}

void BmsGateway::settle(TimePoint now) {
  if (drain_reader(now)) {
    take_snapshot(now);
  }
  drain_output(now);
}

void BmsGateway::drain_output(TimePoint now) {
  while (const auto event = output_.poll_event()) {
    (void)events_.push_overwrite(Event{now, *event});
  }
}

bool BmsGateway::drain_reader(TimePoint now) {
  bool has_news = false;
  if (auto* driver = std::get_if<tinybms::Driver>(&reader_)) {
    while (const auto event = driver->poll_event()) {
      has_news = true;
      if (!std::holds_alternative<tinybms::SnapshotUpdated>(*event)) {
        (void)events_.push_overwrite(Event{now, *event});
      }
    }
    return has_news;
  }
  auto* driver = std::get_if<canbms::Driver>(&reader_);
  AMPHORA_ASSERT(driver != nullptr);
  while (const auto event = driver->poll_event()) {
    has_news = true;
    if (event->kind != canbms::DriverEvent::Kind::kSnapshot) {
      (void)events_.push_overwrite(Event{now, *event});
    }
  }
  return has_news;
}

void BmsGateway::take_snapshot(TimePoint now) {
  snapshot_ = with_driver(reader_, [](const auto& driver) { return driver.snapshot(); });
  ++snapshot_count_;
  // Both values must be of one moment: the product of an old voltage and a new current is no power.
  if (snapshot_.voltage && snapshot_.current && snapshot_.voltage->at == snapshot_.current->at &&
      energy_sample_at_ != snapshot_.current->at) {
    energy_sample_at_ = snapshot_.current->at;
    energy_.handle_sample(snapshot_.current->at, snapshot_.voltage->value, snapshot_.current->value);
  }
  // A BMS that counts energy itself knows better; it also saw what happened while this box was off.
  if (const auto durable = energy_.durable(); durable && !snapshot_.energy_in && !snapshot_.energy_out) {
    snapshot_.energy_in = Sampled<WattHours>{WattHours{durable->in.count() / 1000}, now};
    snapshot_.energy_out = Sampled<WattHours>{WattHours{durable->out.count() / 1000}, now};
  }
  output_.handle_snapshot(now, snapshot_);
}

}  // namespace amphora::node
