// SPDX-License-Identifier: Apache-2.0
// The store of a simulated box: records under keys, that survive a power cut or do not.
//
// Each key owns two places, written in turn, so that a write never touches the newest good record. A place
// holds the record's length, a number that grows with each write, the bytes and a checksum over all of it; a
// read takes the place with the higher number whose checksum is right. A write waits in the device until its
// latency is over, then it is durable and poll_durable() says so. Writes are done one after the other.
//
// A power cut meets the writes that are not yet durable. Each of them, in any order, is
//   - lost: its place keeps what it held before;
//   - torn: some bytes of its place are new, some old, some neither; the checksum finds out;
//   - done after all, though nobody was told, also when an earlier one was lost (reordering).
// With damages_neighbour_ppm the torn write ruins the key's other place too, as a worn block may: then the
// record reads as damaged, never as a mixture.
//
// Wear: writes for each key, to be held against a budget for a year.
//
// Nothing allocates after construction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/time.hpp"

namespace amphora::sim {

using StoreKey = std::uint64_t;

struct FlashStoreConfig {
  std::size_t key_count_max = 64;
  std::size_t value_size_max = 512;
  Duration write_min{2'000};
  Duration write_max{20'000};
  std::uint32_t lost_ppm = 333'000;  // of undurable writes at a power cut; the rest is done after all
  std::uint32_t torn_ppm = 333'000;
  std::uint32_t damages_neighbour_ppm = 0;  // of torn writes
};

class FlashStore {
 public:
  // Writes that wait. A host that asks for more is told no.
  static constexpr std::size_t kPendingMax = 16;

  enum class ReadState : std::uint8_t { kAbsent, kGood, kDamaged };
  struct ReadResult {
    ReadState state = ReadState::kAbsent;
    ByteSpan bytes;  // valid until the next change
  };
  struct Durable {
    StoreKey key = 0;
    std::uint32_t ticket = 0;
  };
  struct Statistics {
    std::uint64_t writes = 0;
    std::uint64_t refused = 0;  // too many keys, waiting writes or bytes
    std::uint64_t power_cuts = 0;
    std::uint64_t lost = 0;
    std::uint64_t torn = 0;
    std::uint64_t silent = 0;  // done, but the power went before anybody was told
    std::uint64_t damaged_reads = 0;
  };

  FlashStore(const FlashStoreConfig& config, Rng rng);

  // Begins a write; false, and counted, when it cannot be taken. `ticket` comes back with poll_durable().
  bool write(TimePoint now, StoreKey key, ByteSpan bytes, std::uint32_t ticket = 0);
  void handle_timeout(TimePoint now);
  TimePoint poll_timeout() const { return pending_.is_empty() ? kNever : pending_.front().done_at; }
  std::optional<Durable> poll_durable() { return durable_.pop(); }
  std::size_t pending_count() const { return pending_.size(); }

  void set_latency(Duration write_min, Duration write_max) {
    config_.write_min = write_min;
    config_.write_max = write_max;
  }
  void set_damages_neighbour(std::uint32_t ppm) { config_.damages_neighbour_ppm = ppm; }

  // What is durable, and what is gone, is decided here.
  void power_cut(TimePoint now);

  // What a boot finds.
  ReadResult read(StoreKey key);
  std::size_t key_count() const { return key_count_; }
  StoreKey key_at(std::size_t index) const { return records_[index].key; }
  // Everything gone, as after a new chip or a factory reset.
  void erase();

  std::uint64_t write_count(StoreKey key) const;
  // At this rate, of the key written most.
  std::uint64_t writes_per_year(Duration elapsed) const;
  const Statistics& statistics() const { return statistics_; }

 private:
  struct Place {
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    std::uint64_t checksum = 0;
    std::vector<std::uint8_t> bytes;
  };
  struct Record {
    StoreKey key = 0;
    std::uint64_t write_count = 0;
    std::array<Place, 2> places;
  };
  struct Pending {
    std::size_t record = 0;
    std::uint32_t ticket = 0;
    TimePoint done_at{};
    std::uint64_t size = 0;
    std::size_t buffer = 0;
  };

  Record* find(StoreKey key);
  const Record* find(StoreKey key) const;
  std::uint64_t checksum_of(const Record& record, const Place& place) const;
  bool is_good(const Record& record, const Place& place) const;
  const Place* newest(const Record& record) const;
  Place& place_to_write(Record& record);
  void commit(const Pending& write);
  void tear(const Pending& write);

  FlashStoreConfig config_;
  Rng rng_;
  std::vector<Record> records_;
  std::size_t key_count_ = 0;
  Ring<Pending, kPendingMax> pending_;
  Ring<Durable, kPendingMax> durable_;
  std::array<std::vector<std::uint8_t>, kPendingMax> buffers_;
  std::size_t next_buffer_ = 0;
  std::uint64_t next_number_ = 1;
  TimePoint busy_until_{};
  Statistics statistics_;
};

}  // namespace amphora::sim
