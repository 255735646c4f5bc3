// SPDX-License-Identifier: Apache-2.0
#include "core/sections/field.hpp"

#include <algorithm>
#include <charconv>

namespace amphora::sections {

namespace {

using Reason = FieldError::Reason;

constexpr std::int64_t kIp4Max = 0xFFFF'FFFF;

bool is_number(FieldKind kind) {
  return kind == FieldKind::kU8 || kind == FieldKind::kU16 || kind == FieldKind::kU32;
}

// Bytes of the UTF-8 sequence that begins with `first`, 0 if none does.
std::size_t sequence_size(std::uint8_t first) {
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first < 0xE0) {
    return 2;
  }
  if (first >= 0xE0 && first < 0xF0) {
    return 3;
  }
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

// UTF-8 without control characters, overlong forms, surrogates and numbers beyond Unicode.
bool is_printable(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte_at = [text](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const std::uint8_t first = byte_at(i);
    const std::size_t size = sequence_size(first);
    if (size == 0 || i + size > text.size() || first < 0x20 || first == 0x7F) {
      return false;
    }
    for (std::size_t k = 1; k < size; ++k) {
      if ((byte_at(i + k) & 0xC0U) != 0x80) {
        return false;
      }
    }
    const std::uint8_t second = size > 1 ? byte_at(i + 1) : 0;
    const bool is_overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
    const bool is_beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
    const bool is_c1_control = first == 0xC2 && second < 0xA0;
    if (is_overlong || is_beyond || is_c1_control) {
      return false;
    }
    i += size;
  }
  return true;
}

std::optional<FieldError> check_value(const FieldSpec& field, const FieldValue& value) {
  const std::int64_t number = value.number;
  const auto size = static_cast<std::int64_t>(value.text.size());
  switch (field.kind) {
    case FieldKind::kBool:
      return number == 0 || number == 1 ? std::nullopt
                                        : std::optional{FieldError{0, Reason::kNotBool, number}};
    case FieldKind::kChoice:
      return std::ranges::any_of(field.choices, [number](const Choice& c) { return c.value == number; })
                 ? std::nullopt
                 : std::optional{FieldError{0, Reason::kUnknownChoice, number}};
    case FieldKind::kIp4:
      return number >= 0 && number <= kIp4Max ? std::nullopt
                                              : std::optional{FieldError{0, Reason::kOutOfRange, number}};
    case FieldKind::kWindow:
      return is_window(number) ? std::nullopt : std::optional{FieldError{0, Reason::kNotAWindow, number}};
    case FieldKind::kU8:
    case FieldKind::kU16:
    case FieldKind::kU32:
      return number >= field.min && number <= field.max
                 ? std::nullopt
                 : std::optional{FieldError{0, Reason::kOutOfRange, number}};
    case FieldKind::kText:
    case FieldKind::kSecret:
      break;
  }
  if (size > field.max) {
    return FieldError{0, Reason::kTooLong, size};
  }
  if (size < field.min) {
    return FieldError{0, Reason::kTooShort, size};
  }
  if (!is_printable(value.text.view())) {
    return FieldError{0, Reason::kNotPrintable, size};
  }
  return std::nullopt;
}

// Empty text and !ok() when the bytes end within it; a text longer than kTextSizeMax is refused as too long.
std::optional<FieldError> read_text(ByteReader& reader, FieldValue& value) {
  const std::uint8_t size = reader.u8();
  const ByteSpan bytes = reader.take(size);
  if (!reader.ok()) {
    return FieldError{0, Reason::kTruncated, size};
  }
  if (size > kTextSizeMax) {
    return FieldError{0, Reason::kTooLong, size};
  }
  value.text = {};
  for (const std::uint8_t byte : bytes) {
    value.text.push_back(static_cast<char>(byte));
  }
  return std::nullopt;
}

// An unused window is 0, whatever times it still has; bits beyond those of a number are kept for the check.
std::int64_t read_window(ByteReader& reader) {
  const std::int64_t start = reader.u16();
  const std::int64_t end = reader.u16();
  const std::int64_t days = reader.u8();
  constexpr std::int64_t kNoWindow = -1;
  const bool is_in_range = start < kMinutesPerDay && end < kMinutesPerDay;
  return days == 0 ? 0 : is_in_range ? start | end << 11 | days << 22 : kNoWindow;
}

std::optional<FieldError> read_value(ByteReader& reader, const FieldSpec& field, FieldValue& value) {
  switch (field.kind) {
    case FieldKind::kBool:
    case FieldKind::kU8:
    case FieldKind::kChoice:
      value.number = reader.u8();
      break;
    case FieldKind::kU16:
      value.number = reader.u16();
      break;
    case FieldKind::kU32:
      value.number = reader.u32();
      break;
    case FieldKind::kIp4:
      value.number = reader.u32(Endian::kBig);
      break;
    case FieldKind::kWindow:
      value.number = read_window(reader);
      break;
    case FieldKind::kText:
    case FieldKind::kSecret:
      return read_text(reader, value);
  }
  return reader.ok() ? std::nullopt : std::optional{FieldError{0, Reason::kTruncated, 0}};
}

void write_value(ByteWriter& writer, const FieldSpec& field, const FieldValue& value) {
  switch (field.kind) {
    case FieldKind::kBool:
    case FieldKind::kU8:
    case FieldKind::kChoice:
      writer.u8(static_cast<std::uint8_t>(value.number));
      break;
    case FieldKind::kU16:
      writer.u16(static_cast<std::uint16_t>(value.number));
      break;
    case FieldKind::kU32:
      writer.u32(static_cast<std::uint32_t>(value.number));
      break;
    case FieldKind::kIp4:
      writer.u32(static_cast<std::uint32_t>(value.number), Endian::kBig);
      break;
    case FieldKind::kWindow: {
      const WindowValue window = to_window(value.number);
      writer.u16(window.start_minute);
      writer.u16(window.end_minute);
      writer.u8(window.days);
      break;
    }
    case FieldKind::kText:
    case FieldKind::kSecret:
      writer.u8(static_cast<std::uint8_t>(value.text.size()));
      for (const char character : value.text.view()) {
        writer.u8(static_cast<std::uint8_t>(character));
      }
      break;
  }
}

template <class Text>
void append(Text& to, std::string_view text) {
  for (const char character : text) {
    to.push_back(character);
  }
}

template <class Text>
void append_number(Text& to, std::int64_t number) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append(to, {digits.data(), static_cast<std::size_t>(end - digits.data())});
}

// 3450 with scale 1000 is "3.45".
template <class Text>
void append_scaled(Text& to, std::int64_t number, std::int64_t scale) {
  if (number < 0) {
    to.push_back('-');
    number = -number;
  }
  append_number(to, number / scale);
  std::int64_t rest = number % scale;
  if (rest == 0) {
    return;
  }
  to.push_back('.');
  for (std::int64_t place = scale / 10; rest > 0; place /= 10) {
    to.push_back(static_cast<char>('0' + rest / place));
    rest %= place;
  }
}

template <class Text>
void append_value(Text& to, const FieldSpec& field, std::int64_t number) {
  append_scaled(to, number, field.scale);
  if (!field.unit.empty()) {
    to.push_back(' ');
    append(to, field.unit);
  }
}

// substr() could throw, which the core cannot.
std::string_view first_of(std::string_view text, std::size_t count) {
  return {text.data(), std::min(count, text.size())};
}

std::optional<std::int64_t> parse_whole(std::string_view text) {
  std::int64_t number = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_all = result.ec == std::errc{} && result.ptr == text.data() + text.size();
  return is_all && text.front() != '-' ? std::optional{number} : std::nullopt;
}

Result<FieldValue, FieldError> parse_number(const FieldSpec& field, std::string_view text) {
  // More digits than any field has: no overflow below.
  constexpr std::size_t kDigitsMax = 12;
  const std::size_t point = text.find('.');
  const std::string_view whole = first_of(text, point);
  std::string_view decimals = text;
  decimals.remove_prefix(point == std::string_view::npos ? text.size() : point + 1);
  const FieldError no_number{0, Reason::kNotANumber, 0};
  const auto units = parse_whole(whole);
  if (!units || (point != std::string_view::npos && (decimals.empty() || !parse_whole(decimals)))) {
    return no_number;
  }
  if (whole.size() > kDigitsMax) {
    return FieldError{0, Reason::kOutOfRange, *units};
  }
  while (!decimals.empty() && decimals.back() == '0') {
    decimals.remove_suffix(1);
  }
  std::int64_t number = *units * field.scale;
  std::int64_t place = field.scale;
  for (const char digit : decimals) {
    if (place == 1) {
      return FieldError{0, Reason::kTooPrecise, static_cast<std::int64_t>(decimals.size())};
    }
    place /= 10;
    number += (digit - '0') * place;
  }
  return FieldValue{number, {}};
}

Result<FieldValue, FieldError> parse_ip4(std::string_view text) {
  const FieldError no_address{0, Reason::kNotAnAddress, 0};
  std::int64_t address = 0;
  for (int i = 0; i < 4; ++i) {
    const std::size_t end = i < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3) {
      return no_address;
    }
    const auto byte = parse_whole(first_of(text, end));
    if (!byte || *byte > 255) {
      return no_address;
    }
    address = (address << 8) | *byte;
    text.remove_prefix(i < 3 ? end + 1 : end);
  }
  return FieldValue{address, {}};
}

