// SPDX-License-Identifier: Apache-2.0
// The CAN-bus BMS protocol that GX devices and many inverters speak: a pure codec, both directions.
//
// A battery broadcasts its limits, state and identity as 11-bit frames at 500 kbit/s; a GX device answers
// with a keep-alive. Each frame is one struct here, each field an optional: empty when the frame is too short
// to hold it or when the bytes say "not supported". Numbers are little-endian; 0x35F carries its firmware as
// two single bytes. Text is up to 8 bytes, padded with zeros (Pylontech: spaces).
//
// decode() turns a frame into one of these structs or names why it cannot. encode() is its inverse: a missing
// field becomes the documented sentinel, or is cut off the end of the frame, or, where the protocol has
// neither, makes encode() refuse. A value that does not fit its field is refused too: a limit is never bent
// to fit, because a clamped limit is a wrong limit.
//
// docs/protocols/can_bms.md is the description with formulas and vectors, docs/protocols/amphora.dbc the same
// frames for other tools. Not here: what is sent when (core/inverter/victron/output.hpp), and what the values
// mean for a battery (core/bms/canbms/driver.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "core/base/result.hpp"
#include "core/base/text.hpp"
#include "core/base/units.hpp"
#include "core/battery/alarm.hpp"
#include "core/can/frame.hpp"

