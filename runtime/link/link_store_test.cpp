// SPDX-License-Identifier: Apache-2.0
#include "runtime/link/link_store.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "core/base/rng.hpp"
#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {
namespace {

constexpr NodeId kPeer{0x0200'0000'0001};

state::Record random_record(Rng& rng) {
  state::Record record;
  record.version = rng.below(0xFFFF'FFFF);
  record.stamp = {rng.next() % state::kStampPhysicalMax, static_cast<std::uint16_t>(rng.below(0x10000))};
  record.origin = NodeId{rng.next() & 0xFFFF'FFFF'FFFF};
  std::array<std::uint8_t, state::kPayloadSizeMax> bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(rng.below(256));
  }
  record.payload = state::Payload{ByteSpan{bytes}.first(rng.below(state::kPayloadSizeMax + 1))};
  return record;
}

TEST(LinkStore, RecordsComeBackAsTheyWere) {
  Rng rng{5};
  for (int i = 0; i < 500; ++i) {
    const state::Record record = random_record(rng);
    EXPECT_EQ(record_from_text(to_text(record)), record);
  }
}

TEST(LinkStore, WhatIsNoRecordIsRefused) {
  Rng rng{6};
  const std::string good = to_text(random_record(rng));
  for (const std::string& bad : {std::string{}, std::string{"0"}, good + "0", good + "zz", good.substr(0, 39),
                                 std::string(500, 'a'), std::string{"ZZ"}}) {
    EXPECT_EQ(record_from_text(bad), std::nullopt) << bad;
  }
}

TEST(LinkStore, NamesSayWhoseSectionItIs) {
  EXPECT_EQ(section_name(NodeId{}, 3), "state.own.3");
  EXPECT_EQ(section_name(kPeer, 12), "state.02:00:00:00:00:01.12");
  EXPECT_EQ(key_name(kPeer), "link.key.02:00:00:00:00:01");
}

TEST(LinkStore, WhatCannotBeReadIsToldAndLeftOut) {
  Rng rng{7};
  const state::Record record = random_record(rng);
  StoredState stored;
  stored.sections = {{"state.own.3", to_text(record)},      {"state.02:00:00:00:00:01.4", "not hexadecimal"},
                     {"state.own.16", to_text(record)},     {"state.nobody.1", to_text(record)},
                     {"state.own.", to_text(record)},       {"link.key.02:00:00:00:00:01", "abcd 1"},
                     {"link.address", "02:00:00:00:00:09"}, {"settings.battery", "{}"}};
  stored.damaged_sections = {"state.own.5", "settings.log"};
  const StoredLink link = load_link(stored);
  EXPECT_EQ(link.address, NodeId{0x0200'0000'0009});
  EXPECT_TRUE(link.peers.empty());
  EXPECT_EQ(link.complaints.size(), 5U);
  ASSERT_EQ(link.sections.size(), 3U);
  for (const StoredSection& section : link.sections) {
    EXPECT_EQ(section.record.has_value(), section.section == 3) << int{section.section};
  }
}

TEST(LinkStore, TheNodePairedLastComesFirst) {
  crypto::Key first{};
  crypto::Key second{};
  second.fill(0xAB);
  StoredState stored;
  stored.sections = {{key_name(NodeId{1}), key_text(first, WallTime{1000})},
                     {key_name(NodeId{2}), key_text(second, WallTime{2000})}};
  const StoredLink link = load_link(stored);
  ASSERT_EQ(link.peers.size(), 2U);
  EXPECT_EQ(link.peers[0].node, NodeId{2});
  EXPECT_EQ(link.peers[0].link_key, second);
}

TEST(LinkStore, AQueueIsUsedFromItsLastHoleOn) {
  StoredState stored;
  stored.counters = {{"link_queue_epoch", 7}, {"link_queue_next", 12}};
  for (const std::uint32_t sequence : {5U, 6U, 9U, 10U, 11U}) {
    stored.link_queue.push_back({7, sequence, 0, 1, "00"});
  }
  stored.link_queue.insert(stored.link_queue.begin(), {6, 99, 0, 1, "00"});
  const StoredLink link = load_link(stored);
  ASSERT_EQ(link.queue.size(), 3U);
  EXPECT_EQ(link.queue.front().sequence, 9U);
  EXPECT_EQ(link.queue_next, 12U);
  EXPECT_EQ(link.queue_epoch, 7U);
}

class LinkRecords : public ::testing::Test {
 protected:
  LinkRecords() { std::filesystem::remove_all(directory_); }
  ~LinkRecords() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Store> open() {
    auto store = Store::open({.directory = directory_, .link_readings_max = 3});
    EXPECT_TRUE(store.ok());
    return std::move(store.value());
  }
  // Waits until the disk has it.
  template <class Put>
  static std::optional<SysError> wait_for(Put put) {
    std::promise<std::optional<SysError>> done;
    put([&done](const std::optional<SysError>& error) { done.set_value(error); });
    return done.get_future().get();
  }
  static LinkReading reading(std::uint32_t epoch, std::uint32_t sequence) {
    return {kPeer.value, epoch, sequence, 0, 0, 1, "00"};
  }

  std::string directory_ = "/tmp/amphora_link_store_" + std::to_string(::getpid());
};

TEST_F(LinkRecords, TheNewestReadingIsWhereAStreamGoesOn) {
  {
    const auto store = open();
    // A stream whose epoch is a smaller number follows, and its sequence has wrapped.
    for (const auto& one : {reading(9, 0xFFFF'FFFF), reading(9, 0), reading(9, 0), reading(4, 1)}) {
      EXPECT_EQ(wait_for([&](Store::Done done) { store->put_link_reading(one, done); }), std::nullopt);
    }
  }
  const auto store = open();
  ASSERT_EQ(store->stored().link_positions.size(), 1U);
  EXPECT_EQ(store->stored().link_positions[0].epoch, 4U);
  EXPECT_EQ(store->stored().link_positions[0].sequence, 1U);
}

TEST_F(LinkRecords, AQueueHoldsWhatWasNotForgotten) {
  {
    const auto store = open();
    for (std::uint32_t i = 1; i <= 5; ++i) {
      EXPECT_EQ(wait_for([&](Store::Done done) {
                  store->append_link_queue({3, i, 0, 1, "0a"}, done);
                }),
                std::nullopt);
    }
    EXPECT_EQ(wait_for([&](Store::Done done) { store->forget_link_queue(3, 3, done); }), std::nullopt);
  }
  const StoredLink link = load_link(open()->stored());
  ASSERT_EQ(link.queue.size(), 2U);
  EXPECT_EQ(link.queue.front().sequence, 4U);
  EXPECT_EQ(link.queue_epoch, 3U);
  EXPECT_EQ(link.queue_next, 6U);
}

TEST_F(LinkRecords, ARemovedSectionIsGone) {
  {
    const auto store = open();
    store->put_section("a", "1");
    store->put_section("b", "2");
    EXPECT_EQ(wait_for([&](Store::Done done) { store->remove_section("a", done); }), std::nullopt);
  }
  const auto store = open();
  EXPECT_EQ(store->stored().sections.count("a"), 0U);
  EXPECT_EQ(store->stored().sections.at("b"), "2");
}

}  // namespace
}  // namespace amphora::runtime
