// SPDX-License-Identifier: Apache-2.0
#include "runtime/websocket/hub.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace amphora::runtime::http {
namespace {

using Json = nlohmann::json;

struct Client {
  explicit Client(Channel channel) : peer{channel, [this] { ++wakes; }} {}
  int wakes = 0;
  HubClient peer;
};

Json poll(Hub& hub, Client& client) {
  const SharedText text = hub.poll(client.peer);
  return text ? Json::parse(*text) : Json{};
}

TEST(HubTest, whole_state_first_then_only_what_changed) {
  Hub hub{8};
  Client early{Channel::kLive};
  ASSERT_TRUE(hub.add(early.peer));
  EXPECT_TRUE(poll(hub, early).is_null());
  hub.update_group("battery", R"({"soc_percent":50})");
  hub.update_group("box", R"({"name":"x"})");
  EXPECT_TRUE(poll(hub, early).is_null());  // not before the tick
  hub.tick(1000);
  const Json state = poll(hub, early);
  EXPECT_EQ(state["type"], "state");
  EXPECT_EQ(state["battery"]["soc_percent"], 50);
  EXPECT_EQ(state["box"]["name"], "x");
  hub.update_group("box", R"({"name":"x"})");  // the same
  hub.update_group("battery", R"({"soc_percent":51})");
  hub.tick(1200);
  const Json delta = poll(hub, early);
  EXPECT_EQ(delta["type"], "delta");
  EXPECT_EQ(delta["timestamp"], 1200);
  EXPECT_EQ(delta["battery"]["soc_percent"], 51);
  EXPECT_FALSE(delta.contains("box"));
  EXPECT_TRUE(poll(hub, early).is_null());
  Client late{Channel::kLive};
  ASSERT_TRUE(hub.add(late.peer));
  EXPECT_EQ(poll(hub, late)["battery"]["soc_percent"], 51);
  EXPECT_TRUE(poll(hub, late).is_null());
}

TEST(HubTest, a_slow_client_gets_one_message_with_the_newest_of_all_it_missed) {
  Hub hub{8};
  Client fast{Channel::kLive};
  Client slow{Channel::kLive};
  hub.update_group("a", "0");
  hub.update_group("b", "0");
  hub.tick(1);
  hub.add(fast.peer);
  hub.add(slow.peer);
  (void)poll(hub, fast);
  (void)poll(hub, slow);
  for (int i = 1; i <= 100; ++i) {
    hub.update_group(i % 2 == 0 ? "a" : "b", std::to_string(i));
    hub.tick(i);
    EXPECT_EQ(poll(hub, fast).size(), 3U);
  }
  const Json merged = poll(hub, slow);
  EXPECT_EQ(merged["a"], 100);
  EXPECT_EQ(merged["b"], 99);
  EXPECT_TRUE(poll(hub, slow).is_null());
  EXPECT_EQ(hub.counters().merged, 1U);
}

TEST(HubTest, clients_in_step_share_one_buffer) {
  Hub hub{8};
  Client a{Channel::kLive};
  Client b{Channel::kLive};
  hub.update_group("x", "1");
  hub.tick(1);
  hub.add(a.peer);
  hub.add(b.peer);
  (void)hub.poll(a.peer);
  (void)hub.poll(b.peer);
  hub.update_group("x", "2");
  hub.tick(2);
  EXPECT_EQ(hub.poll(a.peer).get(), hub.poll(b.peer).get());
}

TEST(HubTest, a_removed_group_is_null_once_and_then_absent) {
  Hub hub{8};
  Client a{Channel::kLive};
  hub.update_group("x", "1");
  hub.tick(1);
  hub.add(a.peer);
  (void)poll(hub, a);
  hub.update_group("x", "");
  hub.tick(2);
  EXPECT_TRUE(poll(hub, a).at("x").is_null());
  Client b{Channel::kLive};
  hub.add(b.peer);
  EXPECT_FALSE(poll(hub, b).contains("x"));
}

TEST(HubTest, events_wait_in_a_short_queue) {
  Hub hub{8};
  Client a{Channel::kLive};
  hub.update_group("x", "1");
  hub.tick(1);
  hub.add(a.peer);
  (void)poll(hub, a);
  for (std::size_t i = 0; i < kEventBacklogMax + 3; ++i) {
    hub.publish_event("{\"id\":" + std::to_string(i) + "}");
  }
  EXPECT_EQ(hub.counters().events_dropped, 3U);
  EXPECT_EQ(poll(hub, a)["event"]["id"], 3);
}

TEST(HubTest, cells_newest_only_and_at_once) {
  Hub hub{8};
  hub.publish_cells(R"({"n":1})");
  Client a{Channel::kCells};
  hub.add(a.peer);
  EXPECT_EQ(poll(hub, a)["n"], 1);
  hub.publish_cells(R"({"n":2})");
  hub.publish_cells(R"({"n":3})");
  EXPECT_EQ(poll(hub, a)["n"], 3);
  EXPECT_TRUE(poll(hub, a).is_null());
  EXPECT_EQ(a.wakes, 3);
}

TEST(HubTest, refuses_and_counts_over_the_limit) {
  Hub hub{1};
  Client a{Channel::kLive};
  Client b{Channel::kLive};
  EXPECT_TRUE(hub.add(a.peer));
  EXPECT_FALSE(hub.add(b.peer));
  EXPECT_EQ(hub.counters().clients_refused, 1U);
  hub.remove(a.peer);
  EXPECT_TRUE(hub.add(b.peer));
}

}  // namespace
}  // namespace amphora::runtime::http
