// SPDX-License-Identifier: Apache-2.0
// What a section consists of: fields, described by a table; and how values of them become bytes.
//
// One table row says everything about a field: name, kind, unit, range, default, help. Codec, validation,
// forms and documentation are derived from it, so adding a field or a section is adding rows
// (docs/ADDING_A_SECTION.md); the engine (core/state) never looks inside.
//
// Bytes of a section: its fields one after the other in the order of the table, integers little-endian.
//   bool, u8, choice   1 byte          u16   2 bytes          u32   4 bytes
//   ip4                4 bytes, in the order they are written
//   text, secret       1 byte length, then as many bytes of UTF-8
//   window             start u16, end u16 (minutes of the day), days u8 (bit 0 Monday; 0: unused)
// Fields are only ever appended to a table. Fewer bytes than the table has come from an older version: what
// is missing has its default. More bytes come from a newer one: they are kept and written back unchanged, so
// that an old box does not destroy what a new one has set.
//
// Numbers are integers in the smallest unit of the field; `scale` of them are one unit as people write it
// (3450 with scale 1000 and unit "V" is 3.45 V).
//
// A window is a time of the day on days of the week, "22:00-06:00 1-5": days 1 Monday to 7 Sunday as list and
// ranges ("1,3,6-7"), every day without them; "" is an unused one. With its end at or before its start it
// goes over midnight, and the days are those on which it starts; with both equal it lasts 24 hours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/text.hpp"
#include "core/state/section.hpp"

namespace amphora::sections {

enum class FieldKind : std::uint8_t { kBool, kU8, kU16, kU32, kIp4, kText, kChoice, kSecret, kWindow };
std::string_view to_text(FieldKind kind);
constexpr bool is_text(FieldKind kind) {
  return kind == FieldKind::kText || kind == FieldKind::kSecret;
}

// A window as the number of its value: start | end << 11 | days << 22, so 0 is an unused one.
struct WindowValue {
  std::uint16_t start_minute = 0;  // 0 to 1439
  std::uint16_t end_minute = 0;    // 0 to 1439
  std::uint8_t days = 0;           // bit 0 Monday to bit 6 Sunday; none: unused, and the times are 0
  friend constexpr bool operator==(const WindowValue&, const WindowValue&) = default;
};
inline constexpr std::uint16_t kMinutesPerDay = 1440;
inline constexpr std::uint8_t kEveryDay = 0x7F;
constexpr std::int64_t to_number(const WindowValue& window) {
  return window.days == 0 ? 0
                          : std::int64_t{window.start_minute} | std::int64_t{window.end_minute} << 11 |
                                std::int64_t{window.days} << 22;
}
constexpr WindowValue to_window(std::int64_t number) {
  return {static_cast<std::uint16_t>(number & 0x7FF), static_cast<std::uint16_t>((number >> 11) & 0x7FF),
          static_cast<std::uint8_t>((number >> 22) & 0xFF)};
}
// Times within the day, days of a week, nothing beside; unused ones are 0.
constexpr bool is_window(std::int64_t number) {
  const WindowValue window = to_window(number);
  return window.start_minute < kMinutesPerDay && window.end_minute < kMinutesPerDay &&
         window.days <= kEveryDay && to_number(window) == number;
}

inline constexpr std::size_t kFieldCountMax = 16;
inline constexpr std::size_t kTextSizeMax = 64;

struct Choice {
  std::string_view name;
  std::uint8_t value = 0;
  std::string_view title;
};

struct FieldSpec {
  std::string_view name;  // unique in its section; ends in the unit as people write it
  std::string_view title;
  FieldKind kind = FieldKind::kBool;
  std::string_view unit{};
  std::int64_t scale = 1;  // a power of ten
  // Numbers: smallest and largest value. Text: fewest and most bytes (at most kTextSizeMax). Not for bool,
  // choice, ip4 and window.
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t default_number = 0;
  std::string_view default_text{};
  std::span<const Choice> choices{};
  std::string_view above{};  // name of an earlier field of the section that must be smaller than this one
  std::string_view help{};
};

struct SectionTable {
  state::SectionId id = 0;
  // False: facts about the owner, which only the owner changes.
  bool is_peer_editable = true;
  std::string_view name;
  std::string_view title;
  std::string_view help;
  std::span<const FieldSpec> fields;

