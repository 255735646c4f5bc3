// SPDX-License-Identifier: Apache-2.0
// Any order of inputs into a sender and a receiver of readings, and into the assembler of live cells: nothing
// asserts, polling ends, both accounts stay exact, nothing is delivered twice or out of order.
//
// Input: records of 1 byte operation, 1 byte time step (5 ms; for operations from 0xC0 on 500 ms), then what
// the operation needs; missing bytes read as zero.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "core/telemetry/live_cells.hpp"
#include "core/telemetry/receiver.hpp"
#include "core/telemetry/sender.hpp"

namespace {

using namespace amphora;
using namespace amphora::telemetry;

constexpr int kPollsMax = 200;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

struct Bench {
  explicit Bench(const SenderConfig& config) : sender{config} {}

  Sender<20> sender;
  Receiver<8> receiver;
  CellsAssembler assembler;
  TimePoint now{std::chrono::seconds{1}};
  // The last thing one end said, for operations that hand it to the other.
  std::optional<SenderMessage> said;
  std::optional<ReceiverMessage> answered;
  std::optional<Delivery> delivered;
  bool was_rewound = false;
  std::optional<std::uint32_t> epoch;
};

Manifest read_manifest(Bench& bench, ByteReader& reader) {
  Manifest manifest;
  manifest.epoch = reader.u8();
  manifest.first = bench.receiver.last_in_order() + reader.u16() - 16;
  manifest.count = reader.u8();
  manifest.last = manifest.first + manifest.count - 1;
  manifest.digest = manifest_digest(manifest);
  return manifest;
}

Gaps read_gaps(Bench& bench, ByteReader& reader) {
  Gaps gaps;
  gaps.last_in_order = bench.sender.first_sequence() + reader.u8() - 8;
  gaps.count = reader.u8();
  for (std::uint32_t& missing : gaps.missing) {
    missing = bench.sender.first_sequence() + reader.u8();
  }
  return gaps;
}

CellsChunk read_chunk(ByteReader& reader) {
  CellsChunk chunk;
  chunk.kind = static_cast<CellsKind>(reader.u8());
  chunk.chunk = reader.u8();
  chunk.chunks = reader.u8();
  chunk.first_cell = reader.u8();
  chunk.cells = reader.u8();
  chunk.time_ms = reader.u8();
  return chunk;
}

void hand_over(Bench& bench) {
  if (bench.said) {
    if (const auto* reading = std::get_if<Reading>(&*bench.said)) {
      bench.receiver.handle_reading(bench.now, *reading);
    } else {
      bench.receiver.handle_manifest(bench.now, std::get<Manifest>(*bench.said));
    }
  }
  if (bench.answered) {
    if (const auto* ack = std::get_if<ReadingAck>(&*bench.answered)) {
      bench.sender.handle_ack(bench.now, *ack);
    } else {
      bench.sender.handle_gaps(bench.now, std::get<Gaps>(*bench.answered));
    }
  }
}

void give_sender(Bench& bench, ByteReader& reader, std::uint8_t operation) {
  switch (operation % 8) {
    case 0: {
      const ByteSpan payload = reader.take(reader.u8() % (reader.remaining() + 1));
      (void)bench.sender.add(bench.now, payload);
      return;
    }
    case 1:
      bench.sender.begin_session(bench.now);
      return;
    case 2:
      bench.sender.end_session(bench.now);
      return;
    case 3: {
      const std::uint32_t sequence = bench.sender.first_sequence() + reader.u8() - 8;
      const std::uint32_t last = bench.sender.first_sequence() + reader.u8() - 8;
      bench.sender.handle_ack(bench.now, {sequence, last, reader.u8()});
      return;
    }
    case 4:
      bench.sender.handle_gaps(bench.now, read_gaps(bench, reader));
      return;
    case 5:
      bench.sender.handle_stored(bench.now, reader.u8() != 0);
      return;
    default:
      hand_over(bench);
      return;
  }
}

void give_receiver(Bench& bench, ByteReader& reader, std::uint8_t operation) {
  switch (operation % 8) {
    case 0: {
      const std::uint32_t sequence = bench.receiver.last_in_order() + reader.u8() - 4;
      bench.receiver.handle_reading(bench.now, Reading{{sequence, 0, 1, {}}});
      return;
    }
    case 1:
      bench.receiver.begin_session(bench.now);
      return;
    case 2:
      bench.receiver.end_session(bench.now);
      return;
    case 3:
      bench.receiver.handle_manifest(bench.now, read_manifest(bench, reader));
      return;
    case 4:
      bench.receiver.handle_delivered(bench.now, bench.receiver.last_in_order() + reader.u8());
      return;
    case 5:
      bench.receiver.handle_delivery_failed(bench.now);
      bench.was_rewound = true;
      return;
    case 6:
      bench.receiver.set_room(bench.now, reader.u8());
      return;
    default:
      bench.assembler.handle_chunk(read_chunk(reader));
      return;
  }
}

void drain(Bench& bench) {
  int polls = 0;
  // Only the newest epoch is known; a sender that goes back to an older one breaks its own rule.
  if (bench.epoch != bench.receiver.epoch()) {
    bench.epoch = bench.receiver.epoch();
    bench.delivered.reset();
  }
  while (const auto message = bench.sender.poll_transmit(bench.now)) {
    require(++polls < kPollsMax);
    bench.said = message;
  }
  while (const auto message = bench.receiver.poll_transmit(bench.now)) {
    require(++polls < kPollsMax);
    bench.answered = message;
  }
  while (const auto delivery = bench.receiver.poll_delivery(bench.now)) {
    require(++polls < kPollsMax);
    if (bench.delivered && bench.delivered->epoch == delivery->epoch && !bench.was_rewound) {
      require(is_before(bench.delivered->entry.sequence, delivery->entry.sequence));
    }
    bench.was_rewound = false;
    bench.delivered = delivery;
  }
  (void)bench.sender.poll_store(bench.now);
  while (bench.sender.poll_event() || bench.receiver.poll_event()) {
    require(++polls < kPollsMax);
  }
  if (const auto cells = bench.assembler.poll_reading()) {
    require(cells->count >= 1 && cells->count <= kLiveCellsMax);
  }
}

void check(const Bench& bench) {
  const SenderMetrics& m = bench.sender.metrics();
  require(m.added == m.acked + m.dropped + m.expired + bench.sender.waiting_count());
  require(bench.sender.waiting_count() <= bench.sender.capacity());
  require(bench.receiver.free_slots() <= bench.receiver.window());
  require(bench.sender.poll_timeout() > bench.now);
  require(bench.receiver.poll_timeout() > bench.now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  SenderConfig config;
  const std::uint8_t flags = reader.u8();
  config.persist = (flags & 1U) != 0;
  config.first_sequence = (flags & 2U) != 0 ? 0xFFFF'FFF8 : 1;
  config.skip_unchanged_for = (flags & 4U) != 0 ? std::chrono::seconds{1} : Duration::zero();
  config.window = static_cast<std::uint8_t>(flags / 8U % kWindowMax + 1);
  Bench bench{config};
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    bench.now += std::chrono::milliseconds{operation >= 0xC0 ? step * 500 : step * 5};
    bench.sender.handle_timeout(bench.now);
    bench.receiver.handle_timeout(bench.now);
    if ((operation & 0x20U) != 0) {
      give_receiver(bench, reader, operation);
    } else {
      give_sender(bench, reader, operation);
    }
    drain(bench);
    check(bench);
  }
  return 0;
}
