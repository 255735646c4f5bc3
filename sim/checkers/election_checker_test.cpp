// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/election_checker.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace amphora::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Bench {
  ViolationLog log;
  ElectionChecker checker{ElectionRules{}, log};
  TimePoint now{};
  std::vector<ElectionView> views;

  // Two packs that follow the second, and a gateway.
  Bench() {
    views.push_back(ElectionView{true, true, 0, 5, false, std::uint8_t{9}});
    views.push_back(ElectionView{true, true, 0, 9, true, std::uint8_t{9}});
    views.push_back(ElectionView{true, false, 0, 0, false, std::uint8_t{9}});
  }
  void run_for(Duration duration) {
    for (const TimePoint end = now + duration; now < end; now += milliseconds{10}) {
      checker.check(now, views);
    }
  }
  int invariant() const { return log.is_empty() ? 0 : log.kept()[0].invariant; }
};

TEST(ElectionChecker, OneMasterWhomAllFollowIsWhatIsWanted) {
  Bench bench;
  bench.run_for(seconds{60});
  EXPECT_TRUE(bench.log.is_empty());
  EXPECT_TRUE(bench.checker.is_settled(0));
  EXPECT_EQ(bench.checker.active_count(0), 2U);
  EXPECT_EQ(bench.checker.master_count(0), 1U);
}

TEST(ElectionChecker, TwoMastersInOneGroupAreNotAllowedForLong) {
  Bench bench;
  bench.run_for(seconds{2});
  bench.views[0].is_master = true;
  bench.views[0].master = 5;
  bench.run_for(milliseconds{90});
  EXPECT_TRUE(bench.log.is_empty());
  EXPECT_FALSE(bench.checker.is_settled(0));
  bench.run_for(milliseconds{50});
  EXPECT_EQ(bench.invariant(), kInvariantOneMaster);
}

TEST(ElectionChecker, TwoMastersOnTwoBusesAreAllowed) {
  Bench bench;
  bench.views[0] = ElectionView{true, true, 1, 5, true, std::uint8_t{5}};
  bench.run_for(seconds{10});
  EXPECT_TRUE(bench.log.is_empty());
}

TEST(ElectionChecker, AGroupMustNotStayWithoutMaster) {
  Bench bench;
  bench.run_for(seconds{2});
  bench.views[1].is_master = false;
  bench.views[1].is_running = false;
  bench.checker.handle_disturbed(bench.now, 0);
  bench.run_for(milliseconds{1'000});
  EXPECT_TRUE(bench.log.is_empty());
  bench.run_for(milliseconds{50});
  EXPECT_EQ(bench.invariant(), kInvariantOneMaster);
}

TEST(ElectionChecker, AGatewayThatFollowsSomebodyElseIsNoticed) {
  Bench bench;
  bench.views[2].master = 5;
  bench.run_for(milliseconds{1'100});
  EXPECT_EQ(bench.invariant(), kInvariantOneMaster);
}

TEST(ElectionChecker, ASharedIdMustBeGivenUp) {
  Bench bench;
  bench.views.push_back(ElectionView{true, true, 0, 5, false, std::uint8_t{9}});
  bench.run_for(milliseconds{1'200});
  EXPECT_TRUE(bench.log.is_empty());
  EXPECT_TRUE(bench.checker.has_shared_id(0));
  bench.run_for(milliseconds{50});
  EXPECT_EQ(bench.invariant(), kInvariantNodeIds);
  EXPECT_GE(bench.checker.longest_shared(), milliseconds{1'200});
}

TEST(ElectionChecker, TheSameIdOnTwoBusesIsNotShared) {
  Bench bench;
  bench.views.push_back(ElectionView{true, true, 1, 5, true, std::uint8_t{5}});
  bench.run_for(seconds{10});
  EXPECT_TRUE(bench.log.is_empty());
  EXPECT_FALSE(bench.checker.has_shared_id(0));
}

TEST(ElectionChecker, ANodeMustGetAnId) {
  Bench bench;
  bench.views[0].id = 0;
  bench.run_for(seconds{5});
  EXPECT_TRUE(bench.log.is_empty());
  bench.run_for(milliseconds{50});
  EXPECT_EQ(bench.invariant(), kInvariantNodeIds);
}

TEST(ElectionChecker, NothingIsDemandedWhileSuspendedAndAllCountsAnewAfterwards) {
  Bench bench;
  bench.views[0].is_master = true;
  bench.views[1].id = 5;
  bench.checker.suspend(bench.now, 0, true);
  bench.run_for(seconds{20});
  EXPECT_TRUE(bench.log.is_empty());
  bench.checker.suspend(bench.now, 0, false);
  bench.run_for(milliseconds{1'000});
  EXPECT_TRUE(bench.log.is_empty());
  bench.run_for(milliseconds{300});
  EXPECT_FALSE(bench.log.is_empty());
}

}  // namespace
}  // namespace amphora::sim
