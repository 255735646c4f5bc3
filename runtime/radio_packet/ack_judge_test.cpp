// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_packet/ack_judge.hpp"

#include <gtest/gtest.h>

namespace amphora::runtime {
namespace {

constexpr NodeId kStation{0x240AC4010203};
constexpr NodeId kOther{0x240AC4010204};

TEST(AckJudge, the_frame_to_nobody_decides) {
  const auto verdict_after = [](RadioSendResult result) {
    AckJudge judge;
    EXPECT_EQ(judge.verdict(), RadioSendStatus::kUnknown);
    judge.handle_calibration(result);
    return judge.verdict();
  };
  EXPECT_EQ(verdict_after(RadioSendResult::kNoAck), RadioSendStatus::kReal);
  EXPECT_EQ(verdict_after(RadioSendResult::kAcked), RadioSendStatus::kAlwaysAcked);
  EXPECT_EQ(verdict_after(RadioSendResult::kNotSent), RadioSendStatus::kNone);
}

TEST(AckJudge, peers_that_answer_unacknowledged_frames_convict_the_driver) {
  AckJudge judge;
  judge.handle_calibration(RadioSendResult::kNoAck);
  for (int i = 0; i < AckJudge::kContradictionsMax; ++i) {
    EXPECT_EQ(judge.verdict(), RadioSendStatus::kReal) << i;
    judge.handle_status(kStation, false);
    judge.handle_received(kOther);  // says nothing about the peer
    judge.handle_received(kStation);
    judge.handle_received(kStation);  // counts once
  }
  EXPECT_EQ(judge.verdict(), RadioSendStatus::kAlwaysFailed);
  judge.handle_status(kStation, true);
  EXPECT_EQ(judge.verdict(), RadioSendStatus::kReal);
}

TEST(AckJudge, one_ack_is_proof_for_good) {
  AckJudge judge;
  judge.handle_calibration(RadioSendResult::kNoAck);
  judge.handle_status(kStation, true);
  for (int i = 0; i < 10 * AckJudge::kContradictionsMax; ++i) {
    judge.handle_status(kStation, false);
    judge.handle_received(kStation);
  }
  EXPECT_EQ(judge.verdict(), RadioSendStatus::kReal);
}

TEST(AckJudge, a_status_that_comes_after_all_is_taken) {
  AckJudge judge;
  judge.handle_calibration(RadioSendResult::kNotSent);
  judge.handle_status(kStation, false);
  EXPECT_EQ(judge.verdict(), RadioSendStatus::kReal);
}

}  // namespace
}  // namespace amphora::runtime
