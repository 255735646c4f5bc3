// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio/exchange.hpp"

#include <cerrno>

namespace amphora::runtime {

namespace {

constexpr std::size_t kWaitingChannelsMax = 16;  // more are answered at once with an error

}  // namespace

RadioExchange::RadioExchange(Loop& loop, std::string interface, RadioOptions options, RadioHandlers handlers,
                             Limits limits)
    : loop_{loop},
      options_{std::move(options)},
      handlers_{std::move(handlers)},
      limits_{limits},
      send_timer_{loop},
      channel_timer_{loop} {
  status_.interface = std::move(interface);
}

bool RadioExchange::send(NodeId to, ByteSpan bytes, std::uint32_t token) {
  if (status_.state != RadioState::kUp || is_sending_ || is_changing_ || !channels_.empty() ||
      bytes.empty() || bytes.size() > kRadioDataMax) {
    ++status_.counters.refused;
    return false;
  }
  is_sending_ = true;
  sending_to_ = to;
  token_ = token;
  ++send_number_;
  if (begin_send(to, bytes)) {
    send_timer_.arm(loop_.now() + limits_.send, guarded(&RadioExchange::expire_send));
  } else {
    post([number = send_number_](RadioExchange& self) {
      if (self.send_number_ == number) {
        self.finish_send(RadioSendResult::kNotSent);
      }
    });
  }
  return true;
}

void RadioExchange::set_channel(std::uint8_t channel) {
  if (channel < kRadioChannelMin || channel > kRadioChannelMax) {
    return answer_channel(channel,
                          SysError{EINVAL, "set channel " + std::to_string(channel), "channels are 1 to 14"});
  }
  if (status_.state != RadioState::kUp) {
    return answer_channel(channel, down_error());
  }
  if (channels_.size() == kWaitingChannelsMax) {
    return answer_channel(channel, SysError{EBUSY, "set channel " + std::to_string(channel),
                                            "too many changes are waiting; wait for their answers"});
  }
  channels_.push_back(channel);
  // Never inside the call: the port may answer at once.
  post([](RadioExchange& self) { self.pump(); });
}

void RadioExchange::finish_send(RadioSendResult result) {
  if (!is_sending_) {
    return;
  }
  is_sending_ = false;
  ++send_number_;
  send_timer_.cancel();
  RadioCounters& counters = status_.counters;
  counters.sent += result == RadioSendResult::kNotSent ? 0U : 1U;
  counters.no_ack += result == RadioSendResult::kNoAck ? 1U : 0U;
  counters.not_sent += result == RadioSendResult::kNotSent ? 1U : 0U;
  if (handlers_.on_sent) {
    handlers_.on_sent(token_, result);
  }
  pump();
}

void RadioExchange::finish_channel(const std::optional<SysError>& error) {
  if (!is_changing_) {
    return;
  }
  is_changing_ = false;
  channel_timer_.cancel();
  const std::uint8_t channel = channels_.front();
  channels_.pop_front();
  if (error) {
    ++status_.counters.channel_failures;
  } else {
    ++status_.counters.channel_changes;
    status_.channel = channel;
  }
  status_.error = error;
  if (handlers_.on_channel) {
    handlers_.on_channel(channel, error);
  }
  pump();
}

void RadioExchange::deliver(NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi_dbm) {
  ++status_.counters.received;
  if (handlers_.on_received) {
    handlers_.on_received(from, bytes, rssi_dbm);
  }
}

void RadioExchange::set_state(RadioState state) {
  if (state == status_.state) {
    return;
  }
  const bool was_up = status_.state == RadioState::kUp;
  status_.state = state;
  if (was_up) {
    ++status_.counters.restarts;
    post([number = send_number_](RadioExchange& self) {
      if (self.send_number_ == number) {
        self.finish_send(RadioSendResult::kNotSent);
      }
    });
    is_changing_ = false;
    channel_timer_.cancel();
    for (const std::uint8_t channel : channels_) {
      answer_channel(channel, down_error());
    }
    channels_.clear();
  }
  post([state](RadioExchange& self) {
    if (self.handlers_.on_state) {
      self.handlers_.on_state(state);
    }
  });
}

void RadioExchange::post(std::function<void(RadioExchange&)> task) {
  loop_.post([weak = weak_from_this(), task = std::move(task)] {
    if (const auto self = weak.lock()) {
      task(*self);
    }
  });
}

void RadioExchange::pump() {
  if (status_.state != RadioState::kUp || is_sending_ || is_changing_ || channels_.empty()) {
    return;
  }
  is_changing_ = true;
  channel_timer_.arm(loop_.now() + limits_.channel, guarded(&RadioExchange::expire_channel));
  begin_channel(channels_.front());
}

void RadioExchange::answer_channel(std::uint8_t channel, std::optional<SysError> error) {
  ++status_.counters.channel_failures;
  post([channel, error = std::move(error)](RadioExchange& self) {
    if (self.handlers_.on_channel) {
      self.handlers_.on_channel(channel, error);
    }
  });
}

SysError RadioExchange::down_error() const {
  return status_.error.value_or(SysError{ENETDOWN, "use " + status_.interface, "the radio is not up"});
}

void RadioExchange::expire_send() {
  const std::uint64_t number = send_number_;
  handle_send_timeout();
  if (send_number_ == number) {
    finish_send(RadioSendResult::kNotSent);
  }
}

void RadioExchange::expire_channel() {
  const std::string channel = channels_.empty() ? std::string{} : std::to_string(channels_.front());
  finish_channel(SysError{ETIMEDOUT, "set channel " + channel + " of " + status_.interface, {}});
}

}  // namespace amphora::runtime
