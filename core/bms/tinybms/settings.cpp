// SPDX-License-Identifier: Apache-2.0
#include "core/bms/tinybms/settings.hpp"

#include <algorithm>

#include "core/base/assert.hpp"

namespace amphora::tinybms {

namespace {

// low + gap <= high.
struct Constraint {
  std::uint16_t low;
  std::uint16_t high;
  RawValue gap;
};
// The maker's manual: each cell voltage bound keeps 10 mV to its neighbour, and the peak current lies above
// the over-current cut-off.
constexpr auto kConstraints =
    std::array{Constraint{reg::kUnderVoltage, reg::kFullyDischarged, 10},
               Constraint{reg::kFullyDischarged, reg::kFullyCharged, 10},
               Constraint{reg::kFullyCharged, reg::kOverVoltage, 10},
               Constraint{reg::kDischargeOverCurrent, reg::kPeakDischargeCurrent, 1}};

// Settings with some writes on top.
class Overlay {
 public:
  Overlay(const SettingsImage& settings, std::span<const RegisterWrite> writes)
      : settings_{settings}, writes_{writes} {}

  std::optional<RawValue> value(std::uint16_t number) const {
    for (const RegisterWrite& write : writes_) {
      if (write.number == number) {
        return write.value;
      }
    }
    return known(settings_.value(number));
  }
  bool has_write(std::uint16_t number) const {
    return std::any_of(writes_.begin(), writes_.end(),
                       [number](const RegisterWrite& write) { return write.number == number; });
  }
  bool is_kept(const Constraint& constraint) const {
    const auto low = value(constraint.low);
    const auto high = value(constraint.high);
    // Old firmware reads zero for the peak current, which it does not have.
    if (!low || !high || (constraint.high == reg::kPeakDischargeCurrent && *high == 0)) {
      return true;
    }
    return *low + constraint.gap <= *high;
  }

 private:
  const SettingsImage& settings_;
  std::span<const RegisterWrite> writes_;
};

bool touches(const Constraint& constraint, std::uint16_t number) {
  return constraint.low == number || constraint.high == number;
}

void append(RefusalText& text, std::string_view part) {
  for (const char character : part) {
    text.push_back(character);
  }
}

void append(RefusalText& text, RawValue number) {
  Register plain;
  append(text, format_value(plain, number).view());
}

// "4.600 V" of a raw value.
void append_value(RefusalText& text, const Register& entry, RawValue value) {
  append(text, format_value(entry, value).view());
  append(text, entry.unit.empty() ? "" : " ");
  append(text, entry.unit);
}

// "; allowed 1.200 V to 4.500 V (raw 4600; 1200 to 4500)": what a form shows and what is on the wire.
void append_range(RefusalText& text, const Register& entry, const WriteRefusal& refusal) {
  append(text, "; allowed ");
  append_value(text, entry, refusal.min);
  append(text, " to ");
  append_value(text, entry, refusal.max);
  if (entry.decimals > 0) {
    append(text, " (raw ");
    append(text, refusal.value);
    append(text, "; ");
    append(text, refusal.min);
    append(text, " to ");
    append(text, refusal.max);
    append(text, ")");
  }
}

std::optional<WriteRefusal> check_write(const RegisterWrite& write) {
  WriteRefusal refusal{WriteRefusalReason::kUnknownRegister, write.number, write.value};
  const Register* entry = find_register(write.number);
  if (entry == nullptr) {
    return refusal;
  }
  refusal.min = entry->min;
  refusal.max = entry->max;
  if (!entry->is_writable) {
    refusal.reason = WriteRefusalReason::kReadOnly;
    return refusal;
  }
  if (!is_valid(*entry, write.value)) {
    refusal.reason = WriteRefusalReason::kOutOfRange;
    return refusal;
  }
  return std::nullopt;
}

WriteRefusal constraint_refusal(const Overlay& result, const Constraint& constraint) {
  // The written one of the two is to blame; of two written ones the lower.
  const bool is_low_blamed = result.has_write(constraint.low);
  const std::uint16_t number = is_low_blamed ? constraint.low : constraint.high;
  const std::uint16_t other = is_low_blamed ? constraint.high : constraint.low;
  const Register* entry = find_register(number);
  AMPHORA_ASSERT(entry != nullptr);
  WriteRefusal refusal{WriteRefusalReason::kConstraint,
                       number,
                       result.value(number).value_or(0),
                       entry->min,
                       entry->max,
                       other};
  const RawValue bound = result.value(other).value_or(0);
  if (is_low_blamed) {
    refusal.max = std::min(refusal.max, bound - constraint.gap);
  } else {
    refusal.min = std::max(refusal.min, bound + constraint.gap);
  }
  return refusal;
}

}  // namespace

void SettingsImage::store(TimePoint at, std::span<const std::uint16_t, kSettingsBlock.count> words) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    words_[i] = Sampled<std::uint16_t>{words[i], at};
  }
}

void SettingsImage::forget(const Register& entry) {
  for (std::size_t i = 0; i < word_count(entry); ++i) {
    const std::size_t index = entry.number + i - kSettingsBlock.address;
    if (index < words_.size()) {
      words_[index].reset();
    }
  }
}

void SettingsImage::forget_all() {
  words_.fill(std::nullopt);
}

Reading<std::uint16_t> SettingsImage::word(std::uint16_t number) const {
  const auto index = static_cast<std::size_t>(number) - kSettingsBlock.address;
  return number >= kSettingsBlock.address && index < words_.size() ? words_[index] : std::nullopt;
}