// ---- windows

// "6:00" to "23:59"; "24:00" is 1440.
std::optional<std::uint16_t> parse_time(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon > 2 || text.size() != colon + 3) {
    return std::nullopt;
  }
  std::string_view minutes = text;
  minutes.remove_prefix(colon + 1);
  const auto hour = parse_whole(first_of(text, colon));
  const auto minute = parse_whole(minutes);
  if (!hour || !minute || *minute >= 60 || *hour * 60 + *minute > kMinutesPerDay) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(*hour * 60 + *minute);
}

bool is_day(char character) {
  return character >= '1' && character <= '7';
}

// "1-5" or "1,3,6-7" as bits; 0 when it is no such list.
std::uint8_t parse_days(std::string_view text) {
  std::uint32_t days = 0;
  while (!text.empty()) {
    const bool is_range = text.size() >= 3 && text[1] == '-';
    const char first = text.front();
    const char last = is_range ? text[2] : first;
    text.remove_prefix(is_range ? 3 : 1);
    if (!is_day(first) || !is_day(last) || last < first) {
      return 0;
    }
    for (char day = first; day <= last; ++day) {
      days |= 1U << static_cast<std::uint32_t>(day - '1');
    }
    if (text.empty()) {
      return static_cast<std::uint8_t>(days);
    }
    if (text.front() != ',') {
      return 0;
    }
    text.remove_prefix(1);
  }
  return 0;  // nothing at all, or nothing after a comma
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

Result<FieldValue, FieldError> parse_window(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) {
    return FieldValue{};
  }
  const std::string_view times = first_of(text, text.find(' '));
  std::string_view days = text;
  days.remove_prefix(times.size());
  days = trimmed(days);
  const std::size_t dash = times.find('-');
  std::string_view end_text = times;
  end_text.remove_prefix(dash == std::string_view::npos ? times.size() : dash + 1);
  const auto start = parse_time(first_of(times, dash));
  const auto end = parse_time(end_text);
  const std::uint8_t on = days.empty() ? kEveryDay : parse_days(days);
  if (!start || *start == kMinutesPerDay || !end || on == 0) {
    return FieldError{0, Reason::kNotAWindow, 0};
  }
  // Midnight at the end of a day is the one at which the next begins.
  const auto end_minute = static_cast<std::uint16_t>(*end % kMinutesPerDay);
  return FieldValue{to_number({*start, end_minute, on}), {}};
}

