// SPDX-License-Identifier: Apache-2.0
// Live cell values: up to 192 cells, many times a second, cut into chunks of 32. The newest wins, nothing is
// repeated; who needs every value reads the queue of readings instead.
//
// The splitter keeps one reading of each kind and hands out its chunks; a newer reading replaces what was not
// sent yet. The assembler completes a reading only when all its chunks came with one time stamp, so that no
// picture is ever put together from two moments. Incomplete ones are counted.
//
// Values are the bare 16 bits: millivolts, or tenths of a degree Celsius as two's complement; kUnknownVoltage
// and kUnknownTemperature stand for a sensor without a value on the wire and in these arrays. Neither class
// reads them. Nothing here depends on time: no time-outs, no events.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/time.hpp"

namespace amphora::telemetry {

inline constexpr std::size_t kCellsPerChunk = 32;
inline constexpr std::size_t kLiveCellsMax = 192;  // two batteries of 96
inline constexpr std::size_t kChunksMax = kLiveCellsMax / kCellsPerChunk;
inline constexpr std::uint16_t kUnknownVoltage = 0xFFFF;
inline constexpr std::uint16_t kUnknownTemperature = 0x8000;

enum class CellsKind : std::uint8_t { kVoltage, kTemperature };
inline constexpr std::size_t kCellsKindCount = 2;

struct CellsChunk {
  CellsKind kind = CellsKind::kVoltage;
  std::uint8_t chunk = 0;       // 0 to chunks - 1
  std::uint8_t chunks = 0;      // 1 to kChunksMax
  std::uint8_t first_cell = 0;  // chunk * kCellsPerChunk
  std::uint8_t cells = 0;       // used of `values`; only the last chunk may have fewer than kCellsPerChunk
  std::uint32_t time_ms = 0;    // the sender's uptime, modulo 2^32
  std::array<std::uint16_t, kCellsPerChunk> values{};
  friend constexpr bool operator==(const CellsChunk&, const CellsChunk&) = default;
};

struct LiveCells {
  CellsKind kind = CellsKind::kVoltage;
  std::uint32_t time_ms = 0;
  std::uint8_t count = 0;
  std::array<std::uint16_t, kLiveCellsMax> values{};
  std::span<const std::uint16_t> view() const { return {values.data(), count}; }
};

struct SplitterMetrics {
  std::uint64_t readings = 0;
  std::uint64_t chunks = 0;
  std::uint64_t superseded = 0;  // readings replaced before all their chunks were polled
  std::uint64_t refused = 0;     // no cells, or more than kLiveCellsMax
};

class CellsSplitter {
 public:
  // False, and counted, for no cells or too many. Two readings of a kind need different times, else the
  // receiver cannot tell them apart.
  bool set(CellsKind kind, std::uint32_t time_ms, std::span<const std::uint16_t> values);
  // The owner calls this only in a session; voltages first.
  std::optional<CellsChunk> poll_transmit();
  // Drops what was not sent, for example because there is no session.
  void clear();
  const SplitterMetrics& metrics() const { return metrics_; }

 private:
  struct Pending {
    LiveCells reading;
    std::uint8_t next = 0;
    std::uint8_t chunks = 0;  // 0: nothing was set yet
  };
  std::array<Pending, kCellsKindCount> pending_{};
  SplitterMetrics metrics_;
};

struct AssemblerMetrics {
  std::uint64_t chunks = 0;
  std::uint64_t completed = 0;
  std::uint64_t incomplete = 0;  // readings given up because a newer one began
  std::uint64_t superseded = 0;  // completed, but replaced before they were polled
  std::uint64_t late = 0;        // chunks of a reading already completed or given up
  std::uint64_t refused = 0;     // chunks whose numbers contradict each other
};

class CellsAssembler {
 public:
  void handle_chunk(const CellsChunk& chunk);
  // The newest complete reading, once.
  std::optional<LiveCells> poll_reading();
  // A new session: the sender's clock may have started again.
  void begin_session();
  const AssemblerMetrics& metrics() const { return metrics_; }

 private:
  struct Assembly {
    LiveCells reading;
    std::uint8_t chunks = 0;    // 0: no chunk since the session began
    std::uint32_t arrived = 0;  // bit i: chunk i
    bool is_complete = false;
    bool is_ready = false;
    LiveCells ready;
  };
  std::array<Assembly, kCellsKindCount> assemblies_{};
  AssemblerMetrics metrics_;
};

}  // namespace amphora::telemetry
