// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/bms/session.hpp"

#include <fmt/format.h>

#include <array>

namespace amphora::bms_command {

Session::Session(const std::string& port)
    : port_{port},
      driver_{tinybms::DriverConfig{}},
      pump_{loop_, [this](TimePoint now) { return step(now); }},
      serial_{loop_,
              {.path = port},
              {.on_bytes =
                   [this](ByteSpan bytes) {
                     driver_.handle_bytes(loop_.now(), bytes);
                     pump_.request();
                   },
               .on_state =
                   [this](bool is_open) {
                     driver_.handle_line(loop_.now(), is_open);
                     pump_.request();
                   }}} {}

TimePoint Session::step(TimePoint now) {
  driver_.handle_timeout(now);
  std::array<std::uint8_t, tinybms::kTransmitSizeMax> buffer;
  for (std::size_t size = 0; (size = driver_.poll_transmit(now, buffer)) > 0;) {
    (void)serial_.write(ByteSpan{buffer.data(), size});
  }
  while (const auto event = driver_.poll_event()) {
    if (!is_finished_ && on_event_) {
      on_event_(*event);
    }
  }
  return driver_.poll_timeout();
}

bool Session::run(Duration limit, EventHandler on_event) {
  on_event_ = std::move(on_event);
  is_finished_ = false;
  pump_.request();
  const TimePoint until = loop_.now() + limit;
  while (!is_finished_ && loop_.now() < until) {
    constexpr Duration kSlice = std::chrono::milliseconds{20};
    loop_.run_until(earliest(until, loop_.now() + kSlice));
  }
  return is_finished_;
}

void Session::finish() {
  is_finished_ = true;
}

std::string Session::reason() const {
  if (!serial_.is_open()) {
    const auto error = serial_.last_error();
    return error ? error->text() : fmt::format("{} cannot be opened", port_);
  }
  const bms::Statistics& statistics = driver_.statistics();
  return fmt::format("{}: the BMS does not answer ({} requests, {} replies, {} CRC errors)", port_,
                     statistics.requests_sent, statistics.replies_received, statistics.crc_errors);
}

}  // namespace amphora::bms_command
