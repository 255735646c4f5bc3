// SPDX-License-Identifier: Apache-2.0
// What every radio port keeps the same: one frame in flight, channel changes in order and never beside a
// frame, one answer for each request, counters.
//
// A port derives from it, begins what it is asked to and says when that is finished; time-outs are kept here.
#pragma once

#include <deque>

#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {

class RadioExchange : public RadioPort, public std::enable_shared_from_this<RadioExchange> {
 public:
  NodeId address() const final { return address_; }
  bool send(NodeId to, ByteSpan bytes, std::uint32_t token) final;
  void set_channel(std::uint8_t channel) final;
  RadioStatus status() const final { return status_; }

 protected:
  struct Limits {
    Duration send;     // no word of a frame for this long: it was not sent
    Duration channel;  // no word of a channel change for this long: it failed
  };
  RadioExchange(Loop& loop, std::string interface, RadioOptions options, RadioHandlers handlers,
                Limits limits);

  // Asked of the port, while it is up. begin_send: false when the frame could not be handed over, for which
  // finish_send() is not called.
  virtual bool begin_send(NodeId to, ByteSpan bytes) = 0;
  virtual void begin_channel(std::uint8_t channel) = 0;
  // The last chance to find the answer: the loop may have been late, and the answer may lie there unread.
  virtual void handle_send_timeout() {}

  // Said by the port. Without a frame in flight, or a change that is going on, they do nothing.
  void finish_send(RadioSendResult result);
  void finish_channel(const std::optional<SysError>& error);
  void deliver(NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi_dbm);
  // Leaving kUp ends what is going on: not sent, not changed.
  void set_state(RadioState state);
  bool is_sending() const { return is_sending_; }
  bool is_changing() const { return is_changing_; }
  NodeId sending_to() const { return sending_to_; }

  // A task that does nothing when the port is gone.
  template <class Port>
  Loop::Task guarded(void (Port::*function)()) {
    return [weak = weak_from_this(), function] {
      if (const auto self = weak.lock()) {
        (static_cast<Port*>(self.get())->*function)();
      }
    };
  }

  Loop& loop_;
  const RadioOptions options_;
  RadioStatus status_;
  NodeId address_;

 private:
  void post(std::function<void(RadioExchange&)> task);
  void pump();
  void answer_channel(std::uint8_t channel, std::optional<SysError> error);
  SysError down_error() const;
  void expire_send();
  void expire_channel();

  const RadioHandlers handlers_;
  const Limits limits_;
  Timer send_timer_;
  Timer channel_timer_;
  bool is_sending_ = false;
  NodeId sending_to_;
  std::uint32_t token_ = 0;
  std::uint64_t send_number_ = 0;
  bool is_changing_ = false;
  std::deque<std::uint8_t> channels_;  // the first is going on while is_changing_
};

}  // namespace amphora::runtime
