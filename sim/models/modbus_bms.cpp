// SPDX-License-Identifier: Apache-2.0
#include "sim/models/modbus_bms.hpp"

#include <algorithm>

#include "core/base/crc.hpp"

namespace amphora::sim {

namespace {

constexpr std::uint8_t kAddress = 1;
constexpr std::int64_t kAnswerMinUs = 15'000;
constexpr std::int64_t kAnswerMaxUs = 60'000;
constexpr std::int32_t kMillivoltsPerStep = 100;
constexpr std::int32_t kMilliampsPerStep = 10;

}  // namespace

modbus::Profile modbus_bms_profile() {
  modbus::Profile profile;
  profile.address = kAddress;
  profile.blocks[0] = modbus::Block{modbus::Function::kHoldingRegisters, 0, ModbusBms::kRegisterCount};
  modbus::Point soc;
  soc.quantity = modbus::Quantity::kSoc;
  soc.at = 2;
  profile.points[profile.point_count++] = modbus::ProfilePoint{0, soc};
  return profile;
}

void ModbusBms::set_values(Millivolts voltage, Milliamps current, BasisPoints soc) {
  decivolts_ = static_cast<std::int32_t>(voltage.count()) / kMillivoltsPerStep;
  centiamps_ = static_cast<std::int32_t>(current.count()) / kMilliampsPerStep;
  soc_ = static_cast<std::int32_t>(soc.count());
}

void ModbusBms::set_silent(bool is_silent) {
  is_silent_ = is_silent;
  due_ = is_silent ? kNever : due_;
}

void ModbusBms::handle_request(TimePoint now, ByteSpan request) {
  const auto known = modbus::encode_read(kAddress, modbus::Function::kHoldingRegisters, 0, kRegisterCount);
  if (!is_silent_ && std::ranges::equal(request, known)) {
    due_ = now + Duration{rng_.between(kAnswerMinUs, kAnswerMaxUs)};
  }
}

std::optional<ModbusBms::Reply> ModbusBms::poll_reply(TimePoint now) {
  if (due_ > now) {
    return std::nullopt;
  }
  due_ = kNever;
  Reply reply{};
  ByteWriter writer{reply};
  writer.u8(kAddress);
  writer.u8(static_cast<std::uint8_t>(modbus::Function::kHoldingRegisters));
  writer.u8(2 * kRegisterCount);
  writer.u16(static_cast<std::uint16_t>(decivolts_), Endian::kBig);
  writer.i16(static_cast<std::int16_t>(centiamps_), Endian::kBig);
  writer.u16(static_cast<std::uint16_t>(soc_), Endian::kBig);
  writer.u16(crc16_modbus(ByteSpan{reply}.first(kReplySize - 2)));
  return reply;
}

}  // namespace amphora::sim
