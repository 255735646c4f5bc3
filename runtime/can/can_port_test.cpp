// SPDX-License-Identifier: Apache-2.0
#include "runtime/can/can_port.hpp"

#include <gtest/gtest.h>
#include <linux/can/error.h>

#include <thread>

#include "runtime/can_socketcan/socketcan_port.hpp"
#include "runtime/can_virtual/virtual_port.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

template <class Condition>
bool run_until(Loop& loop, Condition condition) {
  const TimePoint end = loop.now() + 20s;
  while (!condition() && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  return condition();
}

can::Frame frame_of(std::uint32_t id, std::uint8_t first_byte = 0) {
  can::Frame frame;
  frame.id = id;
  frame.size = 8;
  frame.data[0] = first_byte;
  return frame;
}

TEST(CanSpecTest, names_each_kind) {
  EXPECT_EQ(parse_can_spec("can0")->kind, CanSpec::Kind::kSocketCan);
  EXPECT_EQ(parse_can_spec("vcan-a.1")->name, "vcan-a.1");
  const auto udp = parse_can_spec("udp://239.74.163.2:43113");
  ASSERT_TRUE(udp.ok());
  EXPECT_EQ(udp->kind, CanSpec::Kind::kUdp);
  EXPECT_EQ(udp->name, "239.74.163.2");
  EXPECT_EQ(udp->port, 43113);
  EXPECT_EQ(parse_can_spec("virtual:demo")->name, "demo");
}

TEST(CanSpecTest, names_what_is_wrong) {
  EXPECT_EQ(parse_can_spec("").error(), CanSpecError::kEmpty);
  EXPECT_EQ(parse_can_spec("tcp://x").error(), CanSpecError::kUnknownScheme);
  EXPECT_EQ(parse_can_spec("can 0").error(), CanSpecError::kBadInterfaceName);
  EXPECT_EQ(parse_can_spec("a-name-of-sixteen").error(), CanSpecError::kBadInterfaceName);
  EXPECT_EQ(parse_can_spec("udp://10.0.0.1:43113").error(), CanSpecError::kBadAddress);
  EXPECT_EQ(parse_can_spec("udp://239.74.163.2").error(), CanSpecError::kBadPort);
  EXPECT_EQ(parse_can_spec("udp://239.74.163.2:0").error(), CanSpecError::kBadPort);
  EXPECT_EQ(parse_can_spec("udp://239.74.163.2:99999").error(), CanSpecError::kBadPort);
  EXPECT_EQ(parse_can_spec("udp://239.74.163.2:1x").error(), CanSpecError::kBadPort);
  EXPECT_EQ(parse_can_spec("virtual:").error(), CanSpecError::kBadVirtualName);
  EXPECT_EQ(parse_can_spec("virtual:a b").error(), CanSpecError::kBadVirtualName);
  Loop loop;
  EXPECT_EQ(open_can(loop, "tcp://x", {}, {}).error(), CanSpecError::kUnknownScheme);
}

TEST(VirtualCan, others_hear_in_order_and_the_sender_does_not) {
  Loop loop;
  std::vector<std::uint32_t> heard_by_a;
  std::vector<std::uint32_t> heard_by_b;
  std::vector<std::uint32_t> heard_elsewhere;
  const auto listen = [](std::vector<std::uint32_t>& to) {
    return CanHandlers{.on_frame = [&to](const can::Frame& frame) { to.push_back(frame.id); },
                       .on_state = {}};
  };
  const auto a = *open_can(loop, "virtual:one", {}, listen(heard_by_a));
  const auto b = *open_can(loop, "virtual:one", {}, listen(heard_by_b));
  const auto c = *open_can(loop, "virtual:two", {}, listen(heard_elsewhere));
  EXPECT_TRUE(a->send(frame_of(0x351)));
  EXPECT_TRUE(a->send(frame_of(0x355)));
  EXPECT_TRUE(heard_by_b.empty());  // never inside send()
  EXPECT_TRUE(run_until(loop, [&] { return heard_by_b.size() == 2; }));
  EXPECT_EQ(heard_by_b, (std::vector<std::uint32_t>{0x351, 0x355}));
  EXPECT_TRUE(heard_by_a.empty());
  EXPECT_TRUE(heard_elsewhere.empty());
  EXPECT_EQ(a->state(), can::BusState::kActive);
}

TEST(VirtualCan, filters_and_bounds_the_inbox) {
  Loop loop;
  int heard = 0;
  CanOptions options;
  options.filters = {{0x300, 0x700, false}};
  const auto a = *open_can(loop, "virtual:bounded", {}, {});
  const auto b = *open_can(loop, "virtual:bounded", options,
                           {.on_frame = [&](const can::Frame&) { ++heard; }, .on_state = {}});
  EXPECT_TRUE(a->send(frame_of(0x123)));
  can::Frame extended = frame_of(0x300);
  extended.is_extended = true;
  EXPECT_TRUE(a->send(extended));
  for (std::size_t i = 0; i < kVirtualInboxCapacity + 5; ++i) {
    EXPECT_TRUE(a->send(frame_of(0x305)));
  }
  EXPECT_TRUE(run_until(loop, [&] { return heard == static_cast<int>(kVirtualInboxCapacity); }));
  EXPECT_EQ(b->counters().receive_overflows, 5U);
}

TEST(VirtualCan, ports_of_different_threads) {
  Loop loop_a;
  Loop loop_b;
  int heard = 0;
  const auto a = *open_can(loop_a, "virtual:threads", {}, {});
  auto b = *open_can(loop_b, "virtual:threads", {},
                     {.on_frame =
                          [&](const can::Frame&) {
                            if (++heard == 500) {
                              loop_b.stop();
                            }
                          },
                      .on_state = {}});
  std::thread other{[&] { loop_b.run(); }};
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(a->send(frame_of(0x100)));
  }
  other.join();
  EXPECT_EQ(heard, 500);
  b.reset();
  EXPECT_TRUE(a->send(frame_of(0x100)));
}

TEST(SocketCan, a_missing_interface_is_a_state_with_a_reason) {
  Loop loop;
  const auto port = *open_can(loop, "can_missing", {}, {});
  EXPECT_EQ(port->state(), can::BusState::kDown);
  ASSERT_TRUE(port->last_error().has_value());
  // Which of the two depends on whether this kernel knows CAN at all.
  const int code = port->last_error()->code;
  EXPECT_TRUE(code == ENODEV || code == EAFNOSUPPORT) << port->last_error()->text();
  EXPECT_FALSE(port->last_error()->advice.empty());
  EXPECT_FALSE(port->send(frame_of(0x351)));
  EXPECT_EQ(port->counters().dropped, 1U);
}

TEST(SocketCan, error_frames_tell_the_state_of_the_bus) {
  std::uint8_t data[8]{};
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_BUSOFF, data), can::BusState::kBusOff);
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_RESTARTED, data), can::BusState::kActive);
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_BUSERROR | CAN_ERR_PROT, data), std::nullopt);
  data[1] = CAN_ERR_CRTL_TX_PASSIVE;
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_CRTL, data), can::BusState::kErrorPassive);
  data[1] = CAN_ERR_CRTL_RX_WARNING;
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_CRTL, data), can::BusState::kActive);
  data[1] = CAN_ERR_CRTL_RX_OVERFLOW;
  EXPECT_EQ(bus_state_of_error_frame(CAN_ERR_CRTL, data), std::nullopt);
}

}  // namespace
}  // namespace amphora::runtime
