// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/packs/gateway.hpp"

#include <fmt/format.h>

#include <csignal>
#include <stdexcept>

namespace amphora::packs_command {

namespace {

packnet::NetworkConfig network_config(const Gateway::Options& options) {
  packnet::NetworkConfig config;
  config.type = packnet::DeviceType::kLinuxGateway;
  config.hardware = options.hardware;
  return config;
}

}  // namespace

Gateway::Gateway(const Options& options, Handlers handlers)
    : options_{options},
      handlers_{std::move(handlers)},
      network_{network_config(options)},
      commander_{options.commander},
      signals_{loop_, {SIGINT, SIGTERM}, [this](int) { is_finished_ = was_told_to_end_ = true; }},
      pump_{loop_, [this](TimePoint now) { return step(now); }} {
  auto port = runtime::open_can(loop_, options.can, {},
                                {.on_frame = [this](const can::Frame& frame) { handle_frame(frame); },
                                 .on_state =
                                     [this](can::BusState state) {
                                       network_.handle_bus_state(loop_.now(), state);
                                       pump_.request();
                                     }});
  if (!port.ok()) {
    throw std::runtime_error{fmt::format("--can {}: {}", options.can, runtime::to_text(port.error()))};
  }
  port_ = *port;
  network_.handle_bus_state(loop_.now(), port_->state());
  pump_.request();
}

void Gateway::handle_frame(const can::Frame& frame) {
  const auto address = packnet::address_of(frame);
  if (address && packnet::is_node(address->node) && packnet::is_sent_by(*address, address->node)) {
    heard_.set(address->node);
  }
  if (handlers_.on_frame) {
    handlers_.on_frame(frame);
  }
  network_.handle_frame(loop_.now(), frame);
  // At once: the network keeps only the newest events.
  while (const auto event = network_.poll_event()) {
    if (event->kind == packnet::NetworkEvent::Kind::kAcknowledged) {
      commander_.handle_acknowledgement(loop_.now(), event->answer);
    }
    if (handlers_.on_event) {
      handlers_.on_event(*event);
    }
  }
  while (network_.poll_opaque()) {
    // Sections and transfers are not for this.
  }
  pump_.request();
}

void Gateway::send(TimePoint now) {
  while (const auto frame = network_.poll_transmit(now)) {
    if (!options_.is_listening_only) {
      (void)port_->send(frame->frame);
    }
  }
  while (const auto frame = commander_.poll_transmit(now)) {
    (void)port_->send(packnet::encode(*frame));
  }
}

TimePoint Gateway::step(TimePoint now) {
  network_.handle_timeout(now);
  while (const auto event = network_.poll_event()) {
    if (handlers_.on_event) {
      handlers_.on_event(*event);
    }
  }
  commander_.set_active(now, !options_.is_listening_only && network_.is_active_gateway());
  commander_.handle_timeout(now);
  if (const auto counter = commander_.poll_store()) {
    if (handlers_.store && handlers_.store(*counter)) {
      commander_.handle_stored(now, *counter);
    } else {
      commander_.set_active(now, false);
    }
  }
  send(now);
  while (const auto event = commander_.poll_event()) {
    if (handlers_.on_outcome) {
      handlers_.on_outcome(*event);
    }
  }
  return earliest(network_.poll_timeout(), commander_.poll_timeout());
}

void Gateway::run(Duration limit) {
  is_finished_ = was_told_to_end_;
  pump_.request();
  const TimePoint until = add_saturating(loop_.now(), limit);
  while (!is_finished_ && loop_.now() < until) {
    constexpr Duration kSlice = std::chrono::milliseconds{20};
    loop_.run_until(earliest(until, loop_.now() + kSlice));
  }
}

std::string Gateway::bus_fault() const {
  if (port_->state() == can::BusState::kActive || port_->state() == can::BusState::kErrorPassive) {
    return {};
  }
  const auto error = port_->last_error();
  return fmt::format("{} is {}{}", port_->name(), runtime::to_text(port_->state()),
                     error ? ": " + error->text() : std::string{});
}

}  // namespace amphora::packs_command
