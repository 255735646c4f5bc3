// SPDX-License-Identifier: Apache-2.0
#include "sim/models/flash_store.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace amphora::sim {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;
using ReadState = FlashStore::ReadState;

Bytes value_of(std::uint32_t number, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::uint8_t>(number * 31U + i * 7U);
  }
  return bytes;
}

Bytes bytes_of(const FlashStore::ReadResult& result) {
  return Bytes(result.bytes.begin(), result.bytes.end());
}

TEST(FlashStore, AWriteIsDurableAfterItsLatency) {
  FlashStore store{FlashStoreConfig{.write_min = Duration{5'000}, .write_max = Duration{5'000}}, Rng{1}};
  EXPECT_EQ(store.read(3).state, ReadState::kAbsent);
  ASSERT_TRUE(store.write(TimePoint{}, 3, value_of(1, 100), 77));
  ASSERT_TRUE(store.write(TimePoint{}, 4, value_of(2, 10), 78));
  EXPECT_EQ(to_microseconds(store.poll_timeout()), 5'000);
  store.handle_timeout(TimePoint{Duration{4'999}});
  EXPECT_FALSE(store.poll_durable().has_value());
  EXPECT_EQ(store.read(3).state, ReadState::kAbsent);
  store.handle_timeout(TimePoint{Duration{5'000}});
  const auto durable = store.poll_durable();
  ASSERT_TRUE(durable.has_value());
  EXPECT_EQ(durable->key, 3U);
  EXPECT_EQ(durable->ticket, 77U);
  EXPECT_EQ(bytes_of(store.read(3)), value_of(1, 100));
  EXPECT_EQ(to_microseconds(store.poll_timeout()), 10'000) << "one after the other";
}

TEST(FlashStore, WhatDoesNotFitIsRefusedAndCounted) {
  FlashStore store{FlashStoreConfig{.key_count_max = 1, .value_size_max = 8}, Rng{1}};
  EXPECT_FALSE(store.write(TimePoint{}, 1, value_of(1, 9)));
  ASSERT_TRUE(store.write(TimePoint{}, 1, value_of(1, 8)));
  EXPECT_FALSE(store.write(TimePoint{}, 2, value_of(1, 8)));
  for (std::size_t i = 1; i < FlashStore::kPendingMax; ++i) {
    ASSERT_TRUE(store.write(TimePoint{}, 1, value_of(1, 8)));
  }
  EXPECT_FALSE(store.write(TimePoint{}, 1, value_of(1, 8)));
  EXPECT_EQ(store.statistics().refused, 3U);
}

TEST(FlashStore, DurableDataSurvivesEveryPowerCut) {
  FlashStore store{FlashStoreConfig{}, Rng{5}};
  TimePoint now{};
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(store.write(now, 1, value_of(i, 60)));
    now += 1s;
    store.handle_timeout(now);
    store.power_cut(now);
    EXPECT_EQ(bytes_of(store.read(1)), value_of(i, 60));
  }
}

// Invariant 8 of the model itself: after a cut each key holds a value that was written, and never one older
// than the last durable one.
TEST(FlashStore, APowerCutLeavesTheOldOrTheNewValue) {
  Rng rng{11};
  std::uint64_t torn = 0;
  std::set<int> outcomes;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    FlashStore store{FlashStoreConfig{.key_count_max = 4}, Rng{seed}};
    std::map<StoreKey, Bytes> durable;
    TimePoint now{};
    for (int cut = 0; cut < 10; ++cut) {
      std::map<StoreKey, std::vector<Bytes>> waiting;
      const std::uint32_t writes = rng.below(6);
      for (std::uint32_t i = 0; i < writes; ++i) {
        const StoreKey key = rng.below(4);
        const Bytes value = value_of(rng.below(100'000), 1 + rng.below(200));
        ASSERT_TRUE(store.write(now, key, value));
        waiting[key].push_back(value);
        now += Duration{rng.between(0, 10'000)};
        store.handle_timeout(now);
        while (const auto done = store.poll_durable()) {
          durable[done->key] = waiting[done->key].front();
          waiting[done->key].erase(waiting[done->key].begin());
        }
      }
      store.power_cut(now);
      for (StoreKey key = 0; key < 4; ++key) {
        const auto result = store.read(key);
        // Only a key that never had a durable value can read as damaged: the other place is never touched.
        ASSERT_TRUE(result.state != ReadState::kDamaged || !durable.contains(key));
        const Bytes found = bytes_of(result);
        const bool is_old = durable.contains(key) ? found == durable[key] : result.state != ReadState::kGood;
        const bool is_new = std::any_of(waiting[key].begin(), waiting[key].end(),
                                        [&](const Bytes& value) { return value == found; });
        EXPECT_TRUE(is_old || is_new);
        if (!waiting[key].empty()) {
          outcomes.insert(is_new ? 1 : 0);
        }
        if (result.state == ReadState::kGood) {
          durable[key] = found;
        }
      }
      now += 1s;
    }
    torn += store.statistics().torn;
  }
  EXPECT_GT(torn, 100U);
  EXPECT_EQ(outcomes.size(), 2U);
}

TEST(FlashStore, ALaterWriteMaySurviveAnEarlierOne) {
  int reordered = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    FlashStore store{FlashStoreConfig{}, Rng{seed}};
    ASSERT_TRUE(store.write(TimePoint{}, 1, value_of(1, 50)));
    ASSERT_TRUE(store.write(TimePoint{}, 2, value_of(2, 50)));
    store.power_cut(TimePoint{});
    const bool has_first = store.read(1).state == ReadState::kGood;
    const bool has_second = store.read(2).state == ReadState::kGood;
    reordered += !has_first && has_second ? 1 : 0;
  }
  EXPECT_GT(reordered, 10);
}

TEST(FlashStore, ABlockThatTakesItsNeighbourWithItReadsAsDamaged) {
  int damaged = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    FlashStore store{
        FlashStoreConfig{.lost_ppm = 0, .torn_ppm = 1'000'000, .damages_neighbour_ppm = 1'000'000},
        Rng{seed}};
    ASSERT_TRUE(store.write(TimePoint{}, 1, value_of(1, 50)));
    store.handle_timeout(TimePoint{1s});
    ASSERT_TRUE(store.write(TimePoint{1s}, 1, value_of(2, 50)));
    store.power_cut(TimePoint{1s});
    const auto result = store.read(1);
    damaged += result.state == ReadState::kDamaged ? 1 : 0;
    EXPECT_NE(result.state, ReadState::kGood);
    // The next write makes it good again.
    ASSERT_TRUE(store.write(TimePoint{1s}, 1, value_of(3, 50)));
    store.handle_timeout(TimePoint{2 * 1s});
    EXPECT_EQ(bytes_of(store.read(1)), value_of(3, 50));
  }
  EXPECT_EQ(damaged, 50);
}

TEST(FlashStore, WearIsCountedForEachKeyAndForAYear) {
  FlashStore store{FlashStoreConfig{}, Rng{1}};
  TimePoint now{};
  for (int i = 0; i < 24; ++i) {
    ASSERT_TRUE(store.write(now, 1, value_of(1, 10)));
    if (i % 2 == 0) {
      ASSERT_TRUE(store.write(now, 2, value_of(1, 10)));
    }
    now += std::chrono::hours{1};
    store.handle_timeout(now);
  }
  EXPECT_EQ(store.write_count(1), 24U);
  EXPECT_EQ(store.write_count(2), 12U);
  EXPECT_EQ(store.writes_per_year(std::chrono::hours{24}), 24U * 365U);
}

TEST(FlashStore, ErasedItIsEmpty) {
  FlashStore store{FlashStoreConfig{}, Rng{1}};
  ASSERT_TRUE(store.write(TimePoint{}, 1, value_of(1, 10)));
  store.handle_timeout(TimePoint{1s});
  store.erase();
  EXPECT_EQ(store.read(1).state, ReadState::kAbsent);
}

}  // namespace
}  // namespace amphora::sim
