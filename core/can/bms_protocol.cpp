// SPDX-License-Identifier: Apache-2.0
#include "core/can/bms_protocol.hpp"

#include <limits>
#include <type_traits>

namespace amphora::can {

namespace {

using battery::Alarm;
using battery::AlarmSet;

// Reads fields from the start; absent once the frame has ended.
class Fields {
 public:
  explicit Fields(const Frame& frame) : bytes_{frame.payload()} {}

  template <class Integer>
  std::optional<Integer> next() {
    ByteReader reader{bytes_.subspan(position_)};
    const auto value = reader.read<Integer>();
    if (!reader.ok()) {
      position_ = bytes_.size();
      return std::nullopt;
    }
    position_ += sizeof(Integer);
    return value;
  }
  template <class Integer, class Target>
  void read(std::optional<Target>& target) {
    if (const auto value = next<Integer>()) {
      target = Target{*value};
    }
  }

 private:
  ByteSpan bytes_;
  std::size_t position_ = 0;
};

constexpr bool is_printable(char character) {
  return character >= 0x20 && character <= 0x7E;
}

// Zeros end a text; with_spaces: so do spaces before them. Anything binary makes it absent.
std::optional<Text8> text_of(ByteSpan bytes, bool trims_spaces) {
  std::size_t size = bytes.size();
  while (size > 0 && (bytes[size - 1] == 0 || (trims_spaces && bytes[size - 1] == ' '))) {
    --size;
  }
  Text8 text;
  for (std::size_t i = 0; i < size; ++i) {
    const auto character = static_cast<char>(bytes[i]);
    if (!is_printable(character)) {
      return std::nullopt;
    }
    text.push_back(character);
  }
  return text;
}

// ---- decoding, one function for each frame

GxIdentity decode_gx_identity(const Frame& frame) {
  GxIdentity identity;
  Fields{frame}.read<std::uint32_t>(identity.number);
  if (frame.size > 4) {
    identity.maker = text_of(frame.payload().subspan(4), true);
  }
  return identity;
}

Limits decode_limits(const Frame& frame) {
  Fields fields{frame};
  Limits limits;
  fields.read<std::uint16_t>(limits.charge_voltage);
  fields.read<std::int16_t>(limits.charge_current);
  fields.read<std::int16_t>(limits.discharge_current);
  fields.read<std::uint16_t>(limits.discharge_voltage);
  return limits;
}

Charge decode_charge(const Frame& frame) {
  Fields fields{frame};
  Charge charge;
  fields.read<std::uint16_t>(charge.soc);
  fields.read<std::uint16_t>(charge.soh);
  fields.read<std::uint16_t>(charge.soc_fine);
  return charge;
}

Measurements decode_measurements(const Frame& frame) {
  Fields fields{frame};
  Measurements measurements;
  fields.read<std::int16_t>(measurements.voltage);
  fields.read<std::int16_t>(measurements.current);
  fields.read<std::int16_t>(measurements.temperature);
  return measurements;
}

constexpr unsigned kBitsActive = 0b01;
constexpr unsigned kBitsInactive = 0b10;
constexpr std::size_t kAlarmBytes = 4;

// The items of 0x35A stand in the order of battery::Alarm, two bits each.
AlarmSet decode_alarm_half(ByteSpan bytes) {
  AlarmSet set;
  for (std::size_t i = 0; i < battery::kAlarmCount && i / 4 < bytes.size(); ++i) {
    const unsigned bits = (bytes[i / 4] >> (2 * (i % 4))) & 0b11U;
    if (bits == kBitsActive || bits == kBitsInactive) {
      set.set(static_cast<Alarm>(i), bits == kBitsActive);
    }
  }
  return set;
}

constexpr std::size_t kOnlineByte = 7;
constexpr unsigned kOnlineShift = 2;

AlarmBits decode_alarm_bits(const Frame& frame) {
  const ByteSpan bytes = frame.payload();
  AlarmBits result;
  result.alarms = decode_alarm_half(bytes.first(bytes.size() < kAlarmBytes ? bytes.size() : kAlarmBytes));
  if (bytes.size() > kAlarmBytes) {
    result.warnings = decode_alarm_half(bytes.subspan(kAlarmBytes));
  }
  if (bytes.size() > kOnlineByte) {
    const unsigned bits = (bytes[kOnlineByte] >> kOnlineShift) & 0b11U;
    if (bits == kBitsActive || bits == kBitsInactive) {
      result.online = bits == kBitsInactive;
    }
  }
  return result;
}

template <class Target>
void drop_zero(std::optional<Target>& target) {
  if (target == Target{0}) {
    target.reset();
  }
}

Info decode_info(const Frame& frame) {
  Fields fields{frame};
  Info info;
  fields.read<std::uint16_t>(info.model);
  const auto major = fields.next<std::uint8_t>();
  const auto minor = fields.next<std::uint8_t>();
  if (major && minor) {
    info.firmware = Info::Version{*major, *minor};
  }
  fields.read<std::uint16_t>(info.capacity);
  drop_zero(info.capacity);
  fields.read<std::uint16_t>(info.hardware);
  return info;
}

constexpr std::uint16_t kUnsupported = 0xFFFF;

Modules decode_modules(const Frame& frame) {
  Fields fields{frame};
  Modules modules;
  for (auto* field : {&modules.ok, &modules.blocking_charge, &modules.blocking_discharge, &modules.offline}) {
    fields.read<std::uint16_t>(*field);
    if (*field == kUnsupported) {
      field->reset();
    }
  }
  return modules;
}

CellExtremes decode_cell_extremes(const Frame& frame) {
  Fields fields{frame};
  const auto supported = [&fields]() -> std::optional<std::uint16_t> {
    const std::optional<std::uint16_t> value = fields.next<std::uint16_t>();
    const bool is_missing = !value || *value == 0 || *value == kUnsupported;
    return is_missing ? std::nullopt : value;
  };
  CellExtremes extremes;
  if (const auto value = supported()) {
    extremes.cell_min = Millivolts{*value};
  }
  if (const auto value = supported()) {
    extremes.cell_max = Millivolts{*value};
  }
  if (const auto value = supported()) {
    extremes.temperature_min = celsius_from_kelvin(*value);
  }
  if (const auto value = supported()) {
    extremes.temperature_max = celsius_from_kelvin(*value);
  }
  return extremes;
}

Energy decode_energy(const Frame& frame) {
  Fields fields{frame};
  Energy energy;
  fields.read<std::uint32_t>(energy.in);
  fields.read<std::uint32_t>(energy.out);
  return energy;
}

Installed decode_installed(const Frame& frame) {
  Installed installed;
  Fields{frame}.read<std::uint16_t>(installed.capacity);
  drop_zero(installed.capacity);
  return installed;
}

// Pylontech's bits: the alarm, and where it is in its pair of bytes.
struct PylonBit {
  Alarm alarm;
  std::uint8_t byte;
  std::uint8_t bit;
};
constexpr std::array<PylonBit, 7> kPylonBits{{
    {Alarm::kHighVoltage, 0, 1},
    {Alarm::kLowVoltage, 0, 2},
    {Alarm::kHighTemperature, 0, 3},
    {Alarm::kLowTemperature, 0, 4},
    {Alarm::kHighDischargeCurrent, 0, 7},
    {Alarm::kHighChargeCurrent, 1, 0},
    {Alarm::kBmsInternal, 1, 3},
}};
constexpr std::size_t kPylonPairSize = 2;

AlarmSet decode_pylon_pair(ByteSpan bytes) {
  AlarmSet set;
  for (const PylonBit& entry : kPylonBits) {
    set.set(entry.alarm, ((bytes[entry.byte] >> entry.bit) & 1U) != 0);
  }
  return set;
}

PylonStatus decode_pylon_status(const Frame& frame) {
  PylonStatus status;
  status.protections = decode_pylon_pair(frame.payload().first(kPylonPairSize));
  status.alarms = decode_pylon_pair(frame.payload().subspan(kPylonPairSize, kPylonPairSize));
  if (frame.size > 2 * kPylonPairSize) {
    status.module_count = frame.data[2 * kPylonPairSize];
  }
  return status;
}

PylonRequests decode_pylon_requests(const Frame& frame) {
  const unsigned bits = frame.data[0];
  return PylonRequests{(bits & 0x80U) != 0, (bits & 0x40U) != 0, (bits & 0x20U) != 0, (bits & 0x10U) != 0,
                       (bits & 0x08U) != 0};
}

// Filled field by field: gcc 12 takes a temporary with an empty optional for uninitialised when it is moved
// into a variant.
template <class HalfMessage>
HalfMessage decode_half(const Frame& frame, Half half) {
  HalfMessage message;
  message.half = half;
  message.text = text_of(frame.payload(), false);
  return message;
}

template <class TextMessage>
TextMessage decode_text(const Frame& frame) {
  TextMessage message;
  message.text = text_of(frame.payload(), true);
  return message;
}

ExtremeName decode_extreme_name(const Frame& frame) {
  auto message = decode_text<ExtremeName>(frame);
  message.which = static_cast<ExtremeName::Which>(frame.id - kCellMinNameId);
  return message;
}

Message decode_known(const Frame& frame) {
  switch (frame.id) {
    case kGxIdentityId:
      return decode_gx_identity(frame);
    case kLimitsId:
      return decode_limits(frame);
    case kChargeId:
      return decode_charge(frame);
    case kMeasurementsId:
      return decode_measurements(frame);
    case kAlarmBitsId:
      return decode_alarm_bits(frame);
    case kManufacturerId:
      return decode_text<Manufacturer>(frame);
    case kInfoId:
      return decode_info(frame);
    case kNameFirstId:
      return decode_half<Name>(frame, Half::kFirst);
    case kNameSecondId:
      return decode_half<Name>(frame, Half::kSecond);
    case kModulesId:
      return decode_modules(frame);
    case kCellExtremesId:
      return decode_cell_extremes(frame);
    case kCellMinNameId:
    case kCellMaxNameId:
    case kTemperatureMinNameId:
    case kTemperatureMaxNameId:
      return decode_extreme_name(frame);
    case kEnergyId:
      return decode_energy(frame);
    case kInstalledId:
      return decode_installed(frame);
    case kSerialFirstId:
      return decode_half<Serial>(frame, Half::kFirst);
    case kSerialSecondId:
      return decode_half<Serial>(frame, Half::kSecond);
    case kFamilyId:
      return decode_text<Family>(frame);
    case kPylonStatusId:
      return decode_pylon_status(frame);
    case kPylonRequestsId:
      return decode_pylon_requests(frame);
    default:
      return KeepAlive{};
  }
}

// ---- encoding

// Collects fields; the first error stays. A missing field cuts the frame there: nothing may follow it.
class FrameWriter {
 public:
  explicit FrameWriter(std::uint32_t id) : writer_{frame_.data} { frame_.id = id; }

