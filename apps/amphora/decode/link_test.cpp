// SPDX-License-Identifier: Apache-2.0
// decode link: captures and text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "apps/amphora/decode/line_decoder.hpp"
#include "core/link/envelope.hpp"
#include "core/link/espnow.hpp"
#include "core/link/messages.hpp"

namespace amphora::decode {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::uint8_t>;
using ::testing::HasSubstr;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> out;
  std::istringstream lines{text};
  std::string line;
  while (std::getline(lines, line)) {
    out.push_back(json::parse(line));
  }
  return out;
}
std::vector<json> decoded_lines(std::string_view input) {
  return lines_of(decode_all(*make_link_decoder(), input));
}

std::string sample() {
  std::ifstream file{AMPHORA_SOURCE_DIR "/tests/vectors/espnow_sample.pcap", std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

// A capture made of packets, in either byte order.
std::string capture(std::uint32_t link_type, const std::vector<Bytes>& packets,
                    Endian endian = Endian::kLittle, std::uint32_t mark = 0xA1B2C3D4) {
  std::string out;
  const auto number = [&](std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes;
    store(bytes.data(), value, endian);
    out.append(bytes.begin(), bytes.end());
  };
  for (const std::uint32_t value : {mark, 0x00040002U, 0U, 0U, 65535U, link_type}) {
    number(value);
  }
  for (const Bytes& packet : packets) {
    number(1'700'000'000);
    number(250'000);
    number(static_cast<std::uint32_t>(packet.size()));
    number(static_cast<std::uint32_t>(packet.size()));
    out.append(packet.begin(), packet.end());
  }
  return out;
}

Bytes packet_of(const Bytes& payload, bool with_radiotap = true) {
  const espnow::TxHeader header{kEverybody, NodeId{0x240AC4010203}, 1, 2, 0};
  std::array<std::uint8_t, espnow::kTxFrameSizeMax> buffer;
  const auto written = with_radiotap ? espnow::encode_packet(header, payload, buffer)
                                     : espnow::encode_frame(header, payload, buffer);
  return {written->begin(), written->end()};
}

Bytes message_of(const link::Message& message) {
  Bytes bytes(link::kMessageSizeMax);
  bytes.resize(link::encode(message, bytes));
  return bytes;
}

std::string hex_of(const Bytes& bytes) {
  std::ostringstream out;
  for (const std::uint8_t byte : bytes) {
    out << "0123456789abcdef"[byte >> 4U] << "0123456789abcdef"[byte & 0xFU];
  }
  return out.str();
}

TEST(DecodeLink, the_recorded_capture) {
  const auto out = decoded_lines(sample());
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].at("frame"), 1);
  EXPECT_EQ(out[0].at("time_s"), 1.0);
  EXPECT_EQ(out[0].at("source"), "24:0a:c4:01:02:03");
  EXPECT_EQ(out[0].at("destination"), "ff:ff:ff:ff:ff:ff");
  EXPECT_EQ(out[0].at("espnow_version"), 1);
  EXPECT_EQ(out[0].at("size"), 250);
  EXPECT_EQ(out[0].at("type"), "0x00");
  EXPECT_EQ(out[0].at("error"), "unknown type");
  EXPECT_EQ(out[1].at("destination"), "30:ae:a4:04:05:06");
  EXPECT_EQ(out[1].at("size"), 20);
  EXPECT_EQ(out[2].at("espnow_version"), 2);
  EXPECT_EQ(out[2].at("size"), 1470);
}

TEST(DecodeLink, pieces_of_any_size_give_the_same) {
  const std::string input = sample();
  const std::string whole = decode_all(*make_link_decoder(), input);
  for (const std::size_t size : {1U, 3U, 7U, 100U}) {
    const auto decoder = make_link_decoder();
    std::string out;
    for (std::size_t at = 0; at < input.size(); at += size) {
      decoder->feed(std::string_view{input}.substr(at, size), out);
    }
    decoder->finish(out);
    EXPECT_EQ(out, whole) << size;
  }
}

TEST(DecodeLink, messages_in_both_link_types_and_byte_orders) {
  const Bytes probe = message_of(link::Probe{42});
  for (const auto& input : {capture(127, {packet_of(probe)}), capture(127, {packet_of(probe)}, Endian::kBig),
                            capture(105, {packet_of(probe, false)})}) {
    const auto out = decoded_lines(input);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].at("time_s"), 1700000000.25);
    EXPECT_EQ(out[0].at("name"), "probe");
    EXPECT_EQ(out[0].at("type"), "0x01");
    EXPECT_EQ(out[0].at("sequence"), 42);
    EXPECT_FALSE(out[0].contains("error"));
  }
  const auto nano = decoded_lines(capture(127, {packet_of(probe)}, Endian::kLittle, 0xA1B23C4D));
  EXPECT_EQ(nano.at(0).at("time_s"), 1700000000.00025);
}

