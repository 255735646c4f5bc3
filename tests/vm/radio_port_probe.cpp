// SPDX-License-Identifier: Apache-2.0
// Radio ports on simulated Wi-Fi radios (mac80211_hwsim): what radio_test.sh runs in the micro-VM.
//
// The three radios are wlan0, wlan1 and wlan2; each test leaves them as it found them or says so. Time-outs
// only detect hangs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <deque>
#include <filesystem>

#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

struct Heard {
  NodeId from;
  Bytes bytes;
  bool has_rssi = false;
};

// A port with everything it said.
struct Radio {
  Radio(Loop& loop_in, const std::string& spec, RadioOptions options = {}) : loop{loop_in} {
    RadioHandlers handlers;
    handlers.on_received = [this](NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi) {
      heard.push_back({from, Bytes(bytes.begin(), bytes.end()), rssi.has_value()});
    };
    handlers.on_sent = [this](std::uint32_t token, RadioSendResult result) {
      sent.emplace_back(token, result);
    };
    handlers.on_channel = [this](std::uint8_t channel, const std::optional<SysError>& error) {
      channels.emplace_back(channel, error);
    };
    port = *make_radio_port(loop, spec, std::move(options), std::move(handlers));
  }

  template <class Condition>
  bool wait(Condition condition) const {
    const TimePoint end = loop.now() + 60s;
    while (!condition() && loop.now() < end) {
      loop.run_until(loop.now() + 5ms);
    }
    return condition();
  }
  bool wait_up() const {
    return wait([this] { return port->status().state == RadioState::kUp; });
  }
  std::string error() const {
    const auto error = port->status().error;
    return error ? error->text() : std::string{};
  }
  // The result of one frame.
  std::optional<RadioSendResult> send(NodeId to, const Bytes& bytes) {
    const std::size_t before = sent.size();
    if (!port->send(to, bytes, ++token) || !wait([&] { return sent.size() > before; })) {
      return std::nullopt;
    }
    EXPECT_EQ(sent.back().first, token);
    return sent.back().second;
  }
  bool tune(std::uint8_t channel) {
    const std::size_t before = channels.size();
    port->set_channel(channel);
    return wait([&] { return channels.size() > before; }) && channels.back().first == channel &&
           !channels.back().second;
  }

  Loop& loop;
  std::shared_ptr<RadioPort> port;
  std::deque<Heard> heard;
  std::deque<std::pair<std::uint32_t, RadioSendResult>> sent;
  std::deque<std::pair<std::uint8_t, std::optional<SysError>>> channels;
  std::uint32_t token = 0;
};

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(i);
  }
  return out;
}

std::size_t interface_count() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/sys/class/net"}) {
    ++count;
  }
  return count;
}

class RadioInVm : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::if_nametoindex("wlan1"), 0U) << "this runs in the micro-VM: tests/vm/radio_test.sh";
  }
  Loop loop_;
};

TEST_F(RadioInVm, idle_interfaces_are_taken_over_and_calibrated) {
  Radio a{loop_, "wlan0"};
  ASSERT_TRUE(a.wait_up()) << a.error();
  const RadioStatus status = a.port->status();
  EXPECT_EQ(status.driver, "mac80211_hwsim");
  EXPECT_EQ(status.send_status, RadioSendStatus::kReal) << to_text(status.send_status);
  EXPECT_TRUE(status.answers_acks) << status.warning;
  EXPECT_EQ(status.warning, "");
  EXPECT_EQ(status.channel, 1);
  EXPECT_EQ(status.country.size(), 2U);
  EXPECT_EQ(a.port->address().value >> 40U, 0x02U);
}

TEST_F(RadioInVm, unicast_is_acked_and_delivered) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  ASSERT_TRUE(a.wait_up() && b.wait_up()) << a.error() << b.error();
  EXPECT_EQ(a.send(b.port->address(), counting(250)), RadioSendResult::kAcked);
  ASSERT_TRUE(b.wait([&] { return !b.heard.empty(); }));
  EXPECT_EQ(b.heard[0].from, a.port->address());
  EXPECT_EQ(b.heard[0].bytes, counting(250));
  EXPECT_TRUE(b.heard[0].has_rssi);
  EXPECT_EQ(b.send(a.port->address(), {0x42}), RadioSendResult::kAcked);
  ASSERT_TRUE(a.wait([&] { return !a.heard.empty(); }));
  EXPECT_EQ(a.heard[0].bytes, Bytes{0x42});
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(a.send(b.port->address(), counting(20)), RadioSendResult::kAcked) << i;
  }
  ASSERT_TRUE(b.wait([&] { return b.heard.size() == 101; })) << b.heard.size();
  EXPECT_EQ(a.port->status().counters.sent, 101U);
  EXPECT_EQ(a.port->status().counters.no_ack, 0U);
  EXPECT_EQ(b.port->status().counters.received, 101U);
}