namespace amphora::can {

inline constexpr std::uint32_t kBmsBitrate = 500'000;

// Frame ids. The first group is sent by the GX device, the second by the battery, the third only by some.
inline constexpr std::uint32_t kKeepAliveId = 0x305;
inline constexpr std::uint32_t kGxIdentityId = 0x307;
inline constexpr std::uint32_t kLimitsId = 0x351;
inline constexpr std::uint32_t kChargeId = 0x355;
inline constexpr std::uint32_t kMeasurementsId = 0x356;
inline constexpr std::uint32_t kAlarmBitsId = 0x35A;
inline constexpr std::uint32_t kManufacturerId = 0x35E;
inline constexpr std::uint32_t kInfoId = 0x35F;
inline constexpr std::uint32_t kNameFirstId = 0x370;
inline constexpr std::uint32_t kNameSecondId = 0x371;
inline constexpr std::uint32_t kModulesId = 0x372;
inline constexpr std::uint32_t kCellExtremesId = 0x373;
inline constexpr std::uint32_t kCellMinNameId = 0x374;
inline constexpr std::uint32_t kCellMaxNameId = 0x375;
inline constexpr std::uint32_t kTemperatureMinNameId = 0x376;
inline constexpr std::uint32_t kTemperatureMaxNameId = 0x377;
inline constexpr std::uint32_t kEnergyId = 0x378;
inline constexpr std::uint32_t kInstalledId = 0x379;
inline constexpr std::uint32_t kSerialFirstId = 0x380;
inline constexpr std::uint32_t kSerialSecondId = 0x381;
inline constexpr std::uint32_t kFamilyId = 0x382;
inline constexpr std::uint32_t kPylonStatusId = 0x359;
inline constexpr std::uint32_t kPylonRequestsId = 0x35C;

inline constexpr std::size_t kTextSizeMax = 8;
using Text8 = FixedText<kTextSizeMax>;

// 0x305. Matched by id alone: newer GX firmware puts measurements into the payload, other inverters anything.
struct KeepAlive {
  friend constexpr bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

// 0x307: 12 34 56 78 'V' 'I' 'C' 00. Nothing depends on it.
struct GxIdentity {
  std::optional<std::uint32_t> number;  // 0x78563412 from a GX device
  std::optional<Text8> maker;           // "VIC"
  friend constexpr bool operator==(const GxIdentity&, const GxIdentity&) = default;
};

// 0x351: what the battery allows. Both currents are magnitudes; some batteries send a negative one, which is
// passed on as it is and must not be trusted. JSON: cvl_v ccl_a dcl_a dvl_v.
struct Limits {
  std::optional<Decivolts> charge_voltage;     // CVL
  std::optional<Deciamps> charge_current;      // CCL
  std::optional<Deciamps> discharge_current;   // DCL
  std::optional<Decivolts> discharge_voltage;  // DVL, "battery low voltage"
  friend constexpr bool operator==(const Limits&, const Limits&) = default;
};

// 0x355. JSON: soc_percent soh_percent soc_hires_percent.
struct Charge {
  std::optional<Percent> soc;
  std::optional<Percent> soh;
  std::optional<BasisPoints> soc_fine;  // 0.01 %; some makers put other values here
  friend constexpr bool operator==(const Charge&, const Charge&) = default;
};

// 0x356; current is positive while charging. JSON: voltage_v current_a temperature_c.
struct Measurements {
  std::optional<Centivolts> voltage;  // a few makers count in 0.1 V, see canbms::DriverConfig
  std::optional<Deciamps> current;
  std::optional<Decicelsius> temperature;
  friend constexpr bool operator==(const Measurements&, const Measurements&) = default;
};

// 0x35A: two bits for each alarm, 01 active, 10 inactive, 00 and 11 not supported, which is "not watched" in
// the set. `online` is bits 2-3 of byte 7: 10 is true and 01 false as two of three known senders have it; the
// meaning is unsettled, so nothing may depend on it. JSON: alarms warnings online.
struct AlarmBits {
  battery::AlarmSet alarms;
  battery::AlarmSet warnings;
  std::optional<bool> online;
  friend constexpr bool operator==(const AlarmBits&, const AlarmBits&) = default;
};

// 0x35E. On the GX side the name selects rules made for that vendor. JSON: manufacturer.
struct Manufacturer {
  std::optional<Text8> text;  // trailing spaces removed; empty optional when it is not printable text
  friend constexpr bool operator==(const Manufacturer&, const Manufacturer&) = default;
};

// 0x35F. JSON: firmware capacity_ah model.
struct Info {
  struct Version {
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    friend constexpr bool operator==(const Version&, const Version&) = default;
  };
  std::optional<std::uint16_t> model;
  std::optional<Version> firmware;
  std::optional<AmpHours> capacity;  // usable, by some makers remaining; 0 on the wire is unknown
  std::optional<std::uint16_t> hardware;
  friend constexpr bool operator==(const Info&, const Info&) = default;
};

enum class Half : std::uint8_t { kFirst, kSecond };

// 0x370, 0x371: the two halves of the name. Inner spaces are kept, only zeros are cut. JSON: name.
struct Name {
  Half half = Half::kFirst;
  std::optional<Text8> text;
  friend constexpr bool operator==(const Name&, const Name&) = default;
};

// 0x380, 0x381: the serial number, complete once the second half has come. JSON: serial.
struct Serial {
  Half half = Half::kFirst;
  std::optional<Text8> text;
  friend constexpr bool operator==(const Serial&, const Serial&) = default;
};

// 0x372; 0xFFFF is absent. JSON: modules_ok modules_blocking_charge modules_blocking_discharge
// modules_offline.
struct Modules {
  std::optional<std::uint16_t> ok;
  std::optional<std::uint16_t> blocking_charge;
  std::optional<std::uint16_t> blocking_discharge;
  std::optional<std::uint16_t> offline;
  friend constexpr bool operator==(const Modules&, const Modules&) = default;
};

// 0x373; 0 and 0xFFFF are absent. Temperatures are whole kelvins on the wire, see celsius_from_kelvin().
// JSON: cell_min_v cell_max_v temperature_min_c temperature_max_c.
struct CellExtremes {
  std::optional<Millivolts> cell_min;
  std::optional<Millivolts> cell_max;
  std::optional<Decicelsius> temperature_min;
  std::optional<Decicelsius> temperature_max;
  friend constexpr bool operator==(const CellExtremes&, const CellExtremes&) = default;
};

// 0x374…0x377: where the extremes of 0x373 are. JSON: name.
struct ExtremeName {
  enum class Which : std::uint8_t { kCellMin, kCellMax, kTemperatureMin, kTemperatureMax };
  Which which = Which::kCellMin;
  std::optional<Text8> text;
  friend constexpr bool operator==(const ExtremeName&, const ExtremeName&) = default;
};

// 0x378, counted in 100 Wh; rolls over at 2^32. JSON: energy_in_kwh energy_out_kwh.
struct Energy {
  std::optional<HectowattHours> in;
  std::optional<HectowattHours> out;
  friend constexpr bool operator==(const Energy&, const Energy&) = default;
};

// 0x379; 0 is absent. JSON: installed_ah.
struct Installed {
  std::optional<AmpHours> capacity;
  friend constexpr bool operator==(const Installed&, const Installed&) = default;
};

// 0x382. JSON: family.
struct Family {
  std::optional<Text8> text;
  friend constexpr bool operator==(const Family&, const Family&) = default;
};

// 0x359, Pylontech and compatibles: what 0x35A is elsewhere. A cleared bit means inactive.
struct PylonStatus {
  battery::AlarmSet protections;
  battery::AlarmSet alarms;
  std::optional<std::uint8_t> module_count;
  friend constexpr bool operator==(const PylonStatus&, const PylonStatus&) = default;
};

// 0x35C, Pylontech and compatibles.
struct PylonRequests {
  bool charge_enable = false;
  bool discharge_enable = false;
  bool force_charge_1 = false;  // must be charged soon
  bool force_charge_2 = false;  // must be charged now
  bool full_charge = false;     // wants a full charge to calibrate
  friend constexpr bool operator==(const PylonRequests&, const PylonRequests&) = default;
};

using Message = std::variant<KeepAlive, GxIdentity, Limits, Charge, Measurements, AlarmBits, Manufacturer,
                             Info, Name, Modules, CellExtremes, ExtremeName, Energy, Installed, Serial,
                             Family, PylonStatus, PylonRequests>;

enum class DecodeError : std::uint8_t { kUnknownId, kExtendedId, kRemoteFrame, kTooShort, kTooLong };

constexpr std::string_view to_text(DecodeError error) {
  constexpr std::string_view kTexts[] = {"unknown id", "extended id; this protocol uses 11-bit ids",
                                         "remote frame; this protocol has none",
                                         "too short for its first field", "longer than 8 bytes"};
  return kTexts[static_cast<std::size_t>(error)];
}

enum class EncodeError : std::uint8_t {
  kFieldMissing,     // absent, and the protocol can neither mark it nor leave it out
  kFieldOutOfRange,  // does not fit the field
  kNotPrintable,     // text with a character outside of ASCII 0x20…0x7E
};

constexpr std::string_view to_text(EncodeError error) {
  constexpr std::string_view kTexts[] = {"field missing", "field out of range",
                                         "text is not printable ASCII"};
  return kTexts[static_cast<std::size_t>(error)];
}

enum class Sender : std::uint8_t { kGx, kBattery };

// How often a frame is due. kLimits and kControl are what a GX needs to control; kVendor is only received.
enum class PeriodClass : std::uint8_t { kKeepAlive, kLimits, kControl, kInformation, kVendor };

struct FrameInfo {
  std::uint32_t id;
  std::string_view name;  // the `name` in JSON and the message name in the DBC file
  Sender sender;
  PeriodClass period_class;
  std::uint8_t size_min;  // shorter is DecodeError::kTooShort
  std::uint8_t size;      // as encode() sends it when nothing is missing
};

inline constexpr std::size_t kFrameCount = 23;

inline constexpr std::array<FrameInfo, kFrameCount> kFrameTable{{
    {kKeepAliveId, "keepalive", Sender::kGx, PeriodClass::kKeepAlive, 0, 8},
    {kGxIdentityId, "gx_identity", Sender::kGx, PeriodClass::kKeepAlive, 0, 8},
    {kLimitsId, "limits", Sender::kBattery, PeriodClass::kLimits, 2, 8},
    {kChargeId, "charge", Sender::kBattery, PeriodClass::kControl, 2, 6},
    {kMeasurementsId, "measurements", Sender::kBattery, PeriodClass::kControl, 2, 6},
    {kAlarmBitsId, "alarms", Sender::kBattery, PeriodClass::kControl, 1, 8},
    {kManufacturerId, "manufacturer", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kInfoId, "info", Sender::kBattery, PeriodClass::kInformation, 2, 8},
    {kNameFirstId, "name_first", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kNameSecondId, "name_second", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kModulesId, "modules", Sender::kBattery, PeriodClass::kInformation, 2, 8},
    {kCellExtremesId, "cell_extremes", Sender::kBattery, PeriodClass::kInformation, 2, 8},
    {kCellMinNameId, "cell_min_name", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kCellMaxNameId, "cell_max_name", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kTemperatureMinNameId, "temperature_min_name", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kTemperatureMaxNameId, "temperature_max_name", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kEnergyId, "energy", Sender::kBattery, PeriodClass::kInformation, 4, 8},
    {kInstalledId, "installed", Sender::kBattery, PeriodClass::kInformation, 2, 2},
    {kSerialFirstId, "serial_first", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kSerialSecondId, "serial_second", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kFamilyId, "family", Sender::kBattery, PeriodClass::kInformation, 1, 8},
    {kPylonStatusId, "pylon_status", Sender::kBattery, PeriodClass::kVendor, 4, 7},
    {kPylonRequestsId, "pylon_requests", Sender::kBattery, PeriodClass::kVendor, 1, 2},
}};

// Position in kFrameTable; empty for a foreign id.
constexpr std::optional<std::size_t> frame_index(std::uint32_t id) {
  for (std::size_t i = 0; i < kFrameTable.size(); ++i) {
    if (kFrameTable[i].id == id) {
      return i;
    }
  }
  return std::nullopt;
}

// Bytes after the last known field are ignored.
Result<Message, DecodeError> decode(const Frame& frame);

// The frame for a message; 8 bytes unless trailing fields are absent or the table says less.
Result<Frame, EncodeError> encode(const Message& message);

// Whole kelvins and tenths of a degree Celsius, offset 273: decoding and encoding are each other's inverse on
// whole degrees, and half a degree is the largest error. Makers differ between 273 and 273.15 (one kelvin at
// most), see docs/adr/0010-can-bms.md.
inline constexpr std::int32_t kKelvinOffset = 273;
constexpr Decicelsius celsius_from_kelvin(std::uint16_t kelvin) {
  return Decicelsius{(std::int32_t{kelvin} - kKelvinOffset) * 10};
}
constexpr std::int64_t kelvin_from_celsius(Decicelsius temperature) {
  return scale_rounded(std::int64_t{temperature.count()} + std::int64_t{kKelvinOffset} * 10, 1, 10);
}

}  // namespace amphora::can
