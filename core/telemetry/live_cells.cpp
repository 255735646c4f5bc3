// SPDX-License-Identifier: Apache-2.0
#include "core/telemetry/live_cells.hpp"

#include <algorithm>

#include "core/telemetry/messages.hpp"

namespace amphora::telemetry {

namespace {

constexpr std::size_t chunk_count(std::size_t cells) {
  return (cells + kCellsPerChunk - 1) / kCellsPerChunk;
}

bool is_consistent(const CellsChunk& chunk) {
  if (static_cast<std::size_t>(chunk.kind) >= kCellsKindCount || chunk.chunks == 0 ||
      chunk.chunks > kChunksMax || chunk.chunk >= chunk.chunks ||
      chunk.first_cell != chunk.chunk * kCellsPerChunk) {
    return false;
  }
  const bool is_last = chunk.chunk + 1 == chunk.chunks;
  return is_last ? chunk.cells >= 1 && chunk.cells <= kCellsPerChunk : chunk.cells == kCellsPerChunk;
}

}  // namespace

bool CellsSplitter::set(CellsKind kind, std::uint32_t time_ms, std::span<const std::uint16_t> values) {
  if (values.empty() || values.size() > kLiveCellsMax) {
    ++metrics_.refused;
    return false;
  }
  Pending& pending = pending_[static_cast<std::size_t>(kind)];
  if (pending.next < pending.chunks) {
    ++metrics_.superseded;
  }
  ++metrics_.readings;
  pending.reading.kind = kind;
  pending.reading.time_ms = time_ms;
  pending.reading.count = static_cast<std::uint8_t>(values.size());
  std::ranges::copy(values, pending.reading.values.begin());
  pending.next = 0;
  pending.chunks = static_cast<std::uint8_t>(chunk_count(values.size()));
  return true;
}

std::optional<CellsChunk> CellsSplitter::poll_transmit() {
  for (Pending& pending : pending_) {
    if (pending.next >= pending.chunks) {
      continue;
    }
    CellsChunk chunk;
    chunk.kind = pending.reading.kind;
    chunk.chunk = pending.next++;
    chunk.chunks = pending.chunks;
    chunk.first_cell = static_cast<std::uint8_t>(chunk.chunk * kCellsPerChunk);
    chunk.time_ms = pending.reading.time_ms;
    const auto rest = pending.reading.view().subspan(chunk.first_cell);
    const auto values = rest.first(std::min(rest.size(), kCellsPerChunk));
    chunk.cells = static_cast<std::uint8_t>(values.size());
    std::ranges::copy(values, chunk.values.begin());
    ++metrics_.chunks;
    return chunk;
  }
  return std::nullopt;
}

void CellsSplitter::clear() {
  for (Pending& pending : pending_) {
    if (pending.next < pending.chunks) {
      ++metrics_.superseded;
    }
    pending.next = pending.chunks;
  }
}

void CellsAssembler::handle_chunk(const CellsChunk& chunk) {
  ++metrics_.chunks;
  if (!is_consistent(chunk)) {
    ++metrics_.refused;
    return;
  }
  Assembly& assembly = assemblies_[static_cast<std::size_t>(chunk.kind)];
  const bool is_first = assembly.chunks == 0;
  if (!is_first && is_before(chunk.time_ms, assembly.reading.time_ms)) {
    ++metrics_.late;
    return;
  }
  if (is_first || chunk.time_ms != assembly.reading.time_ms) {
    if (!is_first && !assembly.is_complete) {
      ++metrics_.incomplete;
    }
    assembly.reading = LiveCells{};
    assembly.reading.kind = chunk.kind;
    assembly.reading.time_ms = chunk.time_ms;
    assembly.chunks = chunk.chunks;
    assembly.arrived = 0;
    assembly.is_complete = false;
  }
  if (chunk.chunks != assembly.chunks) {
    ++metrics_.refused;
    return;
  }
  const std::uint32_t bit = 1U << chunk.chunk;
  if ((assembly.arrived & bit) != 0) {
    ++metrics_.late;
    return;
  }
  assembly.arrived |= bit;
  std::copy_n(chunk.values.begin(), chunk.cells, assembly.reading.values.begin() + chunk.first_cell);
  assembly.reading.count = static_cast<std::uint8_t>(assembly.reading.count + chunk.cells);
  if (assembly.arrived == (1U << assembly.chunks) - 1) {
    assembly.is_complete = true;
    ++metrics_.completed;
    if (assembly.is_ready) {
      ++metrics_.superseded;
    }
    assembly.is_ready = true;
    assembly.ready = assembly.reading;
  }
}

std::optional<LiveCells> CellsAssembler::poll_reading() {
  for (Assembly& assembly : assemblies_) {
    if (assembly.is_ready) {
      assembly.is_ready = false;
      return assembly.ready;
    }
  }
  return std::nullopt;
}

void CellsAssembler::begin_session() {
  for (Assembly& assembly : assemblies_) {
    if (assembly.chunks != 0 && !assembly.is_complete) {
      ++metrics_.incomplete;
    }
    assembly.chunks = 0;
  }
}

}  // namespace amphora::telemetry
