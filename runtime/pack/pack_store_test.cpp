// SPDX-License-Identifier: Apache-2.0
#include "runtime/pack/pack_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/sections/tables.hpp"

namespace amphora::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void put(StoredState& stored, const PackRecord& record) {
  stored.sections[record.name] = record.content;
}

state::Record a_record() {
  state::Record record;
  record.version = 7;
  record.stamp = {1'700'000'000'123, 4};
  record.origin = NodeId{0xA1B2C3D4E5F6};
  const std::array<std::uint8_t, 3> bytes{1, 0, 255};
  record.payload = state::Payload{bytes};
  return record;
}

TEST(PackStore, NothingStoredIsANewPack) {
  const StoredPack pack = load_pack({});
  EXPECT_EQ(pack.hardware, 0U);
  EXPECT_EQ(pack.node, packnet::kNodeNone);
  EXPECT_EQ(pack.floor, 0U);
  EXPECT_EQ(pack.facts, energy::Facts{});
  EXPECT_THAT(pack.sections, IsEmpty());
  EXPECT_THAT(pack.complaints, IsEmpty());
}

TEST(PackStore, WhatIsStoredComesBack) {
  energy::Facts facts;
  facts.has_eco_fallen_back = true;
  facts.import_exhausted = energy::ImportExhausted{20'000};
  facts.orders[energy::index_of(energy::Relay::kPump)] =
      energy::StoredOrder{energy::Position::kClosed, 1'800'000'000};
  StoredState stored;
  stored.sections["battery"] = "{}";  // of somebody else
  put(stored, hardware_record(0xA1B2C3D4E5F6));
  put(stored, to_record(node::PackStoreRequest{node::StoreNode{42}}));
  put(stored, to_record(node::PackStoreRequest{node::StoreFloor{1'234'567}}));
  put(stored, to_record(node::PackStoreRequest{energy::StoreRequest{3, facts}}));
  put(stored, to_record(node::PackStoreRequest{state::StoreRequest{sections::kModes, 9, a_record()}}));
  EXPECT_EQ(stored.sections.at("pack_hardware"), "0000a1b2c3d4e5f6");
  EXPECT_EQ(stored.sections.count("pack_section_modes"), 1U);
  const StoredPack pack = load_pack(stored);
  EXPECT_EQ(pack.hardware, 0xA1B2C3D4E5F6U);
  EXPECT_EQ(pack.node, 42);
  EXPECT_EQ(pack.floor, 1'234'567U);
  EXPECT_FALSE(pack.is_floor_lost);
  EXPECT_EQ(pack.facts, facts);
  ASSERT_EQ(pack.sections.size(), 1U);
  EXPECT_EQ(pack.sections[0].section, sections::kModes);
  EXPECT_EQ(pack.sections[0].record, a_record());
  EXPECT_THAT(pack.complaints, IsEmpty());
}

TEST(PackStore, WhatCannotBeReadIsToldAndLeftOut) {
  StoredState stored;
  stored.sections = {{"pack_facts", "00"},
                     {"pack_hardware", "x"},
                     {"pack_node", "127"},
                     {"pack_section_modes", "zz"},
                     {"pack_section_mqtt", to_text(a_record())},
                     {"pack_section_nonsense", to_text(a_record())}};
  const StoredPack pack = load_pack(stored);
  EXPECT_EQ(pack.node, packnet::kNodeNone);
  EXPECT_EQ(pack.facts, energy::Facts{});
  ASSERT_EQ(pack.sections.size(), 1U);
  EXPECT_EQ(pack.sections[0].record, std::nullopt);
  EXPECT_THAT(pack.complaints,
              ElementsAre(HasSubstr("pack_facts cannot be read; orders of people"),
                          HasSubstr("pack_hardware cannot be read; the hardware number is made anew"),
                          HasSubstr("pack_node cannot be read; the pack looks for a place"),
                          HasSubstr("pack_section_modes cannot be read; the section is empty until another"),
                          HasSubstr("pack_section_mqtt cannot be read; it is of a section that nobody knows"),
                          HasSubstr("pack_section_nonsense")));
}

// An old command could be given again if counting began at zero.
TEST(PackStore, ALostFloorLetsNoSealedCommandThrough) {
  StoredState damaged;
  damaged.damaged_sections = {"pack_floor", "pack_section_loads", "unrelated"};
  const StoredPack pack = load_pack(damaged);
  EXPECT_TRUE(pack.is_floor_lost);
  EXPECT_EQ(pack.floor, packnet::kCounterMax);
  ASSERT_EQ(pack.sections.size(), 1U);
  EXPECT_EQ(pack.sections[0].section, sections::kLoads);
  EXPECT_THAT(pack.complaints,
              ElementsAre(HasSubstr("no sealed command counts any more"), HasSubstr("pack_section_loads")));
  StoredState high;
  high.sections["pack_floor"] = "99999999999999999999";
  EXPECT_TRUE(load_pack(high).is_floor_lost);
}

}  // namespace
}  // namespace amphora::runtime
