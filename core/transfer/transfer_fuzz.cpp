// SPDX-License-Identifier: Apache-2.0
// Any order of inputs into both ends of a transfer: nothing asserts, polling ends, writes stay inside the
// blob.
//
// Input: records of 1 byte operation, 1 byte time step (5 ms; for operations from 0xC0 on 5 s), then what the
// operation needs; missing bytes read as zero.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/transfer/receiver.hpp"
#include "core/transfer/sender.hpp"

namespace {

using namespace amphora;
using namespace amphora::transfer;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

Blob read_blob(ByteReader& reader) {
  return {reader.u8(), reader.u16(), reader.u8(), 0};
}

void give(Sender& sender, Receiver& receiver, ByteReader& reader, std::uint8_t operation, TimePoint now) {
  switch (operation % 12) {
    case 0:
      (void)sender.offer(now, read_blob(reader));
      return;
    case 1:
      sender.begin_session(now);
      receiver.begin_session(now);
      return;
    case 2:
      sender.end_session(now);
      receiver.end_session(now);
      return;
    case 3:
      sender.handle_accept(now, {reader.u8(), reader.u16(), reader.u32()});
      return;
    case 4:
      sender.handle_done(now, {reader.u8(), static_cast<Outcome>(reader.u8())});
      return;
    case 5:
      sender.cancel(now);
      return;
    case 6:
      receiver.handle_offer(now, {read_blob(reader)});
      return;
    case 7: {
      Segment segment{reader.u8(), reader.u16(), {}};
      static constexpr std::array<std::uint8_t, 255> kZeros{};
      (void)segment.bytes.assign(ByteSpan{kZeros}.first(reader.u8() % (kSegmentSizeMax + 1)));
      receiver.handle_segment(now, segment);
      return;
    }
    case 8:
      receiver.handle_done(now, {reader.u8(), static_cast<Outcome>(reader.u8())});
      return;
    case 9:
      receiver.handle_written(now, reader.u8() != 0);
      return;
    case 10:
      receiver.handle_stored(now, reader.u8() != 0);
      return;
    default:
      receiver.handle_verified(now, reader.u8() != 0);
      return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  Sender sender;
  Receiver receiver;
  TimePoint now{std::chrono::seconds{1}};
  std::array<std::uint8_t, kSegmentSizeMax> zeros{};
  while (reader.remaining() > 0) {
    const std::uint8_t operation = reader.u8();
    const std::uint8_t step = reader.u8();
    now += std::chrono::milliseconds{operation >= 0xC0 ? step * 5000 : step * 5};
    give(sender, receiver, reader, operation, now);
    int polls = 0;
    while (const auto wanted = sender.poll_wanted(now)) {
      require(++polls < 10 && wanted->size <= kSegmentSizeMax);
      require(sender.provide(now, wanted->offset, ByteSpan{zeros}.first(wanted->size)));
      while (sender.poll_transmit(now)) {
        require(++polls < 10);
      }
    }
    while (sender.poll_transmit(now) || receiver.poll_transmit(now)) {
      require(++polls < 20);
    }
    if (const auto write = receiver.poll_write()) {
      require(receiver.blob().has_value());
      require(write->offset + write->bytes.size() <= receiver.blob()->size);
    }
    if (const auto progress = receiver.poll_store(); progress && *progress) {
      Receiver restarted;
      require(restarted.restore(now, **progress));
    }
    (void)receiver.poll_verify();
    while (sender.poll_event() || receiver.poll_event()) {
    }
    require(sender.poll_timeout() > now && receiver.poll_timeout() > now);
  }
  return 0;
}