void append_two_digits(ValueText& to, int number) {
  to.push_back(static_cast<char>('0' + number / 10));
  to.push_back(static_cast<char>('0' + number % 10));
}

void append_time(ValueText& to, std::uint16_t minute) {
  append_two_digits(to, minute / 60);
  to.push_back(':');
  append_two_digits(to, minute % 60);
}

void append_days(ValueText& to, std::uint8_t days) {
  const auto is_on = [days](int day) { return day < 7 && ((days >> day) & 1) != 0; };
  char separator = ' ';
  for (int day = 0; day < 7; ++day) {
    if (!is_on(day)) {
      continue;
    }
    to.push_back(separator);
    separator = ',';
    to.push_back(static_cast<char>('1' + day));
    if (is_on(day + 1)) {
      while (is_on(day + 1)) {
        ++day;
      }
      to.push_back('-');
      to.push_back(static_cast<char>('1' + day));
    }
  }
}

void append_window(ValueText& to, std::int64_t number) {
  if (number == 0) {
    return;
  }
  const WindowValue window = to_window(number);
  append_time(to, window.start_minute);
  to.push_back('-');
  append_time(to, window.end_minute);
  if (window.days != kEveryDay) {
    append_days(to, window.days);
  }
}

FieldError at_field(FieldError error, std::size_t index) {
  error.field = index;
  return error;
}

}  // namespace

