// SPDX-License-Identifier: Apache-2.0
// What needs no broker; the rest is in tests/system/runtime.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "runtime/mqtt/home_assistant.hpp"
#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

TEST(Topics, levels_and_publish_topics) {
  EXPECT_EQ(make_topic({"amphora", "home", "status"}), "amphora/home/status");
  EXPECT_EQ(make_topic({"amphora", "a/b"}), std::nullopt);
  EXPECT_EQ(make_topic({"amphora", "#"}), std::nullopt);
  EXPECT_EQ(make_topic({"amphora", ""}), std::nullopt);
  EXPECT_EQ(make_topic({}), std::nullopt);
  EXPECT_TRUE(is_publish_topic("a/b/c"));
  EXPECT_TRUE(is_publish_topic("haus/\xC3\xA4"));
  for (const std::string_view bad :
       {std::string_view{""}, std::string_view{"a/+"}, std::string_view{"a/#"}, std::string_view{"a\0b", 3},
        std::string_view{"\xC3"}, std::string_view{"\xC0\x80"}, std::string_view{"\xED\xA0\x80"}}) {
    EXPECT_FALSE(is_publish_topic(bad));
  }
  EXPECT_FALSE(is_publish_topic(std::string(513, 'a')));
}

TEST(MqttOptionsTest, plain_text_stays_on_this_machine) {
  MqttOptions options;
  EXPECT_EQ(check_mqtt_options(options), std::nullopt);
  options.host = "broker.lan";
  EXPECT_NE(check_mqtt_options(options)->find("mqtt.tls"), std::string::npos);
  options.allow_plain = true;
  EXPECT_EQ(check_mqtt_options(options), std::nullopt);
  options.allow_plain = false;
  options.tls = true;
  EXPECT_EQ(check_mqtt_options(options), std::nullopt);
  options.key_file = "k";
  EXPECT_TRUE(check_mqtt_options(options));
}

TEST(MqttQueues, without_a_broker_everything_is_bounded_and_counted) {
  MqttOptions options;
  options.port = 1;  // nobody listens there
  options.reading_capacity = 3;
  options.event_capacity = 2;
  options.state_topic_capacity = 2;
  MqttClient client{options, {}};
  for (std::uint64_t i = 1; i <= 5; ++i) {
    EXPECT_TRUE(client.publish_reading(i, "p/reading", "x"));
    EXPECT_TRUE(client.publish_event("p/event", "x"));
    EXPECT_TRUE(client.publish_state("p/state", "x"));
  }
  EXPECT_TRUE(client.publish_state("p/other", "x"));
  EXPECT_FALSE(client.publish_state("p/third", "x"));
  EXPECT_FALSE(client.publish_reading(6, "p/+", "x"));
  EXPECT_FALSE(client.subscribe("a/#/b"));
  const MqttStatus status = client.status();
  EXPECT_EQ(status.queued, 5U);
  EXPECT_EQ(status.dropped, 5U);
  EXPECT_EQ(status.replaced_states, 4U);
  EXPECT_EQ(status.refused_topics, 3U);
  EXPECT_FALSE(status.is_connected);
}

HomeAssistantDevice device() {
  HomeAssistantDevice device;
  device.site = "cabin";
  device.manufacturer = "Enepaq";
  device.program_version = "0.1.0";
  device.cell_count = 2;
  return device;
}

TEST(HomeAssistant, root_has_only_what_home_assistant_accepts) {
  EXPECT_EQ(discovery_topic(device()), "homeassistant/device/amphora_cabin_battery/config");
  const Json json = Json::parse(*discovery_payload(device()));
  const std::set<std::string> allowed = {"dev", "o", "cmps", "stat_t", "avty", "avty_mode"};
  for (const auto& [key, value] : json.items()) {
    EXPECT_TRUE(allowed.contains(key)) << key;
  }
  EXPECT_EQ(json["dev"]["ids"][0], "amphora_cabin_battery");
  EXPECT_FALSE(json["dev"].contains("sn"));  // unknown is absent
  EXPECT_EQ(json["o"]["name"], "amphora");
  EXPECT_EQ(json["avty"][1]["t"], "amphora/cabin/battery/status");
  EXPECT_EQ(json["stat_t"], "amphora/cabin/battery/state");
}

TEST(HomeAssistant, entities_follow_the_rules_of_their_kind) {
  const Json components = Json::parse(*discovery_payload(device()))["cmps"];
  std::set<std::string> ids;
  const std::set<std::string> known = {"p",        "uniq_id",      "def_ent_id",  "name",    "dev_cla",
                                       "stat_cla", "unit_of_meas", "sug_dsp_prc", "ent_cat", "val_tpl",
                                       "exp_aft",  "qos",          "ops",         "stat_t"};
  for (const auto& [key, entity] : components.items()) {
    EXPECT_TRUE(ids.insert(entity.at("uniq_id").get<std::string>()).second) << key;
    EXPECT_TRUE(entity.contains("p") && entity.contains("name") && entity.contains("val_tpl")) << key;
    for (const auto& [member, value] : entity.items()) {
      EXPECT_TRUE(known.contains(member)) << key << "." << member;
    }
    const std::string platform = entity["p"];
    EXPECT_TRUE(entity["def_ent_id"].get<std::string>().starts_with(platform + ".")) << key;
    if (entity.value("dev_cla", "") == "energy") {
      EXPECT_EQ(entity["stat_cla"], "total_increasing") << key;
      EXPECT_FALSE(entity.contains("exp_aft")) << key;
    } else {
      EXPECT_EQ(entity["exp_aft"], 60) << key;
    }
    if (entity.value("dev_cla", "") == "enum") {
      EXPECT_FALSE(entity.contains("stat_cla") || entity.contains("unit_of_meas")) << key;
      EXPECT_TRUE(entity.contains("ops")) << key;
    }
  }
  EXPECT_EQ(components["cell_2"]["stat_t"], "amphora/cabin/battery/cells");
  EXPECT_EQ(components["power"]["dev_cla"], "power");
}

TEST(HomeAssistant, names_that_are_no_topic_level_are_refused) {
  HomeAssistantDevice bad = device();
  bad.site = "a/b";
  EXPECT_EQ(discovery_topic(bad), std::nullopt);
  EXPECT_EQ(discovery_payload(bad), std::nullopt);
  bad = device();
  bad.base = "#";
  EXPECT_EQ(discovery_payload(bad), std::nullopt);
}

TEST(Announcer, at_once_after_connect_and_later_after_home_assistant_starts) {
  DiscoveryAnnouncer announcer{7};
  TimePoint now{5s};
  EXPECT_FALSE(announcer.poll_announce(now));
  announcer.handle_connected(now);
  EXPECT_TRUE(announcer.poll_announce(now));
  EXPECT_FALSE(announcer.poll_announce(now));
  announcer.handle_home_assistant_status(now, "offline");
  EXPECT_EQ(announcer.poll_timeout(), kNever);
  for (int i = 0; i < 100; ++i) {
    announcer.handle_home_assistant_status(now, "online");
    EXPECT_GE(announcer.poll_timeout(), now + 1s);
    EXPECT_LE(announcer.poll_timeout(), now + 10s);
  }
  EXPECT_TRUE(announcer.poll_announce(now + 10s));
  announcer.handle_connected(now);
  announcer.handle_disconnected();
  EXPECT_FALSE(announcer.poll_announce(now + 60s));
}

}  // namespace
}  // namespace amphora::runtime
