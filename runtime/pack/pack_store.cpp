// SPDX-License-Identifier: Apache-2.0
#include "runtime/pack/pack_store.hpp"

#include <charconv>

#include "core/energy/facts.hpp"
#include "core/sections/tables.hpp"

namespace amphora::runtime {
namespace {

constexpr std::string_view kHardwareName = "pack_hardware";
constexpr std::string_view kNodeName = "pack_node";
constexpr std::string_view kFloorName = "pack_floor";
constexpr std::string_view kFactsName = "pack_facts";
constexpr std::string_view kSectionPrefix = "pack_section_";

std::optional<std::uint64_t> number_from(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  const bool is_good = error == std::errc{} && end == text.data() + text.size();
  return is_good ? std::optional{value} : std::nullopt;
}

// Null for a section of another list.
const sections::SectionTable* pack_table(std::string_view name) {
  for (const sections::SectionTable& table : sections::pack_tables()) {
    if (table.name == name) {
      return &table;
    }
  }
  return nullptr;
}

void complain(StoredPack& pack, const std::string& name, const char* consequence) {
  pack.complaints.push_back("Stored record " + name + " cannot be read; " + consequence);
}

void load_section(StoredPack& pack, const std::string& name, const std::string* content) {
  const auto* const table = pack_table(std::string_view{name}.substr(kSectionPrefix.size()));
  if (table == nullptr) {
    complain(pack, name, "it is of a section that nobody knows and is ignored.");
    return;
  }
  StoredSection section;
  section.section = table->id;
  if (content != nullptr) {
    section.record = record_from_text(*content);
  }
  if (!section.record) {
    complain(pack, name, "the section is empty until another pack brings it back.");
  }
  pack.sections.push_back(std::move(section));
}

// `content` is null for a record whose checksum is wrong.
void load_one(StoredPack& pack, const std::string& name, const std::string* content) {
  if (name == kHardwareName) {
    pack.hardware = content != nullptr ? number_from(*content, 16).value_or(0) : 0;
    if (pack.hardware == 0) {
      complain(pack, name, "the hardware number is made anew.");
    }
  } else if (name == kNodeName) {
    const auto number = content != nullptr ? number_from(*content) : std::nullopt;
    if (number && *number <= packnet::kNodeMax) {
      pack.node = static_cast<packnet::Node>(*number);
    } else {
      complain(pack, name, "the pack looks for a place on the bus anew.");
    }
  } else if (name == kFloorName) {
    const auto number = content != nullptr ? number_from(*content) : std::nullopt;
    pack.is_floor_lost = !number || *number > packnet::kCounterMax;
    pack.floor = pack.is_floor_lost ? packnet::kCounterMax : *number;
    if (pack.is_floor_lost) {
      complain(pack, name,
               "no sealed command counts any more: give the bus a new key and remove the record.");
    }
  } else if (name == kFactsName) {
    const auto bytes = content != nullptr ? bytes_from_hex(*content) : std::nullopt;
    if (const auto facts = bytes ? energy::decode_facts(*bytes) : std::nullopt) {
      pack.facts = *facts;
    } else {
      complain(pack, name, "orders of people and an exhausted import limit are forgotten.");
    }
  } else if (name.starts_with(kSectionPrefix)) {
    load_section(pack, name, content);
  }
}

}  // namespace

StoredPack load_pack(const StoredState& stored) {
  StoredPack pack;
  for (const auto& [name, content] : stored.sections) {
    load_one(pack, name, &content);
  }
  for (const std::string& name : stored.damaged_sections) {
    load_one(pack, name, nullptr);
  }
  return pack;
}

PackRecord to_record(const energy::Facts& facts) {
  return {std::string{kFactsName}, to_hex(energy::encode_facts(facts))};
}

PackRecord hardware_record(packnet::HardwareNumber hardware) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    text += kDigits[(hardware >> static_cast<unsigned>(shift)) & 0xFU];
  }
  return {std::string{kHardwareName}, std::move(text)};
}

PackRecord to_record(const node::PackStoreRequest& request) {
  if (const auto* node = std::get_if<node::StoreNode>(&request)) {
    return {std::string{kNodeName}, std::to_string(node->node)};
  }
  if (const auto* floor = std::get_if<node::StoreFloor>(&request)) {
    return {std::string{kFloorName}, std::to_string(floor->floor)};
  }
  if (const auto* facts = std::get_if<energy::StoreRequest>(&request)) {
    return to_record(facts->facts);
  }
  const auto& section = std::get<state::StoreRequest>(request);
  return {std::string{kSectionPrefix} + std::string{sections::find_table(section.section)->name},
          to_text(section.record)};
}

}  // namespace amphora::runtime