TEST_F(RadioInVm, unicast_to_nobody_has_no_ack) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  ASSERT_TRUE(a.wait_up() && b.wait_up()) << a.error() << b.error();
  EXPECT_EQ(a.send(NodeId{0x021122334455}, {1}), RadioSendResult::kNoAck);
  EXPECT_EQ(a.port->status().counters.no_ack, 1U);
  EXPECT_EQ(a.send(b.port->address(), {2}), RadioSendResult::kAcked);
  ASSERT_TRUE(b.wait([&] { return !b.heard.empty(); }));
  EXPECT_EQ(b.heard[0].bytes, Bytes{2});  // not what was for somebody else
}

TEST_F(RadioInVm, broadcast_reaches_all) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  Radio c{loop_, "wlan2"};
  ASSERT_TRUE(a.wait_up() && b.wait_up() && c.wait_up()) << a.error() << b.error() << c.error();
  EXPECT_EQ(a.send(kEverybody, counting(7)), RadioSendResult::kAcked);
  EXPECT_TRUE(b.wait([&] { return b.heard.size() == 1 && c.heard.size() == 1; }));
  EXPECT_TRUE(a.heard.empty());
}

TEST_F(RadioInVm, another_channel_is_not_heard) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  ASSERT_TRUE(a.wait_up() && b.wait_up()) << a.error() << b.error();
  // The simulated radios acknowledge on every channel what is sent on channel 1, which is therefore left
  // first.
  ASSERT_TRUE(a.tune(3)) << a.error();
  for (const std::uint8_t channel : std::vector<std::uint8_t>{6, 11, 4}) {
    ASSERT_TRUE(b.tune(channel)) << b.error();
    EXPECT_EQ(b.port->status().channel, channel);
    EXPECT_EQ(a.send(kEverybody, {0xAA}), RadioSendResult::kAcked);
    EXPECT_EQ(a.send(b.port->address(), {0xBB}), RadioSendResult::kNoAck);
    ASSERT_TRUE(a.tune(channel)) << a.error();
    b.heard.clear();
    EXPECT_EQ(a.send(b.port->address(), {channel}), RadioSendResult::kAcked);
    ASSERT_TRUE(b.wait([&] { return !b.heard.empty(); }));
    EXPECT_EQ(b.heard[0].bytes, Bytes{channel});
  }
  EXPECT_EQ(b.port->status().counters.received, 3U);
  EXPECT_EQ(a.port->status().counters.channel_changes, 4U);
  EXPECT_EQ(a.port->status().counters.channel_failures, 0U);
}

TEST_F(RadioInVm, what_another_channel_leaks_is_not_delivered) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  ASSERT_TRUE(a.wait_up() && b.wait_up()) << a.error() << b.error();
  ASSERT_TRUE(b.tune(6)) << b.error();
  // Channel 1 of the simulated radios is heard everywhere.
  EXPECT_EQ(a.send(kEverybody, {0xAA}), RadioSendResult::kAcked);
  EXPECT_TRUE(b.wait([&] { return b.port->status().counters.other_channel == 1; }));
  EXPECT_TRUE(b.heard.empty());
}

TEST_F(RadioInVm, a_frame_in_flight_is_finished_before_the_channel_changes) {
  Radio a{loop_, "wlan0"};
  ASSERT_TRUE(a.wait_up()) << a.error();
  EXPECT_TRUE(a.port->send(kEverybody, Bytes{1}, 7));
  EXPECT_FALSE(a.port->send(kEverybody, Bytes{2}, 8));
  a.port->set_channel(11);
  EXPECT_TRUE(a.wait([&] { return a.channels.size() == 1; }));
  ASSERT_EQ(a.sent.size(), 1U);
  EXPECT_EQ(a.sent[0].second, RadioSendResult::kAcked);
  EXPECT_EQ(a.port->status().counters.refused, 1U);
}

TEST_F(RadioInVm, a_channel_of_the_world_domain_is_refused_with_its_reason) {
  Radio a{loop_, "wlan0"};
  ASSERT_TRUE(a.wait_up()) << a.error();
  ASSERT_EQ(a.port->status().country, "00");
  EXPECT_FALSE(a.tune(13));
  EXPECT_THAT(a.error(), HasSubstr("the regulatory domain 00 only allows to listen there"));
  EXPECT_THAT(a.error(), HasSubstr("iw reg set"));
  EXPECT_FALSE(a.tune(15));
  EXPECT_THAT(a.channels.back().second->text(), HasSubstr("channels are 1 to 14"));
  EXPECT_EQ(a.port->status().channel, 1);
  EXPECT_TRUE(a.tune(6));
  EXPECT_EQ(a.error(), "");
}