TEST(DecodeLink, what_is_damaged_says_so_and_the_rest_goes_on) {
  Bytes cut = packet_of(message_of(link::Probe{1}));
  cut.resize(40);
  Bytes other = packet_of(message_of(link::Probe{2}));
  other[espnow::kTxRadiotapSize] = 0x80;  // a Wi-Fi beacon
  const auto out = decoded_lines(capture(127, {cut,
                                               other,
                                               {},
                                               packet_of({}),
                                               packet_of({0x01, 0x02}),
                                               packet_of({0xEE}),
                                               packet_of(message_of(link::Probe{3}))}));
  ASSERT_EQ(out.size(), 7U);
  EXPECT_EQ(out[0].at("error"), "cut short within the 802.11 header");
  EXPECT_EQ(out[1].at("error"), "not an action frame");
  EXPECT_EQ(out[2].at("error"), "cut short within the radiotap header");
  EXPECT_EQ(out[3].at("error"), "empty");
  EXPECT_EQ(out[4].at("error"), "wrong length");
  EXPECT_EQ(out[4].at("name"), "probe");
  EXPECT_EQ(out[5].at("error"), "unknown type");
  EXPECT_EQ(out[6].at("sequence"), 3);
  EXPECT_EQ(out[6].at("frame"), 7);

  EXPECT_THAT(decoded_lines(capture(1, {{1, 2, 3}})).at(0).at("error"),
              HasSubstr("link type 1; allowed: 127"));
  std::string damaged = capture(127, {packet_of(message_of(link::Probe{1}))});
  damaged[32] = '\xFF';
  damaged[34] = '\xFF';
  EXPECT_THAT(decoded_lines(damaged).at(0).at("error"), HasSubstr("the file is damaged from here on"));
  const std::string whole = capture(127, {packet_of(message_of(link::Probe{1}))});
  EXPECT_EQ(decoded_lines(whole.substr(0, whole.size() - 1)).at(0).at("error"),
            "the capture ends within this frame");
  EXPECT_TRUE(decoded_lines(whole.substr(0, 24)).empty());
  EXPECT_THAT(decoded_lines("\x0A\x0D\x0D\x0A more").at(0).at("error"), HasSubstr("-F pcap"));
}

TEST(DecodeLink, every_message_as_text) {
  telemetry::CellsChunk cells;
  cells.chunk = 0;
  cells.chunks = 1;
  cells.cells = 3;
  cells.values = {3300, 3301, telemetry::kUnknownVoltage};
  state::SectionData section;
  section.section = 3;
  section.record.version = 9;
  section.record.origin = NodeId{0x240AC4010203};
  section.record.payload = state::Payload{Bytes{1, 2, 3}};
  telemetry::Reading reading;
  reading.entry.sequence = 77;
  ASSERT_TRUE(reading.entry.payload.assign(Bytes{0xAB, 0xCD}));
  telemetry::Manifest manifest;
  manifest.first = 5;
  manifest.last = 9;
  manifest.count = 5;
  manifest.digest = telemetry::manifest_digest(manifest);
  telemetry::Gaps gaps;
  gaps.count = 2;
  gaps.missing = {3, 4};
  state::Beacon beacon;
  beacon.count = 2;
  beacon.versions = {1, 2};
  const std::vector<std::pair<link::Message, json>> cases{
      {link::Probe{7}, {{"name", "probe"}, {"sequence", 7}}},
      {link::ProbeAck{7, 6, 3, 99}, {{"channel", 6}, {"protocol_version", 3}, {"boot_epoch", 99}}},
      {state::Hello{0x0123456789ABCDEF}, {{"joiner_nonce", "0x0123456789ABCDEF"}}},
      {state::Challenge{1, 2}, {{"granter_nonce", "0x0000000000000002"}}},
      {state::Confirm{1, 2, {true, {3, 4}}},
       {{"has_time", true}, {"stamp", {{"physical_ms", 3}, {"logical", 4}}}}},
      {state::Grant{1, 2, 3, {false, {5, 6}}}, {{"session", 3}, {"has_time", false}}},
      {beacon, {{"name", "beacon"}, {"versions", {1, 2}}}},
      {link::LegacyBeacon{4, {1, 2, 3, 4}, 1}, {{"versions", {1, 2, 3, 4}}, {"status", 1}}},
      {state::Request{3, 8}, {{"section", 3}, {"section_name", "battery"}, {"version", 8}}},
      {section, {{"version", 9}, {"origin", "24:0a:c4:01:02:03"}, {"payload", "01 02 03"}, {"parts", 1}}},
      {state::SectionAck{3, 9, {1, 2}, state::AckResult::kDurable}, {{"result", "durable"}}},
      {cells, {{"kind", "voltage"}, {"voltages_mv", {3300, 3301, nullptr}}}},
      {link::Heartbeat{1000, 1}, {{"time_ms", 1000}, {"services", 1}}},
      {link::HeartbeatAck{1000, 1}, {{"echoed_ms", 1000}}},
      {reading, {{"name", "reading"}, {"sequence", 77}, {"payload", "AB CD"}}},
      {telemetry::ReadingAck{77, 76, 12}, {{"last_in_order", 76}, {"free_slots", 12}}},
      {manifest, {{"first", 5}, {"count", 5}, {"digest_ok", true}}},
      {gaps, {{"missing", {3, 4}}}},
      {link::PairStart{0x0102, {}}, {{"attempt", "00 00 00 00 00 00 01 02"}}},
      {link::PairReply{3, {}, {}}, {{"attempt", "00 00 00 00 00 00 00 03"}}},
      {link::PairConfirm{4, {}}, {{"attempt", "00 00 00 00 00 00 00 04"}}},
      {link::PairResult{5, link::PairOutcome::kBusy, {}}, {{"outcome", "busy"}}},
  };
  EXPECT_EQ(cases.size(), std::variant_size_v<link::Message>);
  for (const auto& [message, expected] : cases) {
    const Bytes bytes = message_of(message);
    const auto out = decoded_lines("# a remark\n" + hex_of(bytes) + " (said once)\n");
    ASSERT_EQ(out.size(), 1U);
    EXPECT_FALSE(out[0].contains("error")) << out[0];
    EXPECT_EQ(out[0].at("line"), 2);
    EXPECT_EQ(out[0].at("size"), bytes.size());
    for (const auto& [key, value] : expected.items()) {
      EXPECT_EQ(out[0].value(key, json{}), value) << key << " of " << out[0];
    }
  }
  cells.kind = telemetry::CellsKind::kTemperature;
  cells.values = {215, 0xFFF6, telemetry::kUnknownTemperature};
  EXPECT_EQ(decoded_lines(hex_of(message_of(cells))).at(0).at("temperatures_c"), (json{21.5, -1.0, nullptr}));
}

