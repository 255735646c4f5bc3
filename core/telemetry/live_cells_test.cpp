// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/live_cells.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/rng.hpp"

namespace amphora::telemetry {
namespace {

std::vector<std::uint16_t> cells(std::size_t count, std::uint16_t from) {
  std::vector<std::uint16_t> values(count);
  std::iota(values.begin(), values.end(), from);
  return values;
}

std::vector<CellsChunk> chunks_of(CellsSplitter& splitter) {
  std::vector<CellsChunk> chunks;
  while (const auto chunk = splitter.poll_transmit()) {
    chunks.push_back(*chunk);
  }
  return chunks;
}

TEST(LiveCells, EveryCountGoesThroughInAnyOrder) {
  Rng rng{1};
  for (std::size_t count = 1; count <= kLiveCellsMax; ++count) {
    CellsSplitter splitter;
    CellsAssembler assembler;
    const auto values = cells(count, 3300);
    ASSERT_TRUE(splitter.set(CellsKind::kVoltage, 9, values));
    auto chunks = chunks_of(splitter);
    ASSERT_EQ(chunks.size(), (count + 31) / 32);
    for (std::size_t i = chunks.size(); i > 1; --i) {
      std::swap(chunks[i - 1], chunks[rng.below(static_cast<std::uint32_t>(i))]);
    }
    for (const CellsChunk& chunk : chunks) {
      EXPECT_FALSE(assembler.poll_reading().has_value());
      assembler.handle_chunk(chunk);
    }
    const auto reading = assembler.poll_reading();
    ASSERT_TRUE(reading.has_value());
    EXPECT_TRUE(std::ranges::equal(reading->view(), values));
    EXPECT_EQ(reading->time_ms, 9u);
    EXPECT_FALSE(assembler.poll_reading().has_value());
  }
}

TEST(LiveCells, KindsAreApartAndTheNewestWins) {
  CellsSplitter splitter;
  EXPECT_FALSE(splitter.set(CellsKind::kVoltage, 1, {}));
  EXPECT_FALSE(splitter.set(CellsKind::kVoltage, 1, cells(193, 0)));
  EXPECT_EQ(splitter.metrics().refused, 2u);
  ASSERT_TRUE(splitter.set(CellsKind::kTemperature, 1, cells(40, 100)));
  ASSERT_TRUE(splitter.set(CellsKind::kVoltage, 1, cells(96, 3000)));
  ASSERT_TRUE(splitter.poll_transmit().has_value());
  ASSERT_TRUE(splitter.set(CellsKind::kVoltage, 2, cells(96, 4000)));
  EXPECT_EQ(splitter.metrics().superseded, 1u);
  CellsAssembler assembler;
  for (const CellsChunk& chunk : chunks_of(splitter)) {
    assembler.handle_chunk(chunk);
  }
  const auto voltage = assembler.poll_reading();
  const auto temperature = assembler.poll_reading();
  ASSERT_TRUE(voltage && temperature);
  EXPECT_EQ(voltage->values[95], 4095);
  EXPECT_EQ(temperature->kind, CellsKind::kTemperature);
  EXPECT_EQ(temperature->count, 40);
  ASSERT_TRUE(splitter.set(CellsKind::kVoltage, 3, cells(96, 0)));
  splitter.clear();
  EXPECT_TRUE(chunks_of(splitter).empty());
  EXPECT_EQ(splitter.metrics().superseded, 2u);
}

TEST(LiveCells, NoPictureIsPutTogetherFromTwoMoments) {
  CellsSplitter splitter;
  (void)splitter.set(CellsKind::kVoltage, 0xFFFF'FFFF, cells(96, 1000));
  const auto old = chunks_of(splitter);
  (void)splitter.set(CellsKind::kVoltage, 5, cells(96, 2000));
  const auto fresh = chunks_of(splitter);
  CellsAssembler assembler;
  assembler.handle_chunk(old[0]);
  assembler.handle_chunk(old[1]);
  assembler.handle_chunk(fresh[2]);
  EXPECT_EQ(assembler.metrics().incomplete, 1u);
  assembler.handle_chunk(old[2]);
  EXPECT_EQ(assembler.metrics().late, 1u) << "older, although its number is larger";
  assembler.handle_chunk(fresh[0]);
  assembler.handle_chunk(fresh[0]);
  EXPECT_EQ(assembler.metrics().late, 2u);
  EXPECT_FALSE(assembler.poll_reading().has_value());
  assembler.handle_chunk(fresh[1]);
  const auto reading = assembler.poll_reading();
  ASSERT_TRUE(reading.has_value());
  EXPECT_EQ(reading->values[0], 2000);
  EXPECT_EQ(reading->values[95], 2095);
  EXPECT_EQ(assembler.metrics().completed, 1u);
  // A sender that started again has a younger clock; a new session makes that known.
  assembler.handle_chunk(old[0]);
  assembler.begin_session();
  for (const CellsChunk& chunk : old) {
    assembler.handle_chunk(chunk);
  }
  EXPECT_EQ(assembler.poll_reading()->values[0], 1000);
}

TEST(LiveCells, ChunksThatContradictThemselvesAreRefused) {
  CellsSplitter splitter;
  (void)splitter.set(CellsKind::kVoltage, 1, cells(96, 1000));
  const CellsChunk good = chunks_of(splitter)[1];
  std::vector<CellsChunk> bad(7, good);
  bad[0].chunks = 0;
  bad[1].chunks = kChunksMax + 1;
  bad[2].chunk = 3;
  bad[3].first_cell = 33;
  bad[4].cells = 31;
  bad[5].cells = 33;
  bad[6].kind = static_cast<CellsKind>(2);
  CellsAssembler assembler;
  for (const CellsChunk& chunk : bad) {
    assembler.handle_chunk(chunk);
  }
  EXPECT_EQ(assembler.metrics().refused, 7u);
  assembler.handle_chunk(good);
  CellsChunk other = good;
  other.chunks = 2;
  assembler.handle_chunk(other);
  EXPECT_EQ(assembler.metrics().refused, 8u) << "one reading has one number of chunks";
  EXPECT_FALSE(assembler.poll_reading().has_value());
}

}  // namespace
}  // namespace amphora::telemetry
