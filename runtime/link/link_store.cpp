// SPDX-License-Identifier: Apache-2.0
#include "runtime/link/link_store.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/telemetry/messages.hpp"
#include "runtime/radio/radio_port.hpp"

namespace amphora::runtime {
namespace {

constexpr std::string_view kSectionPrefix = "state.";
constexpr std::string_view kKeyPrefix = "link.key.";
constexpr std::string_view kOwn = "own";
// Version, stamp and origin before the content.
constexpr std::size_t kHeaderSize = 4 + 8 + 2 + kNodeIdSize;

int digit_of(char character) {
  if (character >= '0' && character <= '9') {
    return character - '0';
  }
  return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

// "own.3" or "02:00:00:00:00:01.3".
bool parse_section_name(std::string_view name, StoredSection& out) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.size() - dot < 2 || name.size() - dot > 3) {
    return false;
  }
  unsigned number = 0;
  for (const char character : name.substr(dot + 1)) {
    if (character < '0' || character > '9') {
      return false;
    }
    number = 10 * number + static_cast<unsigned>(character - '0');
  }
  const std::string_view owner = name.substr(0, dot);
  const auto node = parse_mac(owner);
  if (number >= state::kSectionCountMax || (owner != kOwn && !node)) {
    return false;
  }
  out.owner = node.value_or(NodeId{});
  out.section = static_cast<state::SectionId>(number);
  return true;
}

void load_section(StoredLink& link, const std::string& name, const std::string* content) {
  StoredSection section;
  if (!parse_section_name(std::string_view{name}.substr(kSectionPrefix.size()), section)) {
    link.complaints.push_back("stored record " + name + " has a name that nobody knows and is ignored");
    return;
  }
  if (content != nullptr) {
    section.record = record_from_text(*content);
    if (!section.record) {
      link.complaints.push_back("stored record " + name + " cannot be read and is ignored");
    }
  }
  link.sections.push_back(std::move(section));
}

struct AgedPeer {
  node::PairedPeer peer;
  std::int64_t agreed_ms = 0;
};

// 64 hexadecimal digits, a space, and when they were agreed on.
bool load_key(const std::string& name, const std::string& content, AgedPeer& out) {
  const auto node = parse_mac(std::string_view{name}.substr(kKeyPrefix.size()));
  const std::size_t space = std::min(content.find(' '), content.size());
  const auto bytes = bytes_from_hex(std::string_view{content}.substr(0, space));
  if (!node || !bytes || bytes->size() != crypto::kKeySize) {
    return false;
  }
  out.peer.node = *node;
  std::copy(bytes->begin(), bytes->end(), out.peer.link_key.begin());
  out.agreed_ms = std::strtoll(content.c_str() + space, nullptr, 10);
  return true;
}

void load_keys(StoredLink& link, const StoredState& stored) {
  std::vector<AgedPeer> peers;
  for (const auto& [name, content] : stored.sections) {
    if (!name.starts_with(kKeyPrefix)) {
      continue;
    }
    if (!load_key(name, content, peers.emplace_back())) {
      peers.pop_back();
      link.complaints.push_back("stored " + name + " cannot be read; pair this node again");
    }
  }
  std::sort(peers.begin(), peers.end(),
            [](const AgedPeer& a, const AgedPeer& b) { return a.agreed_ms > b.agreed_ms; });
  for (const AgedPeer& one : peers) {
    link.peers.push_back(one.peer);
  }
}

// What was kept of a queue: only what follows the last hole, and belongs to the newest stream, can be used.
void load_queue(StoredLink& link, const StoredState& stored) {
  const auto counter = [&stored](std::string_view name) -> std::optional<std::uint32_t> {
    const auto found = stored.counters.find(std::string{name});
    return found == stored.counters.end() ? std::nullopt
                                          : std::optional{static_cast<std::uint32_t>(found->second)};
  };
  link.queue_epoch = counter(kLinkQueueEpochCounter);
  link.queue_next = counter(kLinkQueueNextCounter).value_or(0);
  for (const LinkQueueEntry& entry : stored.link_queue) {
    if (entry.epoch != link.queue_epoch) {
      continue;
    }
    if (!link.queue.empty() && entry.sequence != link.queue.back().sequence + 1) {
      link.queue.clear();
    }
    link.queue.push_back(entry);
  }
}

}  // namespace

StoredLink load_link(const StoredState& stored) {
  StoredLink link;
  for (const auto& [name, content] : stored.sections) {
    if (name.starts_with(kSectionPrefix)) {
      load_section(link, name, &content);
    } else if (name == kAddressName) {
      link.address = parse_mac(content).value_or(NodeId{});
    }
  }
  for (const std::string& name : stored.damaged_sections) {
    if (name.starts_with(kSectionPrefix)) {
      load_section(link, name, nullptr);
    }
  }
  load_keys(link, stored);
  link.positions = stored.link_positions;
  load_queue(link, stored);
  if (const auto found = stored.counters.find(kChannelCounter); found != stored.counters.end()) {
    link.channel = static_cast<std::uint8_t>(std::clamp<std::int64_t>(found->second, 0, kRadioChannelMax));
  }
  return link;
}

std::string section_name(NodeId owner, state::SectionId section) {
  return std::string{kSectionPrefix} + (owner.is_nobody() ? std::string{kOwn} : to_string(owner)) + "." +
         std::to_string(section);
}

std::string key_name(NodeId peer) {
  return std::string{kKeyPrefix} + to_string(peer);
}

std::string key_text(const crypto::Key& key, WallTime agreed_at) {
  return to_hex(key) + " " + std::to_string(agreed_at.unix_ms);
}

std::string to_text(const state::Record& record) {
  std::array<std::uint8_t, kHeaderSize + state::kPayloadSizeMax> bytes{};
  ByteWriter writer{bytes};
  writer.write(record.version);
  writer.write(record.stamp.physical_ms);
  writer.write(record.stamp.logical);
  for (const std::uint8_t byte : to_bytes(record.origin)) {
    writer.write(byte);
  }
  for (const std::uint8_t byte : record.payload.bytes()) {
    writer.write(byte);
  }
  return to_hex(ByteSpan{bytes}.first(writer.size()));
}

std::optional<state::Record> record_from_text(std::string_view text) {
  const auto bytes = bytes_from_hex(text);
  if (!bytes || bytes->size() < kHeaderSize || bytes->size() > kHeaderSize + state::kPayloadSizeMax) {
    return std::nullopt;
  }
  ByteReader reader{*bytes};
  state::Record record;
  record.version = reader.u32();
  record.stamp.physical_ms = reader.read<std::uint64_t>();
  record.stamp.logical = reader.u16();
  record.origin = to_node_id(reader.take(kNodeIdSize));
  record.payload = state::Payload{reader.take(reader.remaining())};
  return record;
}

std::string to_hex(ByteSpan bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xFU];
  }
  return text;
}

std::optional<std::vector<std::uint8_t>> bytes_from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit_of(text[i]);
    const int low = digit_of(text[i + 1]);
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    bytes.push_back(static_cast<std::uint8_t>(16 * high + low));
  }
  return bytes;
}

std::string to_string(NodeId node) {
  const auto characters = to_characters(node);
  return {characters.begin(), characters.end()};
}

}  // namespace amphora::runtime
