// SPDX-License-Identifier: Apache-2.0
#include "sim/models/gx_device.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/inverter/victron/output.hpp"
#include "tests/contract/machine_contract.hpp"

namespace amphora::sim {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{100s};

can::Frame limits_frame(int cvl, int ccl, int dcl) {
  return can::encode(can::Limits{Decivolts{cvl}, Deciamps{ccl}, Deciamps{dcl}, Decivolts{480}}).value();
}

void run(GxDevice& gx, TimePoint& now, Duration duration) {
  for (const TimePoint end = now + duration; now < end;) {
    now = std::min(end, std::max(now, gx.poll_timeout()));
    gx.handle_timeout(now);
    while (gx.poll_transmit(now)) {
    }
  }
}

TEST(GxDevice, SendsKeepAliveAndIdentityEachSecond) {
  GxDevice gx{GxConfig{}};
  std::vector<std::uint32_t> ids;
  for (TimePoint now = kNow; now < kNow + 5s; now += 100ms) {
    gx.handle_timeout(now);
    while (const auto frame = gx.poll_transmit(now)) {
      ids.push_back(frame->id);
      EXPECT_TRUE(can::decode(*frame).ok());
    }
  }
  ASSERT_EQ(ids.size(), 10U);
  EXPECT_EQ(ids[0], can::kKeepAliveId);
  EXPECT_EQ(ids[1], can::kGxIdentityId);
}

TEST(GxDevice, TakesLimitsOverInItsControlLoopAndStopsWithoutThem) {
  GxDevice gx{GxConfig{}};
  TimePoint now = kNow;
  run(gx, now, 1ms);
  gx.handle_frame(now, limits_frame(552, 500, 1000));
  EXPECT_FALSE(gx.command().is_charge_allowed) << "the control loop comes every 3 s";
  for (int i = 0; i < 30; ++i) {
    gx.handle_frame(now, limits_frame(552, 500, 1000));
    run(gx, now, 200ms);
  }
  EXPECT_TRUE(gx.command().is_charge_allowed);
  EXPECT_TRUE(gx.command().is_discharge_allowed);
  EXPECT_EQ(gx.command().charge_voltage, Decivolts{552});
  EXPECT_EQ(gx.command().charge_current, Deciamps{500});
  EXPECT_EQ(gx.statistics().gap_max, 200ms);
  const TimePoint last = *gx.limits_at();
  run(gx, now, last + 3s - now);
  EXPECT_EQ(gx.statistics().gaps, 0U) << "exactly 3 s is not more than 3 s";
  EXPECT_TRUE(gx.command().is_charge_allowed);
  run(gx, now, 1us);
  EXPECT_EQ(gx.statistics().gaps, 1U);
  EXPECT_FALSE(gx.command().is_charge_allowed);
  EXPECT_FALSE(gx.command().is_discharge_allowed);
}

TEST(GxDevice, CountsWhatNoBatteryMaySend) {
  GxConfig config;
  config.charge_voltage_min = Decivolts{500};
  config.charge_voltage_max = Decivolts{560};
  config.charge_current_max = Deciamps{600};
  GxDevice gx{config};
  TimePoint now = kNow;
  run(gx, now, 1ms);
  const auto give = [&](const can::Frame& frame) {
    now += 1s;
    gx.handle_frame(now, frame);
  };
  give(limits_frame(552, 500, 1000));
  EXPECT_EQ(gx.violations().total(), 0U);
  give(limits_frame(0, 500, 1000));
  EXPECT_EQ(gx.violations().charge_voltage_zero, 1U);
  give(limits_frame(499, 500, 1000));
  give(limits_frame(561, 500, 1000));
  EXPECT_EQ(gx.violations().charge_voltage_out_of_range, 2U);
  give(limits_frame(552, -1, 1000));
  EXPECT_EQ(gx.violations().current_negative, 1U);
  give(limits_frame(552, 601, 1000));
  EXPECT_EQ(gx.violations().current_above_max, 1U);
  can::Frame cut = limits_frame(552, 500, 1000);
  cut.size = 6;
  give(cut);
  EXPECT_EQ(gx.violations().limits_short, 1U);
  cut.is_extended = true;
  give(cut);
  EXPECT_EQ(gx.violations().frames_refused, 1U);
  now += 1s;
  for (std::size_t i = 0; i < kGxFramesPerSecondMax + 1; ++i) {
    gx.handle_frame(now, limits_frame(552, 500, 1000));
  }
  EXPECT_EQ(gx.violations().rate_exceeded, 1U);
  EXPECT_EQ(gx.violations().total(), 8U);
}

TEST(GxDevice, VanishesAndReturnsLikeAfterAReboot) {
  GxDevice gx{GxConfig{}};
  TimePoint now = kNow;
  run(gx, now, 1ms);
  gx.handle_frame(now, limits_frame(552, 500, 1000));
  gx.handle_frame(now, can::encode(can::AlarmBits{}).value());
  EXPECT_TRUE(gx.has_battery());
  gx.set_present(now, false);
  EXPECT_EQ(gx.poll_timeout(), kNever);
  EXPECT_FALSE(gx.poll_transmit(now));
  gx.handle_frame(now, limits_frame(0, 500, 1000));
  EXPECT_EQ(gx.violations().total(), 0U) << "it hears nothing";
  now += 60s;
  gx.set_present(now, true);
  EXPECT_FALSE(gx.has_battery());
  EXPECT_FALSE(gx.limits());
  gx.handle_timeout(now);
  EXPECT_TRUE(gx.poll_transmit(now));
  gx.handle_frame(now, limits_frame(552, 500, 1000));
  EXPECT_EQ(gx.statistics().gap_max, Duration::zero()) << "its own absence is no gap";
}

// The real output against the model: found, obeyed, and nothing that a GX would object to.
TEST(GxDevice, AgreesWithTheOutput) {
  GxConfig config;
  config.charge_voltage_min = Decivolts{528};
  config.charge_voltage_max = Decivolts{552};
  GxDevice gx{config};
  const battery::Profile profile = battery::lfp_profile(16, MilliampHours{280'000});
  victron::Output output{victron::OutputConfig{}, profile};
  battery::Snapshot snapshot;
  for (int step = 0; step < 6000; ++step) {
    const TimePoint now = kNow + step * 10ms;
    if (step % 100 == 0 && step < 4000) {
      snapshot.cell_min = Sampled<Millivolts>{Millivolts{3300}, now};
      snapshot.cell_max = Sampled<Millivolts>{Millivolts{3310}, now};
      snapshot.voltage = Sampled<Millivolts>{Millivolts{52'900}, now};
      snapshot.current = Sampled<Milliamps>{Milliamps{5'000}, now};
      snapshot.soc = Sampled<BasisPoints>{BasisPoints{5'000}, now};
      snapshot.temperature_min = Sampled<Decicelsius>{Decicelsius{200}, now};
      snapshot.temperature_max = Sampled<Decicelsius>{Decicelsius{210}, now};
      output.handle_snapshot(now, snapshot);
    }
    gx.handle_timeout(now);
    while (const auto frame = gx.poll_transmit(now)) {
      output.handle_frame(now, *frame);
    }
    output.handle_timeout(now);
    while (const auto frame = output.poll_transmit(now)) {
      gx.handle_frame(now, *frame);
    }
    if (step == 3999) {
      EXPECT_TRUE(gx.has_battery());
      EXPECT_TRUE(gx.command().is_charge_allowed);
      EXPECT_EQ(gx.command().charge_current, Deciamps{500});
      EXPECT_EQ(output.phase(), victron::Phase::kRunning);
    }
  }
  EXPECT_EQ(gx.violations().total(), 0U);
  EXPECT_FALSE(gx.command().is_charge_allowed) << "the battery fell silent";
  EXPECT_FALSE(gx.command().is_discharge_allowed);
  EXPECT_LE(gx.statistics().gap_max, 210ms);
  EXPECT_EQ(gx.statistics().gaps, 0U);
}

struct ContractAdapter {
  using Machine = GxDevice;
  static GxDevice make(std::uint64_t) { return GxDevice{GxConfig{}}; }
  static void feed(GxDevice& gx, TimePoint now, Rng& rng) {
    if (rng.chance(50'000)) {
      gx.set_present(now, !gx.is_present());
      return;
    }
    can::Frame frame;
    frame.id = can::kFrameTable[rng.below(can::kFrameCount)].id;
    frame.size = static_cast<std::uint8_t>(rng.below(9));
    for (std::uint8_t& byte : frame.data) {
      byte = static_cast<std::uint8_t>(rng.next());
    }
    gx.handle_frame(now, frame);
  }
  static bool drain_one(GxDevice& gx, TimePoint now, Digest& digest) {
    if (const auto frame = gx.poll_transmit(now)) {
      digest.add_number(frame->id);
      return true;
    }
    if (const auto event = gx.poll_event()) {
      digest.add_number(static_cast<std::int64_t>(event->kind));
      return true;
    }
    return false;
  }
};

TEST(GxDevice, KeepsTheContractOfMachines) {
  contract::check_machine_contract<ContractAdapter>();
}

}  // namespace
}  // namespace amphora::sim