  constexpr state::SectionSpec spec() const { return {id, name, is_peer_editable}; }
};

// A bool (0 or 1), number, choice, ip4 (first byte highest) or window, or a text; which one the field's kind
// tells.
struct FieldValue {
  std::int64_t number = 0;
  FixedText<kTextSizeMax> text;
  friend constexpr bool operator==(const FieldValue&, const FieldValue&) = default;
};

// Values of all fields of one section, in the order of its table.
struct Values {
  std::array<FieldValue, kFieldCountMax> fields{};
  state::Payload extra;  // bytes of fields that a newer version has
  friend constexpr bool operator==(const Values&, const Values&) = default;
};

struct FieldError {
  enum class Reason : std::uint8_t {
    kTruncated,      // the bytes end within the field
    kOutOfRange,     // number, allowed: min to max
    kNotBool,        // neither 0 nor 1
    kUnknownChoice,  // not in the list
    kTooLong,        // text
    kTooShort,       // text
    kNotPrintable,   // text: not UTF-8, or with control characters
    kNotAbove,       // not greater than the field `above`
    kNotANumber,     // parse_value(): what is written is no number of this field's unit
    kNotAnAddress,   // parse_value()
    kTooPrecise,     // parse_value(): more decimals than the field keeps
    kNoRoom,         // all fields together are larger than a section may be
    kUnknownField,   // no field of this name
    kNotAWindow      // times or days that no week has
  };
  std::size_t field = 0;  // index in the table
  Reason reason = Reason::kTruncated;
  std::int64_t found = 0;  // the number, or the size of the text
  friend constexpr bool operator==(const FieldError&, const FieldError&) = default;
};
std::string_view to_text(FieldError::Reason reason);

Values default_values(const SectionTable& section);

// Decodes and validates. An empty payload (the default record) gives the defaults.
Result<Values, FieldError> decode(const SectionTable& section, ByteSpan payload);
// Validates and encodes.
Result<state::Payload, FieldError> encode(const SectionTable& section, const Values& values);
// The first field that is not allowed.
std::optional<FieldError> validate(const SectionTable& section, const Values& values);

std::optional<std::size_t> field_index(const SectionTable& section, std::string_view name);

// A value as people write it: "3.45", "true", "lfp", "192.168.1.10", "22:00-06:00 1-5". Secrets come out as
// they are: whoever shows them hides them.
using ValueText = FixedText<kTextSizeMax>;
ValueText format_value(const FieldSpec& field, const FieldValue& value);
// The reverse, with the checks of this one field; `field` of the error is 0.
Result<FieldValue, FieldError> parse_value(const FieldSpec& field, std::string_view text);

// For people: "cell_full_v: 5.2 V is not allowed; allowed: 2 to 4.25 V".
using ErrorText = FixedText<200>;
ErrorText describe(const SectionTable& section, const FieldError& error);

// Whether a table can be worked with: names, ranges, defaults, and that the largest content fits a section.
// For static_assert beside the table.
constexpr bool is_valid(const SectionTable& section);

// Bytes of the largest content.
constexpr std::size_t encoded_size_max(const SectionTable& section) {
  std::size_t size = 0;
  for (const FieldSpec& field : section.fields) {
    switch (field.kind) {
      case FieldKind::kBool:
      case FieldKind::kU8:
      case FieldKind::kChoice:
        size += 1;
        break;
      case FieldKind::kU16:
        size += 2;
        break;
      case FieldKind::kU32:
      case FieldKind::kIp4:
        size += 4;
        break;
      case FieldKind::kWindow:
        size += 5;
        break;
      case FieldKind::kText:
      case FieldKind::kSecret:
        size += 1 + static_cast<std::size_t>(field.max);
        break;
    }
  }
  return size;
}

namespace detail {

constexpr bool is_valid_scale(std::int64_t scale) {
  while (scale >= 10 && scale % 10 == 0) {
    scale /= 10;
  }
  return scale == 1;
}

constexpr bool is_valid_field(const SectionTable& section, std::size_t index) {
  const FieldSpec& field = section.fields[index];
  bool is_above_found = field.above.empty();
  for (std::size_t i = 0; i < index; ++i) {
    if (section.fields[i].name == field.name) {
      return false;
    }
    is_above_found = is_above_found || section.fields[i].name == field.above;
  }
  if (field.name.empty() || field.title.empty() || !is_above_found || !is_valid_scale(field.scale)) {
    return false;
  }
  switch (field.kind) {
    case FieldKind::kBool:
      return field.default_number == 0 || field.default_number == 1;
    case FieldKind::kChoice: {
      bool is_default_found = false;
      for (const Choice& choice : field.choices) {
        is_default_found = is_default_found || choice.value == field.default_number;
      }
      return is_default_found;
    }
    case FieldKind::kIp4:
      return field.default_number >= 0 && field.default_number <= 0xFFFF'FFFF;
    case FieldKind::kWindow:
      return is_window(field.default_number);
    case FieldKind::kU8:
    case FieldKind::kU16:
    case FieldKind::kU32: {
      const std::int64_t limit = field.kind == FieldKind::kU8    ? 0xFF
                                 : field.kind == FieldKind::kU16 ? 0xFFFF
                                                                 : 0xFFFF'FFFF;
      return field.min >= 0 && field.min < field.max && field.max <= limit &&
             field.default_number >= field.min && field.default_number <= field.max;
    }
    case FieldKind::kText:
    case FieldKind::kSecret:
      return field.min >= 0 && field.max > 0 && field.min <= field.max &&
             field.max <= static_cast<std::int64_t>(kTextSizeMax) &&
             static_cast<std::int64_t>(field.default_text.size()) >= field.min &&
             static_cast<std::int64_t>(field.default_text.size()) <= field.max;
  }
  return false;
}

}  // namespace detail

constexpr bool is_valid(const SectionTable& section) {
  if (section.id >= state::kSectionCountMax || section.name.empty() || section.fields.empty() ||
      section.fields.size() > kFieldCountMax || encoded_size_max(section) > state::kPayloadSizeMax) {
    return false;
  }
  for (std::size_t i = 0; i < section.fields.size(); ++i) {
    if (!detail::is_valid_field(section, i)) {
      return false;
    }
  }
  return true;
}

}  // namespace amphora::sections
