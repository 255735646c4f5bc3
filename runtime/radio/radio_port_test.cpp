// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio/radio_port.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

TEST(RadioSpecTest, names_each_kind) {
  const auto packet = parse_radio_spec("wlan1");
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->kind, RadioSpec::Kind::kPacket);
  EXPECT_EQ(packet->name, "wlan1");
  EXPECT_EQ(parse_radio_spec("wlx00c0ca-1.b_2")->kind, RadioSpec::Kind::kPacket);
  const auto air = parse_radio_spec("air://127.0.0.1:47000?mac=02:00:00:00:0a:Ff");
  ASSERT_TRUE(air.ok());
  EXPECT_EQ(air->kind, RadioSpec::Kind::kAir);
  EXPECT_EQ(air->name, "127.0.0.1");
  EXPECT_EQ(air->port, 47000);
  EXPECT_EQ(air->mac.value, 0x020000000AFFU);
}

TEST(RadioSpecTest, names_what_is_wrong) {
  const std::vector<std::pair<std::string, RadioSpecError>> cases{
      {"", RadioSpecError::kEmpty},
      {"udp://127.0.0.1:1", RadioSpecError::kUnknownScheme},
      {"wlan 1", RadioSpecError::kBadInterfaceName},
      {"a-name-of-sixteen", RadioSpecError::kBadInterfaceName},
      {"air://localhost:47000?mac=02:00:00:00:00:01", RadioSpecError::kBadAddress},
      {"air://?mac=02:00:00:00:00:01", RadioSpecError::kBadAddress},
      {"air://127.0.0.1?mac=02:00:00:00:00:01", RadioSpecError::kBadPort},
      {"air://127.0.0.1:0?mac=02:00:00:00:00:01", RadioSpecError::kBadPort},
      {"air://127.0.0.1:70000?mac=02:00:00:00:00:01", RadioSpecError::kBadPort},
      {"air://127.0.0.1:47000", RadioSpecError::kMissingMac},
      {"air://127.0.0.1:47000?name=x", RadioSpecError::kUnknownParameter},
      {"air://127.0.0.1:47000?mac=02:00:00:00:00", RadioSpecError::kBadMac},
      {"air://127.0.0.1:47000?mac=02:00:00:00:00:0g", RadioSpecError::kBadMac},
      {"air://127.0.0.1:47000?mac=02-00-00-00-00-01", RadioSpecError::kBadMac},
      {"air://127.0.0.1:47000?mac=00:00:00:00:00:00", RadioSpecError::kBadMac},
      {"air://127.0.0.1:47000?mac=03:00:00:00:00:01", RadioSpecError::kBadMac},
      {"air://127.0.0.1:47000?mac=02:00:00:00:00:01&x", RadioSpecError::kBadMac},
  };
  Loop loop;
  for (const auto& [text, error] : cases) {
    const auto spec = parse_radio_spec(text);
    ASSERT_FALSE(spec.ok()) << text;
    EXPECT_EQ(spec.error(), error) << text;
    EXPECT_FALSE(to_text(error).empty());
    EXPECT_FALSE(make_radio_port(loop, text, {}, {}).ok());
  }
}

TEST(RadioPacket, an_interface_that_does_not_exist_is_a_state_with_a_reason) {
  Loop loop;
  std::vector<std::string> answers;
  RadioHandlers handlers;
  handlers.on_channel = [&](std::uint8_t, const std::optional<SysError>& error) {
    answers.push_back(error ? error->text() : "");
  };
  const auto port = *make_radio_port(loop, "wlan_missing", {}, std::move(handlers));
  const TimePoint end = loop.now() + 20s;
  while (!port->status().error && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  ASSERT_TRUE(port->status().error.has_value());
  // Which of the two depends on whether this kernel knows Wi-Fi at all.
  EXPECT_THAT(port->status().error->text(),
              ::testing::AnyOf(::testing::HasSubstr("there is no such interface"),
                               ::testing::HasSubstr("this kernel has no Wi-Fi")));
  EXPECT_FALSE(port->send(kEverybody, ByteSpan{}, 1));
  port->set_channel(6);
  EXPECT_TRUE(answers.empty());  // never inside the call
  while (answers.empty() && loop.now() < end) {
    loop.run_until(loop.now() + 2ms);
  }
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_FALSE(answers[0].empty());
}

}  // namespace
}  // namespace amphora::runtime
