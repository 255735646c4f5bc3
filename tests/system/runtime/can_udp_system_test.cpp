// SPDX-License-Identifier: Apache-2.0
// The virtual CAN bus against python-can itself: its own udp_multicast interface is the peer.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <vector>

#include "runtime/can/can_port.hpp"
#include "tests/system/runtime/process.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

// Answers each frame with the identifier's highest bit set and the same content; ends on 0x7F0. Exit status
// 3: python-can is not installed, 4: this machine has no route for multicast.
constexpr const char* kPeer = R"py(
import sys
try:
    import can
except ImportError:
    sys.exit(3)
try:
    bus = can.Bus(interface="udp_multicast", channel=sys.argv[1], port=int(sys.argv[2]), hop_limit=0)
except Exception as error:
    print(error, file=sys.stderr)
    sys.exit(4)
while True:
    m = bus.recv(timeout=60)
    if m is None or m.arbitration_id == 0x7F0:
        break
    mark = 0x10000000 if m.is_extended_id else 0x400
    if m.arbitration_id & mark:
        continue  # python-can hears its own messages
    bus.send(can.Message(arbitration_id=m.arbitration_id | mark, is_extended_id=m.is_extended_id,
                         is_remote_frame=m.is_remote_frame, dlc=m.dlc, data=m.data))
bus.shutdown()
)py";

TEST(CanUdpSystem, python_can_is_a_peer) {
  const std::string script = "/tmp/amphora_can_peer_" + std::to_string(::getpid()) + ".py";
  std::ofstream{script} << kPeer;
  const auto own = static_cast<unsigned>(::getpid());
  const std::string group = "239.74.163." + std::to_string(1 + own % 250);
  const std::string port = std::to_string(20'000 + own % 20'000);
  test::Process peer{{"/usr/bin/python3", script, group, port}};

  Loop loop;
  std::vector<can::Frame> heard;
  bool is_greeted = false;  // several answers to the repeated hello may come, also late
  const auto listen = [&](const can::Frame& frame) {
    if (frame.id == 0x500 && !frame.is_extended) {
      is_greeted = true;
    } else {
      heard.push_back(frame);
    }
  };
  const auto bus = *open_can(loop, "udp://" + group + ":" + port, {}, {.on_frame = listen, .on_state = {}});
  ASSERT_EQ(bus->state(), can::BusState::kActive) << bus->last_error()->text();
  const auto run_until = [&](auto condition, Duration longest) {
    const TimePoint end = loop.now() + longest;
    while (!condition() && loop.now() < end) {
      loop.run_until(loop.now() + 2ms);
    }
    return condition();
  };

  can::Frame hello;
  hello.id = 0x100;
  for (int i = 0; i < 300 && !is_greeted; ++i) {  // until the interpreter has started
    ASSERT_TRUE(bus->send(hello));
    run_until([&] { return is_greeted; }, 100ms);
  }
  if (!is_greeted) {
    const int status = peer.end(SIGTERM);
    std::remove(script.c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
      GTEST_SKIP() << "python3-can is not installed";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 4) {
      GTEST_SKIP() << "this machine has no route for multicast, so python-can cannot join the group";
    }
    FAIL() << "python-can heard nothing, status " << status;
  }
  std::vector<can::Frame> sent;
  for (std::uint8_t i = 0; i < 100; ++i) {
    can::Frame frame;
    frame.is_extended = i % 3 == 0;
    frame.id = frame.is_extended ? 0x0ABCDE00U + i : 0x300U + i;
    frame.is_remote = i % 7 == 6;
    frame.size = static_cast<std::uint8_t>(i % 9);
    for (std::uint8_t k = 0; k < frame.size && !frame.is_remote; ++k) {
      frame.data[k] = static_cast<std::uint8_t>(i * 8 + k);
    }
    ASSERT_TRUE(bus->send(frame));
    sent.push_back(frame);
    ASSERT_TRUE(run_until([&] { return heard.size() == sent.size(); }, 20s)) << "frame " << int{i};
  }
  for (std::size_t i = 0; i < sent.size(); ++i) {
    can::Frame expected = sent[i];
    expected.id |= expected.is_extended ? 0x10000000U : 0x400U;
    EXPECT_EQ(heard[i], expected) << i;
  }
  EXPECT_EQ(bus->counters().malformed, 0U);
  can::Frame end;
  end.id = 0x7F0;
  ASSERT_TRUE(bus->send(end));
  EXPECT_EQ(peer.wait(), 0);
  std::remove(script.c_str());
}

}  // namespace
}  // namespace amphora::runtime

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