  template <class Integer, class Source>
  FrameWriter& required(const std::optional<Source>& field) {
    if (!field) {
      fail(EncodeError::kFieldMissing);
      return *this;
    }
    return number<Integer>(raw(*field));
  }
  // Absent only together with everything after it.
  template <class Integer, class Source>
  FrameWriter& trailing(const std::optional<Source>& field) {
    if (!field) {
      is_cut_ = true;
      return *this;
    }
    if (is_cut_) {
      fail(EncodeError::kFieldMissing);
      return *this;
    }
    return number<Integer>(raw(*field));
  }
  // Absent as the sentinel; `field` must not be one of the values that mean absent.
  FrameWriter& or_sentinel(const std::optional<std::int64_t>& field, std::uint16_t sentinel,
                           std::int64_t minimum, std::int64_t maximum) {
    if (!field) {
      return number<std::uint16_t>(sentinel);
    }
    if (*field < minimum || *field > maximum) {
      fail(EncodeError::kFieldOutOfRange);
    }
    return number<std::uint16_t>(*field);
  }
  template <class Integer>
  FrameWriter& number(std::int64_t value) {
    if (value < std::int64_t{std::numeric_limits<Integer>::min()} ||
        value > std::int64_t{std::numeric_limits<Integer>::max()}) {
      fail(EncodeError::kFieldOutOfRange);
      return *this;
    }
    writer_.write(static_cast<Integer>(value));
    return *this;
  }
  // Always eight bytes, zero padded.
  FrameWriter& text(const std::optional<Text8>& text, std::size_t size = kTextSizeMax) {
    if (!text) {
      fail(EncodeError::kFieldMissing);
      return *this;
    }
    for (std::size_t i = 0; i < size; ++i) {
      const char character = i < text->size() ? text->view()[i] : '\0';
      if (i < text->size() && !is_printable(character)) {
        fail(EncodeError::kNotPrintable);
      }
      writer_.u8(static_cast<std::uint8_t>(character));
    }
    if (text->size() > size) {
      fail(EncodeError::kFieldOutOfRange);
    }
    return *this;
  }
  void fail(EncodeError error) {
    if (!error_) {
      error_ = error;
    }
  }
  Result<Frame, EncodeError> finish() {
    if (error_) {
      return *error_;
    }
    frame_.size = static_cast<std::uint8_t>(writer_.size());
    return frame_;
  }