Reading<RawValue> SettingsImage::value(std::uint16_t number) const {
  const Register* entry = find_register(number);
  const Reading<std::uint16_t> low = word(number);
  if (entry == nullptr || !low) {
    return std::nullopt;
  }
  std::array<std::uint16_t, 2> words{low->value, 0};
  if (word_count(*entry) == 2) {
    const Reading<std::uint16_t> high = word(static_cast<std::uint16_t>(number + 1));
    if (!high) {
      return std::nullopt;
    }
    words[1] = high->value;
  }
  const auto value = raw_value(*entry, words);
  return value ? Reading<RawValue>{Sampled<RawValue>{*value, low->at}} : std::nullopt;
}

bool SettingsImage::is_complete() const {
  return std::all_of(words_.begin(), words_.end(),
                     [](const Reading<std::uint16_t>& word) { return word.has_value(); });
}

std::string_view to_text(WriteRefusalReason reason) {
  constexpr std::string_view kNames[] = {
      "nothing_to_write", "too_many", "unknown_register", "read_only",        "out_of_range", "duplicate",
      "constraint",       "busy",     "not_connected",    "settings_not_read"};
  return kNames[static_cast<std::size_t>(reason)];
}

RefusalText describe(const WriteRefusal& refusal) {
  RefusalText text;
  static constexpr Register kNoEntry{};
  const Register* found = find_register(refusal.number);
  const Register* entry = found != nullptr ? found : &kNoEntry;
  if (refusal.number != 0 || refusal.reason == WriteRefusalReason::kUnknownRegister) {
    append(text, "register ");
    append(text, RawValue{refusal.number});
    append(text, found != nullptr ? " " : "");
    append(text, entry->name);
    append(text, ": ");
  }
  switch (refusal.reason) {
    case WriteRefusalReason::kNothingToWrite:
      append(text, "nothing to write");
      break;
    case WriteRefusalReason::kTooMany:
      append(text, "too many registers in one write; at most ");
      append(text, RawValue{kWriteCountMax});
      break;
    case WriteRefusalReason::kUnknownRegister:
      append(text, "there is no such register");
      break;
    case WriteRefusalReason::kReadOnly:
      append(text, "can only be read");
      break;
    case WriteRefusalReason::kDuplicate:
      append(text, "is given twice");
      break;
    case WriteRefusalReason::kOutOfRange:
      append_value(text, *entry, refusal.value);
      append(text, " is not allowed");
      append_range(text, *entry, refusal);
      break;
    case WriteRefusalReason::kConstraint:
      append_value(text, *entry, refusal.value);
      append(text, " conflicts with register ");
      append(text, RawValue{refusal.other_number});
      append_range(text, *entry, refusal);
      break;
    case WriteRefusalReason::kBusy:
      append(text, "another write or command is under way");
      break;
    case WriteRefusalReason::kNotConnected:
      append(text, "the BMS does not answer");
      break;
    case WriteRefusalReason::kSettingsNotRead:
      append(text, "the settings of the BMS have not been read yet");
      break;
  }
  return text;
}

std::optional<WriteRefusal> check_writes(const SettingsImage& settings,
                                         std::span<const RegisterWrite> writes) {
  if (writes.empty()) {
    return WriteRefusal{WriteRefusalReason::kNothingToWrite};
  }
  if (writes.size() > kWriteCountMax) {
    return WriteRefusal{WriteRefusalReason::kTooMany};
  }
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (const auto refusal = check_write(writes[i])) {
      return refusal;
    }
    for (std::size_t k = 0; k < i; ++k) {
      if (writes[k].number == writes[i].number) {
        return WriteRefusal{WriteRefusalReason::kDuplicate, writes[i].number, writes[i].value};
      }
    }
  }
  const Overlay result{settings, writes};
  for (const Constraint& constraint : kConstraints) {
    const bool is_touched = result.has_write(constraint.low) || result.has_write(constraint.high);
    if (is_touched && !result.is_kept(constraint)) {
      return constraint_refusal(result, constraint);
    }
  }
  return std::nullopt;
}

void order_writes(const SettingsImage& settings, std::span<RegisterWrite> writes) {
  // Takes, one after the other, the first write that keeps every constraint it touches. For a chain of bounds
  // with a valid start and a valid end there always is one: raising from the top down, then lowering from the
  // bottom up, would do.
  for (std::size_t done = 0; done < writes.size(); ++done) {
    for (std::size_t i = done; i < writes.size(); ++i) {
      std::swap(writes[done], writes[i]);
      const Overlay state{settings, writes.first(done + 1)};
      const bool is_allowed =
          std::all_of(kConstraints.begin(), kConstraints.end(), [&](const Constraint& constraint) {
            return !touches(constraint, writes[done].number) || state.is_kept(constraint);
          });
      if (is_allowed) {
        break;
      }
      std::swap(writes[done], writes[i]);
    }
  }
}

bool is_consistent(const SettingsImage& settings) {
  const Overlay state{settings, {}};
  return std::all_of(kConstraints.begin(), kConstraints.end(),
                     [&state](const Constraint& constraint) { return state.is_kept(constraint); });
}

bool is_written(const Register& entry, RawValue asked, RawValue found) {
  return found == asked || (entry.sentinel != kNoSentinel && found == entry.sentinel);
}

}  // namespace amphora::tinybms
