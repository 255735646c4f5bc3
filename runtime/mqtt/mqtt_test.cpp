// SPDX-License-Identifier: Apache-2.0
// The parts of MQTT that need no broker.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/base/rng.hpp"
#include "runtime/mqtt/home_assistant.hpp"
#include "runtime/mqtt/mqtt_client.hpp"
#include "runtime/mqtt/outbox.hpp"

namespace amphora::runtime {
namespace {

using namespace std::chrono_literals;

TEST(Topics, RefuseWhatABrokerWouldRefuse) {
  EXPECT_TRUE(is_publish_topic("amphora/home/battery/state"));
  for (const std::string_view bad :
       std::initializer_list<std::string_view>{"", "a/+/b", "a/#", "\xFF", {"a\0b", 3}}) {
    EXPECT_FALSE(is_publish_topic(bad)) << bad;
  }
  EXPECT_FALSE(is_publish_topic(std::string(513, 'a')));
  EXPECT_TRUE(is_publish_topic(std::string(512, 'a')));
  EXPECT_EQ(make_topic({"amphora", "home_1"}), "amphora/home_1");
  EXPECT_FALSE(make_topic({"amphora", "my home"}));
  EXPECT_FALSE(make_topic({"amphora", "a.b"}));
  EXPECT_FALSE(is_topic_level(std::string(65, 'a')));
}

TEST(MqttOptions, PlainConnectionsStayOnThisMachine) {
  MqttOptions options;
  EXPECT_FALSE(check_mqtt_options(options));
  options.host = "192.0.2.1";
  EXPECT_TRUE(check_mqtt_options(options));
  options.allow_plain = true;
  EXPECT_FALSE(check_mqtt_options(options));
  options.allow_plain = false;
  options.tls = true;
  EXPECT_FALSE(check_mqtt_options(options));
  options.key_file = "key.pem";
  EXPECT_TRUE(check_mqtt_options(options));
}

TEST(Outbox, TheNewestStateReplacesTheOlder) {
  Outbox outbox{{}};
  EXPECT_TRUE(outbox.put_state("t", "1", false));
  EXPECT_TRUE(outbox.put_state("t", "2", false));
  EXPECT_EQ(outbox.replaced_count(), 1U);
  const auto message = outbox.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload, "2");
  EXPECT_FALSE(outbox.next());
  outbox.give_back(*message);
  EXPECT_EQ(outbox.next()->payload, "2");
}

TEST(Outbox, OnlyRetainedStatesAreSentAgainAfterALoss) {
  Outbox outbox{{}};
  (void)outbox.put_state("plain", "1", false);
  (void)outbox.put_state("retained", "2", true);
  while (outbox.next()) {
  }
  outbox.reset();
  EXPECT_EQ(outbox.next()->topic, "retained");
  EXPECT_FALSE(outbox.next());
}

TEST(Outbox, LimitsTheNumberOfStateTopics) {
  Outbox outbox{{.states = 1}};
  EXPECT_TRUE(outbox.put_state("a", "", false));
  EXPECT_FALSE(outbox.put_state("b", "", false));
  outbox.forget_state("a");
  EXPECT_TRUE(outbox.put_state("b", "", false));
}

TEST(Outbox, KeepsTheWindowAndResendsInOrder) {
  Outbox outbox{{.inflight_max = 2}};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    (void)outbox.put_reading({i, "t", std::to_string(i)});
  }
  const auto first = outbox.next();
  const auto second = outbox.next();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(outbox.next()) << "the window is full";
  outbox.set_message_id(first->ticket, 11);
  outbox.set_message_id(second->ticket, 12);
  EXPECT_EQ(outbox.acknowledge(12), 2U);
  EXPECT_EQ(outbox.next()->payload, "3");
  outbox.reset();
  EXPECT_EQ(outbox.next()->payload, "1");
  EXPECT_EQ(outbox.next()->payload, "3");
  EXPECT_FALSE(outbox.acknowledge(99));
}

TEST(Outbox, DropsTheOldestWhenFullAndSaysWhich) {
  Outbox outbox{{.readings = 2}};
  EXPECT_FALSE(outbox.put_reading({1, "t", ""}));
  EXPECT_FALSE(outbox.put_reading({2, "t", ""}));
  const auto dropped = outbox.put_reading({3, "t", ""});
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->sequence, 1U);
  EXPECT_EQ(outbox.dropped_count(), 1U);
  EXPECT_EQ(outbox.waiting_count(), 2U);
}

