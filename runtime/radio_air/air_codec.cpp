// SPDX-License-Identifier: Apache-2.0
#include "runtime/radio_air/air_codec.hpp"

#include "core/base/assert.hpp"

namespace amphora::runtime::air {

namespace {

constexpr std::uint32_t kMark = 0x31524141;  // "AAR1", little-endian

enum class Kind : std::uint8_t {
  kHello = 0x01,
  kSend = 0x02,
  kSetChannel = 0x03,
  kBye = 0x04,
  kWelcome = 0x81,
  kSent = 0x82,
  kChannelSet = 0x83,
  kReceived = 0x84,
};

NodeId read_mac(ByteReader& reader) {
  const ByteSpan bytes = reader.take(kNodeIdSize);
  return reader.ok() ? to_node_id(bytes) : NodeId{};
}

ByteSpan read_sized(ByteReader& reader, bool& is_good) {
  const std::uint16_t size = reader.u16();
  is_good = is_good && size <= kRadioDataMax;
  return reader.take(size);
}

// Fields of `kind`; `is_good` turns false when a field has a value that does not exist.
std::optional<Datagram> read_fields(Kind kind, ByteReader& reader, bool& is_good) {
  switch (kind) {
    case Kind::kHello: {
      Hello hello;
      hello.instance = reader.read<std::uint64_t>();
      hello.mac = read_mac(reader);
      hello.channel = reader.u8();
      const std::uint8_t flag = reader.u8();
      hello.is_first = flag == 1;
      is_good = flag <= 1;
      return hello;
    }
    case Kind::kSend: {
      Send send;
      send.token = reader.u32();
      send.to = read_mac(reader);
      send.bytes = read_sized(reader, is_good);
      return send;
    }
    case Kind::kSetChannel: {
      SetChannel set;
      set.token = reader.u32();
      set.channel = reader.u8();
      return set;
    }
    case Kind::kBye:
      return Bye{};
    case Kind::kWelcome: {
      Welcome welcome;
      welcome.instance = reader.read<std::uint64_t>();
      const std::uint8_t result = reader.u8();
      welcome.result = static_cast<HelloResult>(result);
      welcome.channel = reader.u8();
      is_good = result <= static_cast<std::uint8_t>(HelloResult::kFull);
      return welcome;
    }
    case Kind::kSent: {
      Sent sent;
      sent.token = reader.u32();
      const std::uint8_t result = reader.u8();
      sent.result = static_cast<RadioSendResult>(result);
      is_good = result <= static_cast<std::uint8_t>(RadioSendResult::kNotSent);
      return sent;
    }
    case Kind::kChannelSet: {
      ChannelSet set;
      set.token = reader.u32();
      set.channel = reader.u8();
      const std::uint8_t result = reader.u8();
      set.is_done = result == 0;
      is_good = result <= 1;
      return set;
    }
    case Kind::kReceived: {
      Received received;
      received.from = read_mac(reader);
      received.to = read_mac(reader);
      received.rssi_dbm = reader.read<std::int8_t>();
      received.bytes = read_sized(reader, is_good);
      return received;
    }
  }
  return std::nullopt;
}

struct FieldWriter {
  ByteWriter& writer;

  void begin(Kind kind) const {
    writer.u32(kMark);
    writer.u8(static_cast<std::uint8_t>(kind));
  }
  void sized(ByteSpan bytes) const {
    AMPHORA_ASSERT(bytes.size() <= kRadioDataMax);
    writer.u16(static_cast<std::uint16_t>(bytes.size()));
    writer.bytes(bytes);
  }
  void operator()(const Hello& hello) const {
    begin(Kind::kHello);
    writer.write(hello.instance);
    writer.bytes(to_bytes(hello.mac));
    writer.u8(hello.channel);
    writer.u8(hello.is_first ? 1 : 0);
  }
  void operator()(const Send& send) const {
    begin(Kind::kSend);
    writer.u32(send.token);
    writer.bytes(to_bytes(send.to));
    sized(send.bytes);
  }
  void operator()(const SetChannel& set) const {
    begin(Kind::kSetChannel);
    writer.u32(set.token);
    writer.u8(set.channel);
  }
  void operator()(const Bye&) const { begin(Kind::kBye); }
  void operator()(const Welcome& welcome) const {
    begin(Kind::kWelcome);
    writer.write(welcome.instance);
    writer.u8(static_cast<std::uint8_t>(welcome.result));
    writer.u8(welcome.channel);
  }
  void operator()(const Sent& sent) const {
    begin(Kind::kSent);
    writer.u32(sent.token);
    writer.u8(static_cast<std::uint8_t>(sent.result));
  }
  void operator()(const ChannelSet& set) const {
    begin(Kind::kChannelSet);
    writer.u32(set.token);
    writer.u8(set.channel);
    writer.u8(set.is_done ? 0 : 1);
  }
  void operator()(const Received& received) const {
    begin(Kind::kReceived);
    writer.bytes(to_bytes(received.from));
    writer.bytes(to_bytes(received.to));
    writer.write(received.rssi_dbm);
    sized(received.bytes);
  }
};

}  // namespace

Result<Datagram, DatagramError> decode_datagram(ByteSpan bytes) {
  ByteReader reader{bytes};
  if (reader.u32() != kMark) {
    return DatagramError::kNotOurs;
  }
  const auto kind = static_cast<Kind>(reader.u8());
  if (!reader.ok()) {
    return DatagramError::kLength;
  }
  bool is_good = true;
  const auto datagram = read_fields(kind, reader, is_good);
  if (!datagram) {
    return DatagramError::kUnknownKind;
  }
  if (!reader.ok() || reader.remaining() != 0) {
    return DatagramError::kLength;
  }
  if (!is_good) {
    return DatagramError::kBadField;
  }
  return *datagram;
}

MutableByteSpan encode_datagram(const Datagram& datagram, MutableByteSpan out) {
  ByteWriter writer{out};
  std::visit(FieldWriter{writer}, datagram);
  AMPHORA_ASSERT(writer.ok());
  return writer.written();
}

}  // namespace amphora::runtime::air
