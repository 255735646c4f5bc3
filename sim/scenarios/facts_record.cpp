// SPDX-License-Identifier: Apache-2.0
#include "sim/scenarios/facts_record.hpp"

namespace amphora::sim {

namespace {

constexpr std::uint8_t kExhausted = 1;
constexpr std::uint8_t kHasDay = 2;
constexpr std::uint8_t kFallenBack = 4;

}  // namespace

FactsRecord encode_facts(const energy::Facts& facts) {
  FactsRecord record{};
  ByteWriter writer{record};
  const auto& exhausted = facts.import_exhausted;
  const bool has_day = exhausted && exhausted->day;
  writer.u8(static_cast<std::uint8_t>((exhausted ? kExhausted : 0) | (has_day ? kHasDay : 0) |
                                      (facts.has_eco_fallen_back ? kFallenBack : 0)));
  writer.write(has_day ? *exhausted->day : std::int32_t{0});
  for (const auto& order : facts.orders) {
    writer.u8(order ? static_cast<std::uint8_t>(1 + static_cast<int>(order->position)) : 0);
    writer.write(order ? order->end_unix_s : std::int64_t{0});
  }
  return record;
}

std::optional<energy::Facts> decode_facts(ByteSpan bytes) {
  ByteReader reader{bytes};
  energy::Facts facts;
  const std::uint8_t flags = reader.u8();
  const auto day = reader.read<std::int32_t>();
  facts.has_eco_fallen_back = (flags & kFallenBack) != 0;
  if ((flags & kExhausted) != 0) {
    facts.import_exhausted.emplace();
    if ((flags & kHasDay) != 0) {
      facts.import_exhausted->day = day;
    }
  }
  bool is_sound = flags <= (kExhausted | kHasDay | kFallenBack);
  for (auto& order : facts.orders) {
    const std::uint8_t kind = reader.u8();
    const auto end_unix_s = reader.read<std::int64_t>();
    is_sound = is_sound && kind <= 2;
    if (kind != 0) {
      order =
          energy::StoredOrder{kind == 1 ? energy::Position::kOpen : energy::Position::kClosed, end_unix_s};
    }
  }
  return reader.ok() && reader.remaining() == 0 && is_sound ? std::optional{facts} : std::nullopt;
}

}  // namespace amphora::sim
