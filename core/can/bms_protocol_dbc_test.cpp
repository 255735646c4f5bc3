// SPDX-License-Identifier: Apache-2.0
// Holds docs/protocols/amphora.dbc to the codec: the signal definitions are read by a small parser, and for
// random payloads every signal must have the value that the codec gives.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/rng.hpp"
#include "core/can/bms_protocol.hpp"
#include "core/can/dbc_test_support.hpp"

namespace amphora::can {
namespace {

// The pack network has its own test.
Dbc read_bms_dbc() {
  Dbc dbc = read_dbc();
  std::erase_if(dbc, [](const auto& entry) { return entry.second.name.starts_with("pack_"); });
  return dbc;
}

// Signal name to value in the unit of the DBC file; empty where the codec says absent.
using Fields = std::map<std::string, std::optional<double>>;

template <class Q>
std::optional<double> units(const std::optional<Q>& quantity) {
  if (!quantity) {
    return std::nullopt;
  }
  return static_cast<double>(quantity->count()) * Q::scale::num / Q::scale::den;
}
template <class Q>
std::optional<double> percent(const std::optional<Q>& quantity) {
  const auto value = units(quantity);
  return value ? std::optional<double>{*value * 100} : std::nullopt;
}
std::optional<double> number(const std::optional<std::uint16_t>& value) {
  return value ? std::optional<double>{*value} : std::nullopt;
}
void add_alarms(Fields& fields, const std::string& prefix, const battery::AlarmSet& set, bool is_single_bit) {
  for (std::size_t i = 0; i < battery::kAlarmCount; ++i) {
    const auto alarm = static_cast<battery::Alarm>(i);
    const std::string name = prefix + std::string{to_text(alarm)};
    if (is_single_bit && !set.is_watched(alarm)) {
      continue;
    }
    fields[name] = !set.is_watched(alarm) ? std::nullopt
                   : is_single_bit        ? std::optional<double>{set.is_active(alarm) ? 1 : 0}
                                          : std::optional<double>{set.is_active(alarm) ? 1 : 2};
  }
}

struct FieldsOf {
  Fields operator()(const KeepAlive&) const { return {}; }
  Fields operator()(const GxIdentity& m) const {
    return {{"number", m.number ? std::optional<double>{*m.number} : std::nullopt}};
  }
  Fields operator()(const Limits& m) const {
    return {{"charge_voltage", units(m.charge_voltage)},
            {"charge_current", units(m.charge_current)},
            {"discharge_current", units(m.discharge_current)},
            {"discharge_voltage", units(m.discharge_voltage)}};
  }
  Fields operator()(const Charge& m) const {
    return {{"soc", percent(m.soc)}, {"soh", percent(m.soh)}, {"soc_fine", percent(m.soc_fine)}};
  }
  Fields operator()(const Measurements& m) const {
    return {
        {"voltage", units(m.voltage)}, {"current", units(m.current)}, {"temperature", units(m.temperature)}};
  }
  Fields operator()(const AlarmBits& m) const {
    Fields fields;
    add_alarms(fields, "alarm_", m.alarms, false);
    add_alarms(fields, "warning_", m.warnings, false);
    fields["online"] = m.online ? std::optional<double>{*m.online ? 2 : 1} : std::nullopt;
    return fields;
  }
  Fields operator()(const Info& m) const {
    return {{"model", number(m.model)},
            {"firmware_major", m.firmware ? std::optional<double>{m.firmware->major} : std::nullopt},
            {"firmware_minor", m.firmware ? std::optional<double>{m.firmware->minor} : std::nullopt},
            {"capacity", units(m.capacity)},
            {"hardware", number(m.hardware)}};
  }
  Fields operator()(const Modules& m) const {
    return {{"ok", number(m.ok)},
            {"blocking_charge", number(m.blocking_charge)},
            {"blocking_discharge", number(m.blocking_discharge)},
            {"offline", number(m.offline)}};
  }
  Fields operator()(const CellExtremes& m) const {
    return {{"cell_min", units(m.cell_min)},
            {"cell_max", units(m.cell_max)},
            {"temperature_min", units(m.temperature_min)},
            {"temperature_max", units(m.temperature_max)}};
  }
  Fields operator()(const Energy& m) const {
    const auto kilo = [](std::optional<double> watt_hours) {
      return watt_hours ? std::optional<double>{*watt_hours / 1000} : std::nullopt;
    };
    return {{"energy_in", kilo(units(m.in))}, {"energy_out", kilo(units(m.out))}};
  }
  Fields operator()(const Installed& m) const { return {{"capacity", units(m.capacity)}}; }
  Fields operator()(const PylonStatus& m) const {
    Fields fields;
    add_alarms(fields, "protection_", m.protections, true);
    add_alarms(fields, "alarm_", m.alarms, true);
    fields["module_count"] = m.module_count ? std::optional<double>{*m.module_count} : std::nullopt;
    return fields;
  }
  Fields operator()(const PylonRequests& m) const {
    return {{"charge_enable", m.charge_enable},
            {"discharge_enable", m.discharge_enable},
            {"force_charge_1", m.force_charge_1},
            {"force_charge_2", m.force_charge_2},
            {"full_charge", m.full_charge}};
  }
  // Text: compared character by character below.
  template <class TextMessage>
  Fields operator()(const TextMessage&) const {
    return {};
  }
};

template <class M>
concept HasText = requires(const M& m) {
  m.text;
};

std::optional<Text8> text_of(const Message& message) {
  return std::visit(
      [](const auto& one) -> std::optional<Text8> {
        if constexpr (HasText<std::decay_t<decltype(one)>>) {
          return one.text;
        } else if constexpr (std::is_same_v<std::decay_t<decltype(one)>, GxIdentity>) {
          return one.maker;
        } else {
          return std::nullopt;
        }
      },
      message);
}

bool is_text(const Signal& signal) {
  return signal.name == "text" || signal.name == "maker";
}

TEST(Dbc, HasTheFramesOfTheTable) {
  const Dbc dbc = read_bms_dbc();
  EXPECT_EQ(dbc.size(), kFrameCount);
  for (const FrameInfo& info : kFrameTable) {
    const auto found = dbc.find(info.id);
    ASSERT_NE(found, dbc.end()) << info.name;
    EXPECT_EQ(found->second.name, info.name);
    EXPECT_EQ(found->second.size, info.size) << info.name;
    EXPECT_EQ(found->second.sender, info.sender == Sender::kGx ? "GX" : "BATTERY") << info.name;
  }
}

TEST(Dbc, GivesTheValuesOfTheCodecForRandomPayloads) {
  const Dbc dbc = read_bms_dbc();
  Rng rng{7};
  int compared = 0;
  for (const auto& [id, message] : dbc) {
    for (int run = 0; run < 300; ++run) {
      Frame frame;
      frame.id = id;
      frame.size = kDataSizeMax;
      for (std::uint8_t& byte : frame.data) {
        byte = static_cast<std::uint8_t>(rng.next());
      }
      const Fields fields = std::visit(FieldsOf{}, decode(frame).value());
      std::size_t numeric = 0;
      for (const Signal& signal : message.signals) {
        if (is_text(signal)) {
          continue;
        }
        ++numeric;
        const auto field = fields.find(signal.name);
        ASSERT_NE(field, fields.end()) << message.name << "." << signal.name;
        if (field->second) {
          EXPECT_NEAR(physical(frame, signal), *field->second, 1e-6) << message.name << "." << signal.name;
          ++compared;
        }
      }
      EXPECT_EQ(numeric, fields.size()) << message.name << ": a field has no signal";
    }
  }
  EXPECT_GT(compared, 1000);
}

TEST(Dbc, TextSignalsAreTheCharactersInOrder) {
  const Dbc dbc = read_bms_dbc();
  Rng rng{9};
  int compared = 0;
  for (const auto& [id, message] : dbc) {
    for (const Signal& signal : message.signals) {
      if (!is_text(signal)) {
        continue;
      }
      Frame frame;
      frame.id = id;
      frame.size = kDataSizeMax;
      for (std::uint8_t& byte : frame.data) {
        byte = static_cast<std::uint8_t>('A' + rng.below(26));
      }
      const auto text = text_of(decode(frame).value());
      ASSERT_TRUE(text) << message.name;
      const std::uint64_t raw = raw_bits(frame, signal);
      ASSERT_EQ(text->size(), signal.length / 8) << message.name;
      for (std::size_t i = 0; i < text->size(); ++i) {
        EXPECT_EQ(static_cast<char>((raw >> (8 * i)) & 0xFFU), text->view()[i]) << message.name;
      }
      ++compared;
    }
  }
  EXPECT_EQ(compared, 11);
}

}  // namespace
}  // namespace amphora::can
