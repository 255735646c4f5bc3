// SPDX-License-Identifier: Apache-2.0
// Ports and the air in one loop, over real sockets on loopback.
#include "runtime/radio_air/air_port.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/radio_air/air_server.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

constexpr NodeId mac(std::uint64_t number) {
  return NodeId{0x020000000000 + number};
}

template <class Condition>
bool run_until(Loop& loop, Condition condition) {
  const TimePoint end = loop.now() + 30s;
  while (!condition() && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  return condition();
}

struct Radio {
  Radio(Loop& loop, std::uint16_t port_number, std::uint64_t number, std::uint8_t channel = 1) {
    RadioOptions options;
    options.channel = channel;
    RadioHandlers handlers;
    handlers.on_received = [this](NodeId from, ByteSpan bytes, std::optional<std::int8_t> rssi) {
      EXPECT_TRUE(rssi.has_value());
      heard.emplace_back(from, Bytes(bytes.begin(), bytes.end()));
    };
    handlers.on_sent = [this](std::uint32_t token, RadioSendResult result) {
      sent.emplace_back(token, result);
      if (on_sent) {
        on_sent();
      }
    };
    handlers.on_channel = [this](std::uint8_t at, const std::optional<SysError>& error) {
      channels.emplace_back(at, error ? error->text() : std::string{});
    };
    handlers.on_state = [this](RadioState state) { states.push_back(state); };
    const auto text = to_characters(mac(number));
    port = *make_radio_port(
        loop,
        "air://127.0.0.1:" + std::to_string(port_number) + "?mac=" + std::string{text.data(), text.size()},
        options, std::move(handlers));
  }
  bool is_up() const { return port->status().state == RadioState::kUp; }

  std::shared_ptr<RadioPort> port;
  std::vector<std::pair<NodeId, Bytes>> heard;
  std::vector<std::pair<std::uint32_t, RadioSendResult>> sent;
  std::vector<std::pair<std::uint8_t, std::string>> channels;
  std::vector<RadioState> states;
  std::function<void()> on_sent;
};

class AirPortTest : public ::testing::Test {
 protected:
  void start(air::AirConfig config = {}, std::uint16_t port = 0) {
    server_ = std::make_unique<air::AirServer>(loop_, std::move(config), nullptr);
    const auto error = server_->listen({"127.0.0.1", port, true});
    ASSERT_FALSE(error.has_value()) << error->text();
  }
  Loop loop_;
  std::unique_ptr<air::AirServer> server_;
};

TEST_F(AirPortTest, unicast_broadcast_and_channels) {
  start();
  Radio a{loop_, server_->port(), 1, 6};
  Radio b{loop_, server_->port(), 2, 6};
  ASSERT_TRUE(run_until(loop_, [&] { return a.is_up() && b.is_up(); }));
  EXPECT_EQ(a.port->address(), mac(1));
  EXPECT_EQ(a.port->status().channel, 6);
  EXPECT_TRUE(a.port->send(mac(2), Bytes(250, 0x11), 7));
  EXPECT_TRUE(a.sent.empty());  // never inside send()
  ASSERT_TRUE(run_until(loop_, [&] { return a.sent.size() == 1 && b.heard.size() == 1; }));
  EXPECT_EQ(a.sent[0], std::make_pair(7U, RadioSendResult::kAcked));
  EXPECT_EQ(b.heard[0], std::make_pair(mac(1), Bytes(250, 0x11)));
  EXPECT_TRUE(b.port->send(kEverybody, Bytes{1}, 8));
  b.port->set_channel(11);  // waits for the frame
  ASSERT_TRUE(run_until(loop_, [&] { return a.heard.size() == 1 && b.channels.size() == 1; }));
  EXPECT_EQ(b.sent[0].second, RadioSendResult::kAcked);
  EXPECT_EQ(b.channels[0], std::make_pair(std::uint8_t{11}, std::string{}));
  EXPECT_EQ(b.port->status().channel, 11);
  EXPECT_TRUE(a.port->send(mac(2), Bytes{2}, 9));
  ASSERT_TRUE(run_until(loop_, [&] { return a.sent.size() == 2; }));
  EXPECT_EQ(a.sent[1].second, RadioSendResult::kNoAck);
  EXPECT_EQ(a.port->status().counters.no_ack, 1U);
  EXPECT_EQ(a.port->status().counters.sent, 2U);
  EXPECT_EQ(b.port->status().counters.received, 1U);
  EXPECT_THAT(a.states, ::testing::ElementsAre(RadioState::kUp));
}

TEST_F(AirPortTest, one_frame_in_flight_and_the_next_from_the_answer) {
  start();
  Radio a{loop_, server_->port(), 1};
  Radio b{loop_, server_->port(), 2};
  ASSERT_TRUE(run_until(loop_, [&] { return a.is_up() && b.is_up(); }));
  EXPECT_TRUE(a.port->send(mac(2), Bytes{0}, 0));
  EXPECT_FALSE(a.port->send(mac(2), Bytes{1}, 1));
  EXPECT_EQ(a.port->status().counters.refused, 1U);
  a.on_sent = [&] {
    if (a.sent.size() < 50) {
      EXPECT_TRUE(a.port->send(mac(2), Bytes{static_cast<std::uint8_t>(a.sent.size())},
                               static_cast<std::uint32_t>(a.sent.size())));
    }
  };
  ASSERT_TRUE(run_until(loop_, [&] { return b.heard.size() == 50; }));
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(b.heard[i].second, Bytes{static_cast<std::uint8_t>(i)});
  }
  EXPECT_FALSE(a.port->send(mac(2), Bytes(251), 1));
  EXPECT_FALSE(a.port->send(mac(2), Bytes{}, 1));
}