// Whatever is lost or acknowledged in whatever order: what a broker hears first of each reading is in order,
// and every reading is either heard or counted as dropped.
TEST(Outbox, DeliversInOrderForAnyCourseOfEvents) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng{seed};
    Outbox outbox{{.readings = 8, .inflight_max = 3}};
    std::vector<std::pair<int, std::uint64_t>> inflight;
    std::set<std::uint64_t> heard;
    std::uint64_t last_heard = 0;
    std::uint64_t sequence = 0;
    int message_id = 0;
    for (int step = 0; step < 400; ++step) {
      switch (rng.below(4)) {
        case 0:
          (void)outbox.put_reading({++sequence, "t", std::to_string(sequence)});
          break;
        case 1:
          while (const auto message = outbox.next()) {
            const std::uint64_t number = std::stoull(message->payload);
            if (heard.insert(number).second) {
              ASSERT_GT(number, last_heard) << "seed " << seed;
              last_heard = number;
            }
            outbox.set_message_id(message->ticket, ++message_id);
            inflight.emplace_back(message_id, number);
          }
          break;
        case 2:
          if (!inflight.empty()) {
            const auto chosen = inflight.begin() + rng.below(static_cast<std::uint32_t>(inflight.size()));
            (void)outbox.acknowledge(chosen->first);
            inflight.erase(chosen);
          }
          break;
        default:
          if (rng.chance(100'000)) {
            outbox.reset();
            inflight.clear();
          }
          break;
      }
    }
    EXPECT_GE(heard.size() + outbox.dropped_count() + outbox.waiting_count(), sequence) << "seed " << seed;
  }
}

HomeAssistantDevice device() {
  HomeAssistantDevice device;
  device.manufacturer = "Enepaq";
  device.program_version = "0.1.0";
  device.cell_count = 16;
  return device;
}

TEST(HomeAssistant, TheRootHasOnlyWhatItAccepts) {
  EXPECT_EQ(discovery_topic(device()), "homeassistant/device/amphora_home_battery/config");
  const auto json = nlohmann::json::parse(*discovery_payload(device()));
  const std::set<std::string> accepted{"dev", "o", "cmps", "stat_t", "avty", "avty_mode"};
  for (const auto& [key, value] : json.items()) {
    EXPECT_TRUE(accepted.contains(key)) << key;
  }
  EXPECT_EQ(json["dev"]["ids"][0], "amphora_home_battery");
  EXPECT_FALSE(json["o"]["name"].get<std::string>().empty());
  EXPECT_FALSE(json["dev"].contains("sn")) << "an unknown serial number is absent";
}

TEST(HomeAssistant, EveryComponentHasAPlatformAndAUniqueId) {
  const auto json = nlohmann::json::parse(*discovery_payload(device()));
  std::set<std::string> ids;
  for (const auto& [key, component] : json["cmps"].items()) {
    EXPECT_TRUE(component.contains("p")) << key;
    EXPECT_TRUE(ids.insert(component["uniq_id"]).second) << key;
    const bool is_meter = component.value("stat_cla", "") == "total_increasing";
    EXPECT_EQ(component.contains("exp_aft"), !is_meter) << key;
  }
  EXPECT_GE(ids.size(), 16U + 18U);
  EXPECT_EQ(json["cmps"]["power_discharge_w"]["dev_cla"], "power");
}

TEST(HomeAssistant, OneOfSeveralBatteriesHasTopicsAndIdsOfItsOwn) {
  HomeAssistantDevice pack = device();
  pack.unit = "pack_cellar";
  pack.has_inverter = false;
  EXPECT_EQ(discovery_topic(pack), "homeassistant/device/amphora_home_pack_cellar_battery/config");
  const auto json = nlohmann::json::parse(*discovery_payload(pack));
  EXPECT_EQ(json["stat_t"], "amphora/home/pack_cellar/battery/state");
  EXPECT_EQ(json["avty"][0]["t"], "amphora/home/pack_cellar/status");
  EXPECT_EQ(json["cmps"]["cell_1"]["stat_t"], "amphora/home/pack_cellar/battery/cells");
  EXPECT_EQ(json["cmps"]["soc_percent"]["uniq_id"], "amphora_home_pack_cellar_battery_soc_percent");
  EXPECT_FALSE(json["cmps"].contains("ccl_a"));
  EXPECT_FALSE(json["cmps"].contains("inverter"));
  pack.unit = "pack/cellar";
  EXPECT_FALSE(discovery_payload(pack));
}

TEST(HomeAssistant, NamesThatAreNoTopicLevelAreRefused) {
  HomeAssistantDevice bad = device();
  bad.site = "my home";
  EXPECT_FALSE(discovery_topic(bad));
  EXPECT_FALSE(discovery_payload(bad));
}

TEST(HomeAssistant, IsAnnouncedAtOnceAfterConnectingAndLaterAfterItsRestart) {
  DiscoveryAnnouncer announcer{1};
  const TimePoint start{100s};
  EXPECT_FALSE(announcer.poll_announce(start));
  announcer.handle_connected(start);
  EXPECT_TRUE(announcer.poll_announce(start));
  EXPECT_FALSE(announcer.poll_announce(start + 1h));
  announcer.handle_home_assistant_status(start, "offline");
  EXPECT_EQ(announcer.poll_timeout(), kNever);
  announcer.handle_home_assistant_status(start, "online");
  EXPECT_FALSE(announcer.poll_announce(start + 999ms));
  EXPECT_TRUE(announcer.poll_announce(start + 10s));
}

}  // namespace
}  // namespace amphora::runtime
