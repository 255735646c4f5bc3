// SPDX-License-Identifier: Apache-2.0
// Finds out what a driver's send status is worth.
//
// At start one frame goes to an address that nobody has. Acknowledged: this driver always says so (rtl8xxxu
// does). Not acknowledged: the status is taken as real, until a peer that keeps answering is reported as not
// acknowledging all the same (ath9k_htc does that). No status at all: none.
#pragma once

#include <optional>

#include "core/base/node_id.hpp"
#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {

class AckJudge {
 public:
  // Frames that a peer answered although they were reported as not acknowledged, before the driver is not
  // believed.
  static constexpr int kContradictionsMax = 10;

  void handle_calibration(RadioSendResult result) {
    switch (result) {
      case RadioSendResult::kAcked:
        verdict_ = RadioSendStatus::kAlwaysAcked;
        break;
      case RadioSendResult::kNoAck:
        verdict_ = RadioSendStatus::kReal;
        break;
      case RadioSendResult::kNotSent:
        verdict_ = RadioSendStatus::kNone;
        break;
    }
  }
  // A unicast frame's status came back.
  void handle_status(NodeId to, bool is_acked) {
    if (verdict_ == RadioSendStatus::kNone || (is_acked && verdict_ == RadioSendStatus::kAlwaysFailed)) {
      verdict_ = RadioSendStatus::kReal;
    }
    if (is_acked) {
      has_seen_ack_ = true;
      contradictions_ = 0;
    }
    unacked_ = is_acked ? std::nullopt : std::optional{to};
  }
  void handle_received(NodeId from) {
    if (has_seen_ack_ || unacked_ != from || verdict_ != RadioSendStatus::kReal) {
      return;
    }
    unacked_.reset();
    if (++contradictions_ >= kContradictionsMax) {
      verdict_ = RadioSendStatus::kAlwaysFailed;
    }
  }
  RadioSendStatus verdict() const { return verdict_; }

 private:
  RadioSendStatus verdict_ = RadioSendStatus::kUnknown;
  std::optional<NodeId> unacked_;  // whom the newest frame without an ack was for
  int contradictions_ = 0;
  bool has_seen_ack_ = false;
};

}  // namespace amphora::runtime