TEST_F(RadioInVm, the_companion_interface_goes_with_the_port) {
  const std::size_t before = interface_count();
  {
    Radio a{loop_, "wlan0"};
    ASSERT_TRUE(a.wait_up()) << a.error();
    EXPECT_EQ(interface_count(), before + 1);
  }
  EXPECT_EQ(interface_count(), before);
  // Left behind by a program that was killed: made anew.
  ASSERT_EQ(std::system("iw phy phy0 interface add amon0 type monitor"), 0);
  Radio a{loop_, "wlan0"};
  ASSERT_TRUE(a.wait_up()) << a.error();
  EXPECT_TRUE(a.port->status().answers_acks) << a.port->status().warning;
}

TEST_F(RadioInVm, an_interface_that_goes_down_is_opened_again) {
  Radio a{loop_, "wlan0"};
  Radio b{loop_, "wlan1"};
  ASSERT_TRUE(a.wait_up() && b.wait_up()) << a.error() << b.error();
  ASSERT_TRUE(a.tune(6) && b.tune(6));
  ASSERT_EQ(std::system("ip link set wlan0 down"), 0);
  EXPECT_TRUE(a.wait([&] { return a.port->status().state != RadioState::kUp; }));
  EXPECT_THAT(a.error(), HasSubstr("another program took the interface down"));
  EXPECT_FALSE(a.port->send(kEverybody, Bytes{1}, 1));
  ASSERT_TRUE(a.wait_up()) << a.error();
  EXPECT_EQ(a.port->status().channel, 6);
  EXPECT_EQ(a.port->status().counters.restarts, 1U);
  EXPECT_EQ(a.send(b.port->address(), {1}), RadioSendResult::kAcked);
}

TEST_F(RadioInVm, what_cannot_be_used_says_why) {
  const auto error_of = [&](const std::string& spec) {
    Radio radio{loop_, spec};
    EXPECT_TRUE(radio.wait([&] { return radio.port->status().error.has_value(); })) << spec;
    EXPECT_EQ(radio.port->status().state, RadioState::kDown);
    return radio.error();
  };
  EXPECT_THAT(error_of("wlan9"), HasSubstr("there is no such interface"));
  EXPECT_THAT(error_of("lo"), HasSubstr("lo is not a Wi-Fi interface"));
  // Part of a network: an ad-hoc one, which needs nobody else.
  ASSERT_EQ(std::system("ip link set wlan2 down && iw dev wlan2 set type ibss && ip link set wlan2 up && iw "
                        "dev wlan2 ibss join test 2412"),
            0);
  ASSERT_EQ(std::system("for i in $(seq 300); do grep -q 1 /sys/class/net/wlan2/carrier && exit 0; sleep "
                        "0.1; done; exit 1"),
            0);
  Radio busy{loop_, "wlan2"};
  EXPECT_TRUE(busy.wait([&] { return busy.port->status().error.has_value(); }));
  EXPECT_THAT(busy.error(), HasSubstr("it is part of a network"));
  ASSERT_EQ(std::system("iw dev wlan2 ibss leave; ip link set wlan2 down"), 0);
  EXPECT_TRUE(busy.wait_up()) << busy.error();
}

// Changes the machine, so it comes last.
TEST_F(RadioInVm, the_country_is_set_and_read_back) {
  RadioOptions unknown;
  unknown.country = "QQ";
  {
    Radio a{loop_, "wlan0", unknown};
    EXPECT_TRUE(a.wait([&] { return a.port->status().state == RadioState::kDown; }));
    EXPECT_THAT(a.error(), HasSubstr("the kernel did not take it over"));
  }
  RadioOptions options;
  options.country = "DE";
  options.channel = 13;
  Radio a{loop_, "wlan0", options};
  ASSERT_TRUE(a.wait_up()) << a.error();
  EXPECT_EQ(a.port->status().country, "DE");
  EXPECT_EQ(a.port->status().channel, 13);
  Radio b{loop_, "wlan1", options};
  ASSERT_TRUE(b.wait_up()) << b.error();
  EXPECT_EQ(a.send(b.port->address(), {13}), RadioSendResult::kAcked);
  EXPECT_FALSE(a.tune(14));
  EXPECT_THAT(a.error(), HasSubstr("the regulatory domain DE forbids it"));
}

// Run by radio_test.sh as a user without rights.
TEST(RadioWithoutRights, the_missing_capability_is_named) {
  Loop loop;
  Radio radio{loop, "wlan1"};
  EXPECT_TRUE(radio.wait([&] { return radio.port->status().error.has_value(); }));
  EXPECT_EQ(radio.port->status().state, RadioState::kDown);
  EXPECT_THAT(radio.error(), HasSubstr("Operation not permitted"));
  EXPECT_THAT(radio.error(), HasSubstr("CAP_NET_ADMIN"));
}

}  // namespace
}  // namespace amphora::runtime
