// SPDX-License-Identifier: Apache-2.0
#include "core/energy/facts.hpp"

#include "core/base/assert.hpp"
#include "core/base/crc.hpp"

namespace amphora::energy {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kExhausted = 1U << 0U;
constexpr std::uint8_t kDayKnown = 1U << 1U;
constexpr std::uint8_t kEcoFallenBack = 1U << 2U;
constexpr std::uint8_t kFlags = kExhausted | kDayKnown | kEcoFallenBack;
constexpr std::uint8_t kOrder = 1U << 0U;
constexpr std::uint8_t kClosed = 1U << 1U;
constexpr std::size_t kDigestSize = 8;

std::uint64_t digest_of(ByteSpan content) {
  Digest digest;
  digest.add(content);
  return digest.value();
}

}  // namespace

std::array<std::uint8_t, kFactsSize> encode_facts(const Facts& facts) {
  std::array<std::uint8_t, kFactsSize> bytes{};
  ByteWriter writer{bytes};
  const auto day = facts.import_exhausted ? facts.import_exhausted->day : std::nullopt;
  writer.u8(kVersion);
  writer.u8(static_cast<std::uint8_t>((facts.import_exhausted ? kExhausted : 0U) | (day ? kDayKnown : 0U) |
                                      (facts.has_eco_fallen_back ? kEcoFallenBack : 0U)));
  writer.write(day.value_or(0));
  for (const std::optional<StoredOrder>& order : facts.orders) {
    const bool is_closed = order && order->position == Position::kClosed;
    writer.u8(static_cast<std::uint8_t>((order ? kOrder : 0U) | (is_closed ? kClosed : 0U)));
    writer.write(order ? order->end_unix_s : std::int64_t{0});
  }
  writer.write(digest_of(ByteSpan{bytes}.first(kFactsSize - kDigestSize)));
  AMPHORA_ASSERT(writer.ok() && writer.size() == kFactsSize);
  return bytes;
}

std::optional<Facts> decode_facts(ByteSpan bytes) {
  if (bytes.size() != kFactsSize) {
    return std::nullopt;
  }
  ByteReader reader{bytes};
  Facts facts;
  const std::uint8_t version = reader.u8();
  const std::uint8_t flags = reader.u8();
  const auto day = reader.read<std::int32_t>();
  if ((flags & kExhausted) != 0) {
    facts.import_exhausted = ImportExhausted{(flags & kDayKnown) != 0 ? std::optional{day} : std::nullopt};
  }
  facts.has_eco_fallen_back = (flags & kEcoFallenBack) != 0;
  for (std::optional<StoredOrder>& order : facts.orders) {
    const std::uint8_t order_flags = reader.u8();
    const auto end = reader.read<std::int64_t>();
    if ((order_flags & kOrder) != 0) {
      order = StoredOrder{(order_flags & kClosed) != 0 ? Position::kClosed : Position::kOpen, end};
    }
  }
  const bool is_whole =
      reader.read<std::uint64_t>() == digest_of(bytes.first(kFactsSize - kDigestSize)) && reader.ok();
  const bool is_known = version == kVersion && (flags & ~kFlags) == 0;
  return is_whole && is_known ? std::optional{facts} : std::nullopt;
}

}  // namespace amphora::energy