std::string_view to_text(FieldKind kind) {
  constexpr std::string_view kNames[] = {"bool", "u8",     "u16",    "u32",   "ip4",
                                         "text", "choice", "secret", "window"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string_view to_text(FieldError::Reason reason) {
  constexpr std::string_view kNames[] = {"truncated",     "out_of_range",   "not_bool",      "unknown_choice",
                                         "too_long",      "too_short",      "not_printable", "not_above",
                                         "not_a_number",  "not_an_address", "too_precise",   "no_room",
                                         "unknown_field", "not_a_window"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::optional<std::size_t> field_index(const SectionTable& section, std::string_view name) {
  for (std::size_t i = 0; i < section.fields.size(); ++i) {
    if (section.fields[i].name == name) {
      return i;
    }
  }
  return std::nullopt;
}

Values default_values(const SectionTable& section) {
  Values values;
  for (std::size_t i = 0; i < section.fields.size(); ++i) {
    values.fields[i] = {section.fields[i].default_number, section.fields[i].default_text};
  }
  return values;
}

std::optional<FieldError> validate(const SectionTable& section, const Values& values) {
  for (std::size_t i = 0; i < section.fields.size(); ++i) {
    const FieldSpec& field = section.fields[i];
    const FieldValue& value = values.fields[i];
    if (const auto error = check_value(field, value)) {
      return at_field(*error, i);
    }
    const auto below = field.above.empty() ? std::nullopt : field_index(section, field.above);
    if (below && value.number <= values.fields[*below].number) {
      return FieldError{i, Reason::kNotAbove, value.number};
    }
  }
  return std::nullopt;
}

Result<Values, FieldError> decode(const SectionTable& section, ByteSpan payload) {
  Values values = default_values(section);
  ByteReader reader{payload};
  for (std::size_t i = 0; i < section.fields.size() && reader.remaining() > 0; ++i) {
    if (const auto error = read_value(reader, section.fields[i], values.fields[i])) {
      return at_field(*error, i);
    }
  }
  values.extra = state::Payload{reader.take(reader.remaining())};
  if (const auto error = validate(section, values)) {
    return *error;
  }
  return values;
}

Result<state::Payload, FieldError> encode(const SectionTable& section, const Values& values) {
  if (const auto error = validate(section, values)) {
    return *error;
  }
  std::array<std::uint8_t, state::kPayloadSizeMax> buffer{};
  ByteWriter writer{buffer};
  for (std::size_t i = 0; i < section.fields.size(); ++i) {
    write_value(writer, section.fields[i], values.fields[i]);
  }
  writer.bytes(values.extra.bytes());
  if (!writer.ok()) {
    return FieldError{section.fields.size() - 1, Reason::kNoRoom,
                      static_cast<std::int64_t>(values.extra.size())};
  }
  return state::Payload{writer.written()};
}

ValueText format_value(const FieldSpec& field, const FieldValue& value) {
  ValueText text;
  switch (field.kind) {
    case FieldKind::kBool:
      append(text, value.number != 0 ? "true" : "false");
      break;
    case FieldKind::kU8:
    case FieldKind::kU16:
    case FieldKind::kU32:
      append_scaled(text, value.number, field.scale);
      break;
    case FieldKind::kIp4:
      for (int shift = 24; shift >= 0; shift -= 8) {
        append_number(text, (value.number >> shift) & 0xFF);
        append(text, shift > 0 ? "." : "");
      }
      break;
    case FieldKind::kChoice:
      for (const Choice& choice : field.choices) {
        append(text, choice.value == value.number ? choice.name : "");
      }
      break;
    case FieldKind::kWindow:
      append_window(text, value.number);
      break;
    case FieldKind::kText:
    case FieldKind::kSecret:
      return value.text;
  }
  return text;
}

Result<FieldValue, FieldError> parse_value(const FieldSpec& field, std::string_view text) {
  Result<FieldValue, FieldError> parsed = FieldValue{};
  switch (field.kind) {
    case FieldKind::kBool:
      if (text != "true" && text != "false") {
        return FieldError{0, Reason::kNotBool, 0};
      }
      parsed = FieldValue{text == "true" ? 1 : 0, {}};
      break;
    case FieldKind::kU8:
    case FieldKind::kU16:
    case FieldKind::kU32:
      parsed = parse_number(field, text);
      break;
    case FieldKind::kIp4:
      parsed = parse_ip4(text);
      break;
    case FieldKind::kWindow:
      parsed = parse_window(text);
      break;
    case FieldKind::kChoice: {
      const auto found = std::ranges::find(field.choices, text, &Choice::name);
      if (found == field.choices.end()) {
        return FieldError{0, Reason::kUnknownChoice, 0};
      }
      parsed = FieldValue{found->value, {}};
      break;
    }
    case FieldKind::kText:
    case FieldKind::kSecret:
      if (text.size() > kTextSizeMax) {
        return FieldError{0, Reason::kTooLong, static_cast<std::int64_t>(text.size())};
      }
      parsed = FieldValue{0, text};
      break;
  }
  if (parsed) {
    if (const auto error = check_value(field, *parsed)) {
      return *error;
    }
  }
  return parsed;
}

namespace {

void append_allowed(ErrorText& text, const FieldSpec& field) {
  append(text, "; allowed: ");
  if (is_number(field.kind)) {
    append_scaled(text, field.min, field.scale);
    append(text, " to ");
    append_value(text, field, field.max);
  } else if (field.kind == FieldKind::kBool) {
    append(text, "true, false");
  } else if (field.kind == FieldKind::kIp4) {
    append(text, "four numbers up to 255, as in 192.168.1.10");
  } else if (field.kind == FieldKind::kChoice) {
    for (std::size_t i = 0; i < field.choices.size(); ++i) {
      append(text, i > 0 ? ", " : "");
      append(text, field.choices[i].name);
    }
  } else if (field.kind == FieldKind::kWindow) {
    append(text, "as in 22:00-06:00 or 22:00-06:00 1-5 (days 1 Monday to 7 Sunday), or nothing");
  } else {
    append_number(text, field.min);
    append(text, " to ");
    append_number(text, field.max);
    append(text, " bytes of printable text");
  }
}

void append_reason(ErrorText& text, const SectionTable& section, const FieldSpec& field,
                   const FieldError& error) {
  switch (error.reason) {
    case Reason::kTruncated:
      append(text, "the data ends within this field");
      return;
    case Reason::kOutOfRange:
      append_value(text, field, error.found);
      append(text, " is out of range");
      break;
    case Reason::kNotBool:
      append(text, "neither true nor false");
      break;
    case Reason::kUnknownChoice:
      append(text, "not one of the choices");
      break;
    case Reason::kTooLong:
      append_number(text, error.found);
      append(text, " bytes are too long");
      break;
    case Reason::kTooShort:
      append_number(text, error.found);
      append(text, " bytes are too short");
      break;
    case Reason::kNotPrintable:
      append(text, "contains a character that cannot be shown");
      break;
    case Reason::kNotAbove:
      append_value(text, field, error.found);
      append(text, " must be greater than ");
      append(text, field.above);
      return;
    case Reason::kNotANumber:
      append(text, "not a number");
      break;
    case Reason::kNotAnAddress:
      append(text, "not an IPv4 address");
      break;
    case Reason::kTooPrecise:
      append(text, "more decimals than are kept; smallest step: ");
      append_value(text, field, 1);
      return;
    case Reason::kNoRoom:
      append(text, "no room: section ");
      append(text, section.name);
      append(text, " carries fields of a newer version that fill it");
      return;
    case Reason::kNotAWindow:
      append(text, "not a time of the day");
      break;
    case Reason::kUnknownField:
      return;
  }
  append_allowed(text, field);
}

}  // namespace

ErrorText describe(const SectionTable& section, const FieldError& error) {
  ErrorText text;
  if (error.reason == Reason::kUnknownField || error.field >= section.fields.size()) {
    append(text, "section ");
    append(text, section.name);
    append(text, " has no such field");
    return text;
  }
  const FieldSpec& field = section.fields[error.field];
  append(text, field.name);
  append(text, ": ");
  append_reason(text, section, field, error);
  return text;
}

}  // namespace amphora::sections