TEST_F(AirPortTest, changes_are_answered_in_order_and_bad_ones_with_a_reason) {
  air::AirConfig config;
  config.channels = {1, 6};
  start(config);
  Radio a{loop_, server_->port(), 1};
  ASSERT_TRUE(run_until(loop_, [&] { return a.is_up(); }));
  a.port->set_channel(6);
  a.port->set_channel(11);
  a.port->set_channel(1);
  EXPECT_FALSE(a.port->send(kEverybody, Bytes{1}, 1));  // not while a change is going on
  ASSERT_TRUE(run_until(loop_, [&] { return a.channels.size() == 3; }));
  EXPECT_EQ(a.channels[0], std::make_pair(std::uint8_t{6}, std::string{}));
  EXPECT_EQ(a.channels[1].first, 11);
  EXPECT_THAT(a.channels[1].second, HasSubstr("started without this channel"));
  EXPECT_EQ(a.channels[2], std::make_pair(std::uint8_t{1}, std::string{}));
  EXPECT_EQ(a.port->status().channel, 1);
  a.port->set_channel(0);
  ASSERT_TRUE(run_until(loop_, [&] { return a.channels.size() == 4; }));
  EXPECT_THAT(a.channels[3].second, HasSubstr("channels are 1 to 14"));
  Radio elsewhere{loop_, server_->port(), 2, 13};
  ASSERT_TRUE(run_until(loop_, [&] { return elsewhere.is_up(); }));
  EXPECT_EQ(elsewhere.port->status().channel, 1);
  EXPECT_THAT(elsewhere.port->status().warning, HasSubstr("no channel 13"));
}

TEST_F(AirPortTest, the_air_comes_late_goes_and_comes_back) {
  start();
  const std::uint16_t port = server_->port();
  server_.reset();
  Radio a{loop_, port, 1, 6};
  ASSERT_TRUE(run_until(loop_, [&] { return a.port->status().error.has_value(); }));
  EXPECT_FALSE(a.is_up());
  EXPECT_THAT(a.port->status().error->text(), HasSubstr("amphora emulate air --listen 127.0.0.1:"));
  EXPECT_FALSE(a.port->send(kEverybody, Bytes{1}, 1));
  a.port->set_channel(3);
  ASSERT_TRUE(run_until(loop_, [&] { return a.channels.size() == 1; }));
  EXPECT_THAT(a.channels[0].second, HasSubstr("Connection refused"));

  start({}, port);
  ASSERT_TRUE(run_until(loop_, [&] { return a.is_up(); }));
  EXPECT_FALSE(a.port->status().error.has_value());
  EXPECT_EQ(a.port->status().channel, 6);

  // A frame that is on the way when the air goes away was not sent.
  server_.reset();
  EXPECT_TRUE(a.port->send(kEverybody, Bytes{1}, 5));
  ASSERT_TRUE(run_until(loop_, [&] { return a.sent.size() == 1; }));
  EXPECT_EQ(a.sent[0], std::make_pair(5U, RadioSendResult::kNotSent));
  ASSERT_TRUE(run_until(loop_, [&] { return !a.is_up(); }));
  start({}, port);
  ASSERT_TRUE(run_until(loop_, [&] { return a.is_up(); }));
  EXPECT_EQ(a.port->status().counters.restarts, 1U);
  EXPECT_EQ(a.port->status().counters.not_sent, 1U);
}

TEST_F(AirPortTest, a_second_port_with_the_address_takes_over) {
  start();
  Radio first{loop_, server_->port(), 1};
  ASSERT_TRUE(run_until(loop_, [&] { return first.is_up(); }));
  {
    Radio second{loop_, server_->port(), 1};
    ASSERT_TRUE(run_until(loop_, [&] { return second.is_up() && !first.is_up(); }));
    EXPECT_THAT(first.port->status().error->text(), HasSubstr("another program uses this address"));
  }
  ASSERT_TRUE(run_until(loop_, [&] { return first.is_up(); }));
}

TEST_F(AirPortTest, a_port_that_goes_is_gone_at_once) {
  start();
  {
    Radio a{loop_, server_->port(), 1};
    ASSERT_TRUE(run_until(loop_, [&] { return a.is_up(); }));
  }
  EXPECT_TRUE(run_until(loop_, [&] { return server_->model().client_count() == 0; }));
}

TEST(AirEndpoint, texts) {
  EXPECT_EQ(air::parse_endpoint("127.0.0.1:47000")->port, 47000);
  EXPECT_TRUE(air::parse_endpoint("127.0.0.1:47000")->is_loopback);
  EXPECT_FALSE(air::parse_endpoint("0.0.0.0:47000")->is_loopback);
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "localhost:1", "127.0.0.1:70000", "127.0.0.1:1x"}) {
    EXPECT_FALSE(air::parse_endpoint(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace amphora::runtime