TEST(DecodeLink, envelopes_show_what_stands_open) {
  const Bytes probe = message_of(link::Probe{42});
  auto out = decoded_lines("42 04030201 " + hex_of(probe)).at(0);
  EXPECT_EQ(out.at("name"), "plain");
  EXPECT_EQ(out.at("session"), 0x01020304);
  EXPECT_EQ(out.at("message").at("name"), "probe");
  EXPECT_EQ(out.at("message").at("sequence"), 42);
  out = decoded_lines("40 07 01 00 00 00 02 00 " + hex_of(Bytes(20, 0xEE))).at(0);
  EXPECT_EQ(out.at("name"), "sealed");
  EXPECT_EQ(out.at("session_tag"), 7);
  EXPECT_EQ(out.at("counter"), 0x0200000001);
  EXPECT_EQ(out.at("message_size"), 4);
  out = decoded_lines("41 0807060504030201 05000000 " + hex_of(Bytes(20, 0xEE))).at(0);
  EXPECT_EQ(out.at("name"), "sealed_handshake");
  EXPECT_EQ(out.at("boot_nonce"), "0x0102030405060708");
  EXPECT_EQ(out.at("counter"), 5);
  EXPECT_EQ(out.at("message_size"), 4);
  for (const char* cut : {"40", "4007010000000200", "41 08", "42 01 02 03 04"}) {
    EXPECT_EQ(decoded_lines(cut).at(0).at("error"), "wrong length") << cut;
  }
}

TEST(DecodeLink, bad_text_says_why_and_the_rest_goes_on) {
  const auto out = decoded_lines("xyz\n01 2\n01 zz\n\n# nothing\n01 2A000000\n");
  ASSERT_EQ(out.size(), 4U);
  EXPECT_THAT(out[0].at("error"), HasSubstr("cut short within a byte"));
  EXPECT_EQ(out[0].at("line"), 1);
  EXPECT_EQ(out[0].at("text"), "xyz");
  EXPECT_THAT(out[1].at("error"), HasSubstr("cut short within a byte"));
  EXPECT_THAT(out[2].at("error"), HasSubstr("not a hexadecimal byte"));
  EXPECT_EQ(out[3].at("line"), 6);
  EXPECT_EQ(out[3].at("sequence"), 42);
  EXPECT_TRUE(decoded_lines("").empty());
  EXPECT_EQ(decoded_lines("0").at(0).at("line"), 1);
}

}  // namespace
}  // namespace amphora::decode
