// SPDX-License-Identifier: Apache-2.0
// What was heard on the air between transmitter and receiver: a pcap capture, or the bytes of messages as
// text.
//
// A line for each frame of the capture, also for those that are no ESP-NOW frames or no messages of ours:
// they say why.
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "apps/amphora/decode/hex_text.hpp"
#include "apps/amphora/decode/line_decoder.hpp"
#include "apps/amphora/decode/link_json.hpp"
#include "apps/amphora/decode/pcap.hpp"
#include "apps/amphora/json_line.hpp"
#include "core/link/espnow.hpp"

namespace amphora::decode {

namespace {

constexpr std::uint32_t kLinkTypeRadiotap = 127;
constexpr std::uint32_t kLinkType80211 = 105;

void put_mac(JsonLine& json, std::string_view key, NodeId id) {
  const auto text = to_characters(id);
  json.text(key, {text.data(), text.size()});
}

void append_frame(JsonLine& json, const espnow::Radiotap& radiotap, const espnow::Frame& frame) {
  put_mac(json, "source", frame.source);
  put_mac(json, "destination", frame.destination);
  json.number("espnow_version", frame.version);
  json.number("size", static_cast<std::int64_t>(frame.size));
  if (radiotap.rssi_dbm) {
    json.number("rssi_dbm", *radiotap.rssi_dbm);
  }
  if (const auto channel = espnow::channel_of_frequency(radiotap.channel_mhz.value_or(0)); channel != 0) {
    json.number("channel", channel);
  }
  if (radiotap.is_tx_status()) {
    json.text("sent", radiotap.is_unacknowledged() ? "no_ack" : "acked");
  }
  if (frame.is_retry) {
    json.boolean("retry", true);
  }
  std::vector<std::uint8_t> data(frame.size);
  append_link_payload(json, espnow::copy_data(frame, data));
}

// A frame of link type 105 has no radiotap header: all that it would say is unknown.
Result<espnow::Packet, espnow::FrameError> decode_captured(const PcapPacket& packet) {
  if (packet.link_type == kLinkTypeRadiotap) {
    return espnow::decode_packet(packet.bytes);
  }
  const auto frame = espnow::decode_frame(packet.bytes);
  if (!frame) {
    return frame.error();
  }
  return espnow::Packet{{}, *frame};
}

void append_packet(const PcapPacket& packet, std::string& out) {
  JsonLine json{out};
  json.number("frame", static_cast<std::int64_t>(packet.number));
  json.decimal("time_s", packet.time_us, 6);
  if (packet.link_type != kLinkTypeRadiotap && packet.link_type != kLinkType80211) {
    json.text("error",
              "link type " + std::to_string(packet.link_type) + "; allowed: 127 (radiotap), 105 (802.11)");
  } else if (const auto decoded = decode_captured(packet)) {
    append_frame(json, decoded->radiotap, decoded->frame);
  } else {
    std::string error{to_text(decoded.error())};
    if (packet.is_cut) {
      error += "; the capture kept only its beginning";
    }
    json.text("error", error);
  }
  json.end();
}

// "01 2A 00 00 00", with or without blanks; a remark may follow in parentheses or after '#'.
class LinkLineDecoder final : public LineDecoder {
 public:
  void decode(std::uint64_t line_number, std::string_view text, std::string& out) override {
    std::vector<std::uint8_t> bytes;
    Tokens tokens{text};
    for (std::string_view token = tokens.next(); !token.empty(); token = tokens.next()) {
      if (!bytes.empty() && (token.front() == '(' || token.front() == '#')) {
        break;
      }
      if (const std::string fault = append_hex(token, bytes); !fault.empty()) {
        return append_error(line_number, text, fault, out);
      }
    }
    JsonLine json{out};
    json.number("line", static_cast<std::int64_t>(line_number));
    json.number("size", static_cast<std::int64_t>(bytes.size()));
    append_link_payload(json, bytes);
    json.end();
  }
};

// Knows after four bytes what it reads.
class LinkDecoder final : public ByteDecoder {
 public:
  void feed(std::string_view bytes, std::string& out) override {
    if (kind_) {
      return pass_on(bytes, out);
    }
    mark_ += bytes;
    if (mark_.size() >= kPcapMarkSize) {
      begin(capture_kind(mark_), out);
    }
  }
  void finish(std::string& out) override {
    if (!kind_) {
      begin(CaptureKind::kOther, out);
    }
    if (kind_ == CaptureKind::kOther) {
      return lines_.finish(out);
    }
    if (kind_ == CaptureKind::kPcap && !has_said_fault_ && pcap_.has_rest()) {
      JsonLine json{out};
      json.number("frame", static_cast<std::int64_t>(pcap_.packet_count() + 1));
      json.text("error", "the capture ends within this frame");
      json.end();
    }
  }

 private:
  void begin(CaptureKind kind, std::string& out) {
    kind_ = kind;
    if (kind == CaptureKind::kPcapng) {
      JsonLine json{out};
      json.text("error", "a pcapng capture; turn it into pcap: tshark -r FILE -F pcap -w OTHER");
      json.end();
    }
    const std::string first = std::move(mark_);
    pass_on(first, out);
  }
  void pass_on(std::string_view bytes, std::string& out) {
    if (kind_ == CaptureKind::kOther) {
      return lines_.feed(bytes, out);
    }
    if (kind_ == CaptureKind::kPcapng) {
      return;
    }
    out_ = &out;
    pcap_.feed(bytes);
    if (!pcap_.fault().empty() && !has_said_fault_) {
      has_said_fault_ = true;
      JsonLine json{out};
      json.text("error", pcap_.fault());
      json.end();
    }
  }

  std::optional<CaptureKind> kind_;
  std::string mark_;
  LinkLineDecoder line_decoder_;
  LineSplitter lines_{line_decoder_};
  std::string* out_ = nullptr;  // during a call of feed()
  PcapReader pcap_{[this](const PcapPacket& packet) { append_packet(packet, *out_); }};
  bool has_said_fault_ = false;
};

}  // namespace

std::unique_ptr<ByteDecoder> make_link_decoder() {
  return std::make_unique<LinkDecoder>();
}

}  // namespace amphora::decode
