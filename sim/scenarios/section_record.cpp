// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/section_record.hpp"

#include "core/base/crc.hpp"

namespace amphora::sim {

ByteSpan encode_section(const state::Record& record, SectionRecordBytes& out) {
  ByteWriter writer{out};
  writer.u32(record.version);
  writer.write<std::uint64_t>(record.stamp.physical_ms);
  writer.u16(record.stamp.logical);
  writer.write<std::uint64_t>(record.origin.value);
  writer.bytes(record.payload.bytes());
  return writer.written();
}

state::Record decode_section(ByteSpan bytes) {
  ByteReader reader{bytes};
  state::Record record;
  record.version = reader.u32();
  record.stamp.physical_ms = reader.read<std::uint64_t>();
  record.stamp.logical = reader.u16();
  record.origin = NodeId{reader.read<std::uint64_t>()};
  record.payload = state::Payload{reader.take(reader.remaining())};
  return record;
}

SectionMark mark_of(const state::Record& record) {
  Digest digest;
  digest.add(record.payload.bytes());
  SectionMark mark;
  mark.version = record.version;
  mark.stamp_ms = record.stamp.physical_ms;
  mark.stamp_logical = record.stamp.logical;
  mark.origin = record.origin.value;
  mark.digest = digest.value();
  return mark;
}

}  // namespace amphora::sim
