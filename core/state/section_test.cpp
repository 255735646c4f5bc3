// SPDX-License-Identifier: Apache-2.0
// The law of merging, for any records.
#include "core/state/section.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace amphora::state {
namespace {

// From small ranges, so that every kind of equality occurs.
Record small_record(int number) {
  Record record;
  record.version = static_cast<std::uint32_t>(number % 3);
  record.stamp = {static_cast<std::uint64_t>(number / 3 % 3), static_cast<std::uint16_t>(number / 9 % 2)};
  record.origin = NodeId{static_cast<std::uint64_t>(number / 18 % 2)};
  const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(number / 36 % 3),
                                        static_cast<std::uint8_t>(number / 108 % 2));
  record.payload = Payload{bytes};
  return record;
}
constexpr int kSmallRecords = 216;

RC_GTEST_PROP(Merge, IsCommutativeAssociativeAndIdempotent, ()) {
  const auto draw = [] { return small_record(*rc::gen::inRange(0, kSmallRecords)); };
  const Record a = draw();
  const Record b = draw();
  const Record c = draw();
  RC_ASSERT(merge(a, b) == merge(b, a));
  RC_ASSERT(merge(merge(a, b), c) == merge(a, merge(b, c)));
  RC_ASSERT(merge(a, a) == a);
  RC_ASSERT(merge(a, b).version >= a.version);
  RC_ASSERT(merge(a, b).stamp >= a.stamp);
}

RC_GTEST_PROP(Merge, AnyOrderLossOfRepetitionsAndRepetitionEndInTheSame,
              (std::vector<int> numbers, int seed)) {
  RC_PRE(!numbers.empty());
  const auto merged = [](const std::vector<int>& order) {
    Record all;
    for (const int number : order) {
      all = merge(all, small_record(static_cast<int>(static_cast<unsigned>(number) % kSmallRecords)));
    }
    return all;
  };
  const Record expected = merged(numbers);
  std::vector<int> other = numbers;
  std::rotate(other.begin(), other.begin() + static_cast<unsigned>(seed) % other.size(), other.end());
  other.insert(other.end(), numbers.begin(), numbers.begin() + static_cast<unsigned>(seed) % numbers.size());
  std::reverse(other.begin(), other.end());
  RC_ASSERT(merged(other) == expected);
}

TEST(Merge, AllTriplesOfSmallRecordsAgree) {
  for (int i = 0; i < kSmallRecords; i += 5) {
    for (int j = 0; j < kSmallRecords; ++j) {
      for (int k = 0; k < kSmallRecords; k += 7) {
        const Record a = small_record(i);
        const Record b = small_record(j);
        const Record c = small_record(k);
        ASSERT_EQ(merge(a, b), merge(b, a));
        ASSERT_EQ(merge(merge(a, b), c), merge(a, merge(b, c)));
      }
    }
  }
}

TEST(Merge, TheDefaultNeverWins) {
  const Record data{1, {1, 0}, NodeId{1}, Payload{}};
  EXPECT_EQ(merge(Record{}, data), data);
  EXPECT_EQ(merge(data, Record{}), data);
}

TEST(Merge, EqualStampAndOriginTheLargerPayloadWins) {
  const std::uint8_t one[] = {1, 9};
  const std::uint8_t two[] = {2, 0};
  const std::uint8_t longer[] = {0, 0, 0};
  const auto record = [](ByteSpan bytes) { return Record{1, {5, 5}, NodeId{1}, Payload{bytes}}; };
  EXPECT_EQ(merge(record(one), record(two)), record(two));
  EXPECT_EQ(merge(record(longer), record(two)), record(longer));
}

TEST(Payload, IsCutAtItsCapacity) {
  const std::vector<std::uint8_t> bytes(kPayloadSizeMax + 1, 7);
  EXPECT_EQ(Payload{bytes}.size(), kPayloadSizeMax);
  Payload payload{ByteSpan{bytes}.first(kPayloadSizeMax - 1)};
  EXPECT_TRUE(payload.append(ByteSpan{bytes}.first(1)));
  EXPECT_FALSE(payload.append(ByteSpan{bytes}.first(1)));
}

TEST(RecordDigest, DiffersWithEveryPart) {
  const Record record{1, {5, 5}, NodeId{1}, Payload{}};
  EXPECT_EQ(digest_of(1, Record{}), 0U);
  constexpr std::uint8_t kZero[] = {0};
  std::vector<std::uint64_t> digests{digest_of(1, record), digest_of(2, record)};
  for (const Record& other :
       {Record{2, {5, 5}, NodeId{1}, {}}, Record{1, {6, 5}, NodeId{1}, {}}, Record{1, {5, 6}, NodeId{1}, {}},
        Record{1, {5, 5}, NodeId{2}, {}}, Record{1, {5, 5}, NodeId{1}, Payload{kZero}}}) {
    digests.push_back(digest_of(1, other));
  }
  std::ranges::sort(digests);
  EXPECT_EQ(std::ranges::adjacent_find(digests), digests.end());
}

}  // namespace
}  // namespace amphora::state
