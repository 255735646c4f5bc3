// SPDX-License-Identifier: Apache-2.0
// Hostile frames, changes and random times into one node that shares sections: what is decoded survives
// encoding, the machine keeps its contract, and without the key no byte of it reaches the replica.
//
// Input: first byte: bit 0 plain mode. Then steps of 1 byte time (10 ms units; 255: the id is lost and
// claimed again; 254: a change is made here), 1 byte sender (bit 7: a genuine record of this many seconds is
// sent instead of the frame, made of the bytes that follow), 8 bytes frame.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "core/packnet/section_share.hpp"

namespace {

using namespace amphora;
using packnet::SectionShare;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

constexpr state::SectionSpec kSpecs[] = {{9, "modes", true}, {12, "schedule", true}, {13, "loads", true}};

void pump(TimePoint now, state::Replica& replica, SectionShare& share, const packnet::RecordSeal& seal) {
  int polls = 0;
  for (int round = 0; round < 16 && (round == 0 || share.poll_timeout() <= now); ++round) {
    while (const auto request = replica.poll_store(now)) {
      replica.handle_stored(now, request->section, request->ticket);
    }
    share.handle_timeout(now);
    while (const auto frame = share.poll_transmit(now)) {
      require(++polls < 100);
      const auto message = packnet::decode_share(frame->data);
      require(message.has_value());
      const auto* segment = std::get_if<packnet::RecordSegment>(&*message);
      require(segment == nullptr || segment->is_sealed == seal.is_sealed);
    }
    while (share.poll_event()) {
      require(++polls < 100);
    }
  }
  require(share.poll_timeout() > now);
}

void send_record(TimePoint now, SectionShare& share, const packnet::RecordSeal& seal, packnet::Node from,
                 ByteSpan frame) {
  state::Record record;
  record.version = frame[1];
  record.stamp.physical_ms = std::uint64_t{frame[2]} * 1000;
  record.origin = NodeId{frame[3]};
  record.payload = state::Payload{frame.subspan(4)};
  const auto section = static_cast<state::SectionId>(frame[0] & 0x0FU);
  const packnet::RecordBytes bytes = packnet::encode_record(section, record, seal);
  for (std::size_t i = 0; i < bytes.size(); i += packnet::kSegmentSize) {
    packnet::RecordSegment segment{
        section, seal.is_sealed, static_cast<std::uint8_t>(i / packnet::kSegmentSize), {}};
    const std::size_t size = std::min(packnet::kSegmentSize, bytes.size() - i);
    std::ranges::copy(bytes.view().subspan(i, size), segment.data.begin());
    share.handle_frame(now, from, packnet::encode_share(segment));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader reader{ByteSpan{data, size}};
  packnet::RecordSeal seal;
  seal.is_sealed = (reader.u8() & 1U) == 0;
  seal.key[0] = 1;
  state::HybridClock clock;
  (void)clock.set_wall_time(TimePoint{}, WallTime{100'000});
  state::Replica replica{clock, kSpecs, NodeId{10}, NodeId{10}};
  SectionShare share{replica, {1, seal}};
  TimePoint now{std::chrono::seconds{1}};
  share.start(now, 10);
  bool is_touched = false;
  while (reader.remaining() > 0) {
    const std::uint8_t step = reader.u8();
    const std::uint8_t sender = reader.u8();
    std::array<std::uint8_t, 8> frame{};
    for (std::uint8_t& byte : frame) {
      byte = reader.u8();
    }
    if (step == 255) {
      share.stop(now);
      share.start(now, 10);
    } else if (step == 254) {
      is_touched = true;
      (void)replica.change(now, 9, frame);
    } else {
      now += std::chrono::milliseconds{10} * step;
    }
    pump(now, replica, share, seal);
    const auto from = static_cast<packnet::Node>(sender & 0x7FU);
    if ((sender & 0x80U) != 0) {
      is_touched = true;
      send_record(now, share, seal, from, frame);
    } else {
      share.handle_frame(now, from, frame);
      if (const auto message = packnet::decode_share(frame)) {
        require(packnet::encode_share(*message) == frame);
      }
    }
    pump(now, replica, share, seal);
    require(is_touched || !seal.is_sealed || share.metrics().records_received == 0);
    for (const state::SectionSpec& spec : kSpecs) {
      require(is_touched || !seal.is_sealed || replica.current(spec.id).is_default());
    }
  }
  return 0;
}
