// SPDX-License-Identifier: Apache-2.0
// Takes a pcap file apart, piece by piece as it comes.
//
// The classic format (tcpdump -w, tshark -F pcap): both byte orders, micro- and nanoseconds. Of pcapng only
// the mark is known, for a helpful word.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace amphora::decode {

inline constexpr std::size_t kPcapMarkSize = 4;
// Of one packet; a larger size in a header means that the file is damaged.
inline constexpr std::size_t kPcapPacketSizeMax = std::size_t{256} * 1024;

enum class CaptureKind : std::uint8_t { kPcap, kPcapng, kOther };
// By the first kPcapMarkSize bytes.
CaptureKind capture_kind(std::string_view mark);

struct PcapPacket {
  std::uint64_t number = 0;  // from 1
  std::int64_t time_us = 0;  // since 1970
  std::uint32_t link_type = 0;
  bool is_cut = false;  // the capture kept only the beginning
  ByteSpan bytes;
};

class PcapReader {
 public:
  // Called for each packet; its bytes are valid during the call.
  using OnPacket = std::function<void(const PcapPacket&)>;

  explicit PcapReader(OnPacket on_packet) : on_packet_{std::move(on_packet)} {}

  void feed(std::string_view bytes);
  // What is wrong with the file; empty while nothing is. After an error nothing more is read.
  const std::string& fault() const { return fault_; }
  // Bytes of a header or packet that is not complete.
  bool has_rest() const { return !kept_.empty(); }
  std::uint64_t packet_count() const { return count_; }

 private:
  std::size_t take(std::string_view bytes);
  bool take_file_header(std::string_view bytes);
  std::uint32_t number(std::string_view bytes, std::size_t at) const;

  OnPacket on_packet_;
  std::string kept_;
  std::string fault_;
  bool has_header_ = false;
  Endian endian_ = Endian::kLittle;
  bool is_nano_ = false;
  std::uint32_t link_type_ = 0;
  std::uint64_t count_ = 0;
};

}  // namespace amphora::decode
