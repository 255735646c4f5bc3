// SPDX-License-Identifier: Apache-2.0
#include "core/can/bms_protocol.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <initializer_list>

namespace amphora::can {
namespace {

using battery::Alarm;
using battery::AlarmSet;

Frame frame(std::uint32_t id, std::initializer_list<unsigned> bytes) {
  Frame result;
  result.id = id;
  for (const unsigned byte : bytes) {
    result.data[result.size++] = static_cast<std::uint8_t>(byte);
  }
  return result;
}

template <class T>
T decoded(const Frame& f) {
  const auto result = decode(f);
  EXPECT_TRUE(result.ok()) << std::hex << f.id;
  const T* message = result.ok() ? std::get_if<T>(&result.value()) : nullptr;
  EXPECT_NE(message, nullptr) << std::hex << f.id;
  return message != nullptr ? *message : T{};
}

AlarmSet all_inactive() {
  AlarmSet set;
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    set.set(static_cast<Alarm>(i), false);
  }
  return set;
}

// ---- frames captured between a GX device and a Seplos battery

TEST(BmsProtocolVectors, FramesOfTheGx) {
  EXPECT_EQ(decoded<KeepAlive>(frame(0x305, {0, 0, 0, 0, 0, 0, 0, 0})), KeepAlive{});
  const auto identity = decoded<GxIdentity>(frame(0x307, {0x12, 0x34, 0x56, 0x78, 0x56, 0x49, 0x43, 0}));
  EXPECT_EQ(identity.number, 0x78563412U);
  EXPECT_EQ(identity.maker, Text8{"VIC"});
}

TEST(BmsProtocolVectors, ControlFramesOfTheBattery) {
  const auto limits = decoded<Limits>(frame(0x351, {0x43, 0x02, 0xE8, 0x03, 0x9E, 0x07, 0xD0, 0x01}));
  EXPECT_EQ(limits, (Limits{Decivolts{579}, Deciamps{1000}, Deciamps{1950}, Decivolts{464}}));
  const auto charge = decoded<Charge>(frame(0x355, {0x3C, 0, 0x64, 0, 0x84, 0x17, 0, 0}));
  EXPECT_EQ(charge, (Charge{Percent{60}, Percent{100}, BasisPoints{6020}}));
  const auto measured = decoded<Measurements>(frame(0x356, {0x61, 0x14, 0xD3, 0xFE, 0xEB, 0, 0x1A, 0}));
  EXPECT_EQ(measured, (Measurements{Centivolts{5217}, Deciamps{-301}, Decicelsius{235}}));
  const auto alarms = decoded<AlarmBits>(frame(0x35A, {0xAA, 0xAA, 0xAA, 0x02, 0xAA, 0xAA, 0xAA, 0x02}));
  EXPECT_EQ(alarms, (AlarmBits{all_inactive(), all_inactive(), std::nullopt}));
}

TEST(BmsProtocolVectors, InformationFramesOfTheBattery) {
  EXPECT_EQ(decoded<Manufacturer>(frame(0x35E, {0x53, 0x48, 0x45, 0x6E, 0x65, 0x72, 0x67, 0x79})).text,
            Text8{"SHEnergy"});
  const auto info = decoded<Info>(frame(0x35F, {0, 0, 0x10, 0x04, 0x30, 0x01, 0, 0}));
  EXPECT_EQ(info.model, 0);
  EXPECT_EQ(info.firmware, (Info::Version{16, 4}));
  EXPECT_EQ(info.capacity, AmpHours{304});
  const auto first = decoded<Name>(frame(0x370, {0x43, 0x41, 0x4E, 0x2D, 0x53, 0x4D, 0x41, 0x52}));
  EXPECT_EQ(first, (Name{Half::kFirst, Text8{"CAN-SMAR"}}));
  const auto second = decoded<Name>(frame(0x371, {0x54, 0x42, 0x4D, 0x53, 0x2D, 0x42, 0x41, 0x54}));
  EXPECT_EQ(second, (Name{Half::kSecond, Text8{"TBMS-BAT"}}));
  const auto modules = decoded<Modules>(frame(0x372, {1, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(modules, (Modules{1, 0, 0, 0}));
  const auto extremes = decoded<CellExtremes>(frame(0x373, {0xB9, 0x0C, 0xC2, 0x0C, 0x27, 0x01, 0x28, 0x01}));
  EXPECT_EQ(extremes, (CellExtremes{Millivolts{3257}, Millivolts{3266}, Decicelsius{220}, Decicelsius{230}}));
  for (const std::uint32_t id : {0x374U, 0x375U, 0x376U}) {
    const auto name = decoded<ExtremeName>(frame(id, {0x50, 0x61, 0x63, 0x6B, 0x2D, 0x30, 0x31, 0x23}));
    EXPECT_EQ(name.text, Text8{"Pack-01#"});
    EXPECT_EQ(static_cast<std::uint32_t>(name.which), id - 0x374);
  }
}

TEST(BmsProtocolVectors, EncodingGivesTheCapturedBytes) {
  const Frame captured[] = {
      frame(0x305, {0, 0, 0, 0, 0, 0, 0, 0}),
      frame(0x307, {0x12, 0x34, 0x56, 0x78, 0x56, 0x49, 0x43, 0}),
      frame(0x351, {0x43, 0x02, 0xE8, 0x03, 0x9E, 0x07, 0xD0, 0x01}),
      frame(0x355, {0x3C, 0, 0x64, 0, 0x84, 0x17}),
      frame(0x356, {0x61, 0x14, 0xD3, 0xFE, 0xEB, 0}),
      frame(0x35A, {0xAA, 0xAA, 0xAA, 0x02, 0xAA, 0xAA, 0xAA, 0x02}),
      frame(0x35E, {0x53, 0x48, 0x45, 0x6E, 0x65, 0x72, 0x67, 0x79}),
      frame(0x35F, {0, 0, 0x10, 0x04, 0x30, 0x01, 0, 0}),
      frame(0x370, {0x43, 0x41, 0x4E, 0x2D, 0x53, 0x4D, 0x41, 0x52}),
      frame(0x371, {0x54, 0x42, 0x4D, 0x53, 0x2D, 0x42, 0x41, 0x54}),
      frame(0x372, {1, 0, 0, 0, 0, 0, 0, 0}),
      frame(0x373, {0xB9, 0x0C, 0xC2, 0x0C, 0x27, 0x01, 0x28, 0x01}),
      frame(0x376, {0x50, 0x61, 0x63, 0x6B, 0x2D, 0x30, 0x31, 0x23}),
  };
  for (const Frame& expected : captured) {
    EXPECT_EQ(encode(decode(expected).value()).value(), expected) << std::hex << expected.id;
  }
}

// ---- every frame at its extremes and with values missing

TEST(BmsProtocol, LimitsAtTheirExtremesAndShort) {
  const auto top = decoded<Limits>(frame(0x351, {0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x80, 0, 0}));
  EXPECT_EQ(top, (Limits{Decivolts{65535}, Deciamps{32767}, Deciamps{-32768}, Decivolts{0}}));
  const auto six = decoded<Limits>(frame(0x351, {0x43, 0x02, 0xE8, 0x03, 0x9E, 0x07}));
  EXPECT_EQ(six.discharge_current, Deciamps{1950});
  EXPECT_FALSE(six.discharge_voltage);
  const auto two = decoded<Limits>(frame(0x351, {0x43, 0x02, 0xE8}));
  EXPECT_EQ(two, (Limits{Decivolts{579}, {}, {}, {}}));
}

TEST(BmsProtocol, LimitsThatAreMissingOrDoNotFitAreRefused) {
  const Limits good{Decivolts{579}, Deciamps{1000}, Deciamps{1950}, Decivolts{464}};
  Limits limits = good;
  limits.charge_voltage.reset();
  EXPECT_EQ(encode(limits).error(), EncodeError::kFieldMissing);
  limits = good;
  limits.discharge_voltage.reset();
  EXPECT_EQ(encode(limits).error(), EncodeError::kFieldMissing);
  limits = good;
  limits.charge_voltage = Decivolts{65536};
  EXPECT_EQ(encode(limits).error(), EncodeError::kFieldOutOfRange);
  limits.charge_voltage = Decivolts{-1};
  EXPECT_EQ(encode(limits).error(), EncodeError::kFieldOutOfRange);
  limits = good;
  limits.charge_current = Deciamps{32768};
  EXPECT_EQ(encode(limits).error(), EncodeError::kFieldOutOfRange);
}

TEST(BmsProtocol, ChargeAndMeasurementsLoseTheirEndOnly) {
  EXPECT_EQ(decoded<Charge>(frame(0x355, {100, 0})), (Charge{Percent{100}, {}, {}}));
  EXPECT_EQ(encode(Charge{Percent{100}, {}, {}}).value(), frame(0x355, {100, 0}));
  EXPECT_EQ(encode(Charge{Percent{1}, {}, BasisPoints{100}}).error(), EncodeError::kFieldMissing);
  EXPECT_EQ(encode(Charge{}).error(), EncodeError::kFieldMissing);
  const auto cold = decoded<Measurements>(frame(0x356, {0xFF, 0x7F, 0x00, 0x80, 0x70, 0xFE}));
  EXPECT_EQ(cold, (Measurements{Centivolts{32767}, Deciamps{-32768}, Decicelsius{-400}}));
  EXPECT_EQ(encode(Measurements{Centivolts{5200}, Deciamps{10}, {}}).value(),
            frame(0x356, {0x50, 0x14, 10, 0}));
  EXPECT_EQ(encode(Measurements{Centivolts{32768}, Deciamps{0}, {}}).error(), EncodeError::kFieldOutOfRange);
}

TEST(BmsProtocol, EachAlarmHasItsTwoBits) {
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    AlarmBits bits;
    bits.alarms.set(static_cast<Alarm>(i));
    bits.warnings.set(static_cast<Alarm>(i), false);
    const Frame encoded = encode(bits).value();
    ASSERT_EQ(encoded.size, 8);
    for (std::size_t byte = 0; byte < 4; ++byte) {
      const unsigned shift = 2 * (i % 4);
      EXPECT_EQ(encoded.data[byte], byte == i / 4 ? 1U << shift : 0U) << i;
      EXPECT_EQ(encoded.data[byte + 4], byte == i / 4 ? 2U << shift : 0U) << i;
    }
    EXPECT_EQ(decoded<AlarmBits>(encoded), bits);
  }
}

TEST(BmsProtocol, AlarmsOfRealBatteries) {
  // Pytes, LG and Daly say nothing at all; BYD fills even the reserved bits, which reads as online.
  EXPECT_EQ(decoded<AlarmBits>(frame(0x35A, {0, 0, 0, 0, 0, 0, 0, 0})), AlarmBits{});
  const auto byd = decoded<AlarmBits>(frame(0x35A, {0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA}));
  EXPECT_EQ(byd, (AlarmBits{all_inactive(), all_inactive(), true}));
  EXPECT_EQ(decoded<AlarmBits>(frame(0x35A, {0, 0, 0, 0, 0, 0, 0, 0x04})).online, false);
  EXPECT_EQ(decoded<AlarmBits>(frame(0x35A, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})), AlarmBits{});
  const auto alarms_only = decoded<AlarmBits>(frame(0x35A, {0x04}));
  EXPECT_TRUE(alarms_only.alarms.is_active(Alarm::kHighVoltage));
  EXPECT_FALSE(alarms_only.alarms.is_watched(Alarm::kGeneral));
  EXPECT_FALSE(alarms_only.alarms.is_watched(Alarm::kLowTemperature));
  EXPECT_EQ(alarms_only.warnings, AlarmSet{});
}

TEST(BmsProtocol, TextIsTrimmedAndBinaryIsAbsent) {
  EXPECT_EQ(decoded<Manufacturer>(frame(0x35E, {'P', 'Y', 'L', 'O', 'N', ' ', ' ', ' '})).text,
            Text8{"PYLON"});
  EXPECT_EQ(decoded<Manufacturer>(frame(0x35E, {'B', 'Y', 'D', 0, 0})).text, Text8{"BYD"});
  EXPECT_FALSE(decoded<Manufacturer>(frame(0x35E, {'A', 0, 'B'})).text);
  EXPECT_FALSE(decoded<ExtremeName>(frame(0x374, {1, 0, 0, 0, 0, 0, 0, 0})).text);
  EXPECT_EQ(decoded<Name>(frame(0x370, {'T', 'w', 'o', ' ', 0, 0, 0, 0})).text, Text8{"Two "});
  EXPECT_EQ(decoded<Serial>(frame(0x381, {0, 0, 0, 0, 0, 0, 0, 0})), (Serial{Half::kSecond, Text8{}}));
  EXPECT_EQ(decoded<Family>(frame(0x382, {'L', 'F', 'P'})).text, Text8{"LFP"});
  EXPECT_EQ(encode(Family{Text8{"LFP"}}).value(), frame(0x382, {'L', 'F', 'P', 0, 0, 0, 0, 0}));
  EXPECT_EQ(encode(Serial{Half::kFirst, Text8{"A\x01"}}).error(), EncodeError::kNotPrintable);
  EXPECT_EQ(encode(Name{Half::kFirst, {}}).error(), EncodeError::kFieldMissing);
  EXPECT_EQ(encode(GxIdentity{1U, Text8{"LONGER"}}).error(), EncodeError::kFieldOutOfRange);
}

TEST(BmsProtocol, InfoKnowsUnknownCapacity) {
  const auto info = decoded<Info>(frame(0x35F, {1, 2, 3, 4, 0, 0, 5, 0}));
  EXPECT_EQ(info.model, 0x0201);
  EXPECT_FALSE(info.capacity);
  EXPECT_EQ(info.hardware, 5);
  EXPECT_EQ(encode(info).value(), frame(0x35F, {1, 2, 3, 4, 0, 0, 5, 0}));
  EXPECT_FALSE(decoded<Info>(frame(0x35F, {1, 2, 3})).firmware);
  Info too_large = info;
  too_large.capacity = AmpHours{65536};
  EXPECT_EQ(encode(too_large).error(), EncodeError::kFieldOutOfRange);
  too_large.firmware.reset();
  EXPECT_EQ(encode(too_large).error(), EncodeError::kFieldMissing);
}

TEST(BmsProtocol, ModulesAndExtremesUseTheirSentinels) {
  EXPECT_EQ(decoded<Modules>(frame(0x372, {2, 0, 0xFF, 0xFF, 0, 0})), (Modules{2, {}, 0, {}}));
  EXPECT_EQ(encode(Modules{2, {}, 0, {}}).value(), frame(0x372, {2, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF}));
  EXPECT_EQ(encode(Modules{0xFFFF, 0, 0, 0}).error(), EncodeError::kFieldOutOfRange);
  const auto extremes = decoded<CellExtremes>(frame(0x373, {0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 1, 0}));
  EXPECT_EQ(extremes, (CellExtremes{{}, Millivolts{65534}, {}, Decicelsius{-2720}}));
  EXPECT_EQ(encode(extremes).value(), frame(0x373, {0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 1, 0}));
  EXPECT_EQ(encode(CellExtremes{Millivolts{3000}, Millivolts{3100}, {}, {}}).value().size, 4);
  EXPECT_EQ(encode(CellExtremes{}).error(), EncodeError::kFieldMissing);
  EXPECT_EQ(encode(CellExtremes{Millivolts{0}, {}, {}, {}}).error(), EncodeError::kFieldOutOfRange);
  EXPECT_EQ(encode(CellExtremes{Millivolts{3000}, {}, Decicelsius{-2730}, {}}).error(),
            EncodeError::kFieldOutOfRange);
}

TEST(BmsProtocol, KelvinIsOffByHalfADegreeAtMost) {
  for (std::int32_t tenths = -400; tenths <= 1250; ++tenths) {
    const auto kelvin = kelvin_from_celsius(Decicelsius{tenths});
    const std::int32_t back = celsius_from_kelvin(static_cast<std::uint16_t>(kelvin)).count();
    EXPECT_LE(std::abs(back - tenths), 5) << tenths;
    if (tenths % 10 == 0) {
      EXPECT_EQ(back, tenths);
    }
  }
}

TEST(BmsProtocol, EnergyAndCapacity) {
  const auto energy = decoded<Energy>(frame(0x378, {0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0}));
  EXPECT_EQ(energy, (Energy{HectowattHours{0xFFFFFFFFLL}, HectowattHours{1}}));
  EXPECT_EQ(encode(energy).value(), frame(0x378, {0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0}));
  EXPECT_EQ(encode(Energy{HectowattHours{7}, {}}).value(), frame(0x378, {7, 0, 0, 0}));
  EXPECT_EQ(encode(Energy{HectowattHours{0x100000000LL}, {}}).error(), EncodeError::kFieldOutOfRange);
  EXPECT_EQ(encode(Energy{}).error(), EncodeError::kFieldMissing);
  EXPECT_EQ(decoded<Installed>(frame(0x379, {0x30, 0x01})).capacity, AmpHours{304});
  EXPECT_FALSE(decoded<Installed>(frame(0x379, {0, 0})).capacity);
  EXPECT_EQ(encode(Installed{AmpHours{304}}).value(), frame(0x379, {0x30, 0x01}));
  EXPECT_EQ(encode(Installed{AmpHours{0}}).error(), EncodeError::kFieldOutOfRange);
  EXPECT_EQ(encode(Installed{}).error(), EncodeError::kFieldMissing);
}

TEST(BmsProtocol, PylontechFrames) {
  const auto status = decoded<PylonStatus>(frame(0x359, {0x82, 0x08, 0x04, 0x01, 3, 'P', 'N'}));
  EXPECT_TRUE(status.protections.is_active(Alarm::kHighVoltage));
  EXPECT_TRUE(status.protections.is_active(Alarm::kHighDischargeCurrent));
  EXPECT_TRUE(status.protections.is_active(Alarm::kBmsInternal));
  EXPECT_FALSE(status.protections.is_active(Alarm::kLowVoltage));
  EXPECT_TRUE(status.alarms.is_active(Alarm::kLowVoltage));
  EXPECT_TRUE(status.alarms.is_active(Alarm::kHighChargeCurrent));
  EXPECT_FALSE(status.alarms.is_watched(Alarm::kCellImbalance));
  EXPECT_EQ(status.module_count, 3);
  EXPECT_EQ(encode(status).value(), frame(0x359, {0x82, 0x08, 0x04, 0x01, 3, 'P', 'N'}));
  EXPECT_FALSE(decoded<PylonStatus>(frame(0x359, {0, 0, 0, 0})).module_count);
  const auto requests = decoded<PylonRequests>(frame(0x35C, {0xC0, 0}));
  EXPECT_EQ(requests, (PylonRequests{true, true, false, false, false}));
  EXPECT_EQ(decoded<PylonRequests>(frame(0x35C, {0x38})), (PylonRequests{false, false, true, true, true}));
  EXPECT_EQ(encode(requests).value(), frame(0x35C, {0xC0, 0}));
}

TEST(BmsProtocol, TheKeepAliveIsKnownByItsIdAlone) {
  EXPECT_TRUE(decode(frame(0x305, {})).ok());
  EXPECT_TRUE(decode(frame(0x305, {1, 2, 3})).ok());
  EXPECT_FALSE(decoded<GxIdentity>(frame(0x307, {1, 2})).number);
}

TEST(BmsProtocol, EveryErrorIsNamed) {
  EXPECT_EQ(decode(frame(0x123, {1})).error(), DecodeError::kUnknownId);
  EXPECT_EQ(decode(frame(0x306, {0, 0})).error(), DecodeError::kUnknownId);
  Frame extended = frame(0x305, {});
  extended.is_extended = true;
  EXPECT_EQ(decode(extended).error(), DecodeError::kExtendedId);
  Frame remote = frame(0x351, {1, 2, 3, 4, 5, 6, 7, 8});
  remote.is_remote = true;
  EXPECT_EQ(decode(remote).error(), DecodeError::kRemoteFrame);
  Frame long_one = remote;
  long_one.is_remote = false;
  long_one.size = 9;
  EXPECT_EQ(decode(long_one).error(), DecodeError::kTooLong);
  for (const FrameInfo& info : kFrameTable) {
    Frame shortened;
    shortened.id = info.id;
    shortened.size = info.size_min;
    EXPECT_TRUE(decode(shortened).ok()) << info.name;
    if (info.size_min > 0) {
      --shortened.size;
      EXPECT_EQ(decode(shortened).error(), DecodeError::kTooShort) << info.name;
    }
  }
  for (const auto error : {DecodeError::kUnknownId, DecodeError::kTooLong}) {
    EXPECT_FALSE(to_text(error).empty());
  }
  EXPECT_FALSE(to_text(EncodeError::kNotPrintable).empty());
}

// What a decoder understood, an encoder can say, and it is understood the same again. The exceptions are what
// no battery may say.
RC_GTEST_PROP(BmsProtocolProperties, DecodeEncodeDecodeIsStable, ()) {
  Frame f;
  f.id = kFrameTable[*rc::gen::inRange<std::size_t>(0, kFrameCount)].id;
  f.size = *rc::gen::inRange<std::uint8_t>(0, 9);
  for (std::uint8_t& byte : f.data) {
    byte = *rc::gen::arbitrary<std::uint8_t>();
  }
  const auto first = decode(f);
  if (!first.ok()) {
    RC_ASSERT(first.error() == DecodeError::kTooShort);
    return;
  }
  const auto again = encode(first.value());
  if (!again.ok()) {
    RC_ASSERT(again.error() == EncodeError::kFieldMissing);
    return;
  }
  RC_ASSERT(decode(again.value()).value() == first.value());
}

}  // namespace
}  // namespace amphora::can