 private:
  template <class Source>
  static std::int64_t raw(const Source& source) {
    if constexpr (std::is_integral_v<Source>) {
      return source;
    } else {
      return source.count();
    }
  }
  Frame frame_;
  ByteWriter writer_;
  std::optional<EncodeError> error_;
  bool is_cut_ = false;
};

using Encoded = Result<Frame, EncodeError>;

Encoded encode_one(const KeepAlive&) {
  return FrameWriter{kKeepAliveId}.number<std::uint32_t>(0).number<std::uint32_t>(0).finish();
}

Encoded encode_one(const GxIdentity& identity) {
  FrameWriter writer{kGxIdentityId};
  writer.required<std::uint32_t>(identity.number).text(identity.maker, 4);
  return writer.finish();
}

Encoded encode_one(const Limits& limits) {
  FrameWriter writer{kLimitsId};
  writer.required<std::uint16_t>(limits.charge_voltage);
  writer.required<std::int16_t>(limits.charge_current);
  writer.required<std::int16_t>(limits.discharge_current);
  writer.required<std::uint16_t>(limits.discharge_voltage);
  return writer.finish();
}

Encoded encode_one(const Charge& charge) {
  FrameWriter writer{kChargeId};
  writer.required<std::uint16_t>(charge.soc);
  writer.trailing<std::uint16_t>(charge.soh);
  writer.trailing<std::uint16_t>(charge.soc_fine);
  return writer.finish();
}

Encoded encode_one(const Measurements& measurements) {
  FrameWriter writer{kMeasurementsId};
  writer.required<std::int16_t>(measurements.voltage);
  writer.trailing<std::int16_t>(measurements.current);
  writer.trailing<std::int16_t>(measurements.temperature);
  return writer.finish();
}

void encode_alarm_half(const AlarmSet& set, std::array<std::uint8_t, kAlarmBytes>& bytes) {
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<Alarm>(i);
    unsigned bits = 0;
    if (set.is_watched(alarm)) {
      bits = set.is_active(alarm) ? kBitsActive : kBitsInactive;
    }
    bytes[i / 4] = static_cast<std::uint8_t>(bytes[i / 4] | (bits << (2 * (i % 4))));
  }
}

Encoded encode_one(const AlarmBits& alarm_bits) {
  std::array<std::uint8_t, kAlarmBytes> alarms{};
  std::array<std::uint8_t, kAlarmBytes> warnings{};
  encode_alarm_half(alarm_bits.alarms, alarms);
  encode_alarm_half(alarm_bits.warnings, warnings);
  if (alarm_bits.online) {
    const unsigned bits = *alarm_bits.online ? kBitsInactive : kBitsActive;
    warnings[3] = static_cast<std::uint8_t>(warnings[3] | (bits << kOnlineShift));
  }
  FrameWriter writer{kAlarmBitsId};
  writer.number<std::uint32_t>(load<std::uint32_t>(alarms.data(), Endian::kLittle));
  writer.number<std::uint32_t>(load<std::uint32_t>(warnings.data(), Endian::kLittle));
  return writer.finish();
}

Encoded encode_one(const Manufacturer& manufacturer) {
  return FrameWriter{kManufacturerId}.text(manufacturer.text).finish();
}

Encoded encode_one(const Info& info) {
  FrameWriter writer{kInfoId};
  writer.required<std::uint16_t>(info.model);
  if (!info.firmware) {
    writer.fail(EncodeError::kFieldMissing);
    return writer.finish();
  }
  writer.number<std::uint8_t>(info.firmware->major).number<std::uint8_t>(info.firmware->minor);
  std::optional<std::int64_t> capacity;
  if (info.capacity) {
    capacity = info.capacity->count();
  }
  writer.or_sentinel(capacity, 0, 1, 0xFFFF);
  writer.trailing<std::uint16_t>(info.hardware);
  return writer.finish();
}

Encoded encode_one(const Name& name) {
  return FrameWriter{name.half == Half::kFirst ? kNameFirstId : kNameSecondId}.text(name.text).finish();
}

Encoded encode_one(const Serial& serial) {
  return FrameWriter{serial.half == Half::kFirst ? kSerialFirstId : kSerialSecondId}
      .text(serial.text)
      .finish();
}

Encoded encode_one(const Modules& modules) {
  FrameWriter writer{kModulesId};
  for (const auto& field :
       {modules.ok, modules.blocking_charge, modules.blocking_discharge, modules.offline}) {
    std::optional<std::int64_t> value;
    if (field) {
      value = *field;
    }
    writer.or_sentinel(value, kUnsupported, 0, kUnsupported - 1);
  }
  return writer.finish();
}

Encoded encode_one(const CellExtremes& extremes) {
  FrameWriter writer{kCellExtremesId};
  const auto put = [&writer](std::optional<std::int64_t> value) {
    writer.or_sentinel(value, kUnsupported, 1, kUnsupported - 1);
  };
  const auto millivolts = [](const std::optional<Millivolts>& value) {
    return value ? std::optional<std::int64_t>{value->count()} : std::nullopt;
  };
  const auto kelvin = [](const std::optional<Decicelsius>& value) {
    return value ? std::optional<std::int64_t>{kelvin_from_celsius(*value)} : std::nullopt;
  };
  if (!extremes.cell_min && !extremes.cell_max && !extremes.temperature_min && !extremes.temperature_max) {
    writer.fail(EncodeError::kFieldMissing);
  }
  put(millivolts(extremes.cell_min));
  put(millivolts(extremes.cell_max));
  if (extremes.temperature_min || extremes.temperature_max) {
    put(kelvin(extremes.temperature_min));
    put(kelvin(extremes.temperature_max));
  }
  return writer.finish();
}

Encoded encode_one(const ExtremeName& name) {
  return FrameWriter{kCellMinNameId + static_cast<std::uint32_t>(name.which)}.text(name.text).finish();
}

Encoded encode_one(const Energy& energy) {
  FrameWriter writer{kEnergyId};
  writer.required<std::uint32_t>(energy.in);
  writer.trailing<std::uint32_t>(energy.out);
  return writer.finish();
}

Encoded encode_one(const Installed& installed) {
  FrameWriter writer{kInstalledId};
  if (installed.capacity == AmpHours{0}) {
    writer.fail(EncodeError::kFieldOutOfRange);
  }
  return writer.required<std::uint16_t>(installed.capacity).finish();
}

Encoded encode_one(const Family& family) {
  return FrameWriter{kFamilyId}.text(family.text).finish();
}

void encode_pylon_pair(const AlarmSet& set, std::array<std::uint8_t, kPylonPairSize>& bytes) {
  for (const PylonBit& entry : kPylonBits) {
    const unsigned bit = set.is_active(entry.alarm) ? 1U << entry.bit : 0U;
    bytes[entry.byte] = static_cast<std::uint8_t>(bytes[entry.byte] | bit);
  }
}

Encoded encode_one(const PylonStatus& status) {
  std::array<std::uint8_t, kPylonPairSize> protections{};
  std::array<std::uint8_t, kPylonPairSize> alarms{};
  encode_pylon_pair(status.protections, protections);
  encode_pylon_pair(status.alarms, alarms);
  FrameWriter writer{kPylonStatusId};
  writer.number<std::uint16_t>(load<std::uint16_t>(protections.data(), Endian::kLittle));
  writer.number<std::uint16_t>(load<std::uint16_t>(alarms.data(), Endian::kLittle));
  if (status.module_count) {
    writer.number<std::uint8_t>(*status.module_count).text(Text8{"PN"}, 2);
  }
  return writer.finish();
}

Encoded encode_one(const PylonRequests& requests) {
  const unsigned bits = (requests.charge_enable ? 0x80U : 0U) | (requests.discharge_enable ? 0x40U : 0U) |
                        (requests.force_charge_1 ? 0x20U : 0U) | (requests.force_charge_2 ? 0x10U : 0U) |
                        (requests.full_charge ? 0x08U : 0U);
  return FrameWriter{kPylonRequestsId}.number<std::uint8_t>(bits).number<std::uint8_t>(0).finish();
}

}  // namespace

Result<Message, DecodeError> decode(const Frame& frame) {
  if (frame.is_extended) {
    return DecodeError::kExtendedId;
  }
  if (frame.is_remote) {
    return DecodeError::kRemoteFrame;
  }
  const auto index = frame_index(frame.id);
  if (!index) {
    return DecodeError::kUnknownId;
  }
  if (frame.size < kFrameTable[*index].size_min) {
    return DecodeError::kTooShort;
  }
  if (frame.size > kDataSizeMax) {
    return DecodeError::kTooLong;
  }
  return decode_known(frame);
}

Result<Frame, EncodeError> encode(const Message& message) {
  return std::visit([](const auto& one) { return encode_one(one); }, message);
}

}  // namespace amphora::can
