// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/fields.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace amphora::config {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      out += '\\';
    }
    out += character;
  }
  return out + "\"";
}

std::string_view rule_text(TextRule rule) {
  switch (rule) {
    case TextRule::kTitle:
      return "1 to 64 bytes of text without control characters";
    case TextRule::kSlug:
      return "1 to 32 of the characters a-z 0-9 _ -";
    case TextRule::kTopic:
      return "an MQTT topic of at most 64 characters without + # and spaces, not starting or ending with /";
    case TextRule::kAscii8:
      return "1 to 8 printable ASCII characters";
    case TextRule::kAscii16:
      return "1 to 16 printable ASCII characters";
    case TextRule::kPath:
      return "an absolute path";
    case TextRule::kOptionalPath:
      return "an absolute path, or \"\" for none";
    case TextRule::kHost:
      return "a host name or an address";
    case TextRule::kListen:
      return "ADDRESS:PORT with a numeric address, for example 127.0.0.1:8080 or [::1]:8080";
    case TextRule::kCan:
      return "an interface name such as can0, udp://ADDRESS:PORT or virtual:NAME";
    case TextRule::kOptionalCan:
      return "an interface name such as can0, udp://ADDRESS:PORT or virtual:NAME, or \"\" for none";
    case TextRule::kOptionalText:
      return "up to 64 bytes of text without control characters";
    case TextRule::kOptionalRadio:
      return "an interface name such as wlan1 or air://ADDRESS:PORT?mac=MAC, or \"\" for none";
    case TextRule::kChannels:
      return "numbers and ranges from 1 to 13 in rising order, such as 1-13 or 1,6,11";
    case TextRule::kOptionalMac:
      return "an address such as 02:00:00:00:00:01, or \"\" for none";
    case TextRule::kOptionalCountry:
      return "two capital letters such as DE, or \"\"";
    case TextRule::kBmsProfile:
      return "\"default\", \"full\", or the absolute path of a profile file";
    case TextRule::kOptionalInput:
      return "adc:FILE?…, i2c:DEVICE?…, meter:DEVICE?… or mqtt:TOPIC?…, or \"\" for none";
    case TextRule::kOptionalVoltage:
      return "adc:FILE?volts_per_…, i2c:DEVICE?volts_per_…, meter:DEVICE?… or mqtt:TOPIC?unit=v, or \"\" for "
             "none";
    case TextRule::kOptionalRelay:
      return "gpio:CHIP/OFFSET?active=…&safe=… or virtual, or \"\" for none";
    case TextRule::kOptionalBar:
      return "spi:DEVICE, or \"\" for none";
    case TextRule::kOptionalDigits:
      return "tm1637:CHIP/CLOCK,DATA?brightness=…, or \"\" for none";
    case TextRule::kOptionalLeds:
      return "gpio:CHIP/GREEN,YELLOW,RED?active=…, or \"\" for none";
    case TextRule::kOptionalBuzzer:
      return "gpio:CHIP/OFFSET?active=…, or \"\" for none";
    case TextRule::kLoads:
      return "names of loads such as pool_pump,water_heater, each once, or \"\" for none";
    case TextRule::kOptionalHardware:
      return "16 hexadecimal digits, not all zero, or \"\"";
  }
  return "";
}

}  // namespace

bool is_for(const Field& field, Role role) {
  const Section* section = find_section(field.section);
  return section != nullptr && has_role(section->roles & field.roles, role);
}

const Field* find_field(std::string_view section, std::string_view key) {
  const auto all = fields();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Field& field) {
    return field.section == section && field.key == key;
  });
  return found == all.end() ? nullptr : &*found;
}

const Section* find_section(std::string_view name) {
  const auto all = sections();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Section& section) { return section.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string full_key(const Field& field) {
  return field.section.empty() ? std::string{field.key} : fmt::format("{}.{}", field.section, field.key);
}

std::string format_number(const Field& field, std::int64_t inner) {
  const std::int64_t scale = field.range.scale;
  const std::int64_t magnitude = inner < 0 ? -inner : inner;
  std::string text = fmt::format("{}{}", inner < 0 ? "-" : "", magnitude / scale);
  std::int64_t rest = magnitude % scale;
  if (rest != 0) {
    text += '.';
    for (std::int64_t place = scale / 10; rest != 0 && place > 0; place /= 10) {
      text += static_cast<char>('0' + rest / place);
      rest %= place;
    }
  }
  return text;
}

std::string format_value(const Field& field, const Config& config) {
  switch (field.kind) {
    case Kind::kNumber:
      return format_number(field, field.access.number(config));
    case Kind::kBool:
      return field.access.number(config) != 0 ? "true" : "false";
    case Kind::kChoice:
      for (const Choice& choice : field.choices) {
        if (choice.value == field.access.number(config)) {
          return quoted(choice.text);
        }
      }
      return "";
    case Kind::kText:
    case Kind::kSecretFile:
      return config::quoted(field.access.text(config));
  }
  return "";
}

std::string allowed_text(const Field& field) {
  const auto unit = field.unit.empty() ? std::string{} : fmt::format(" {}", field.unit);
  switch (field.kind) {
    case Kind::kNumber: {
      std::string text = fmt::format("allowed: {} to {}{}", format_number(field, field.range.min),
                                     format_number(field, field.range.max), unit);
      text += field.range.step == field.range.scale
                  ? std::string{", whole numbers"}
                  : fmt::format(" in steps of {}", format_number(field, field.range.step));
      return text;
    }
    case Kind::kBool:
      return "allowed: true or false";
    case Kind::kChoice: {
      std::string text = "allowed: ";
      for (std::size_t i = 0; i < field.choices.size(); ++i) {
        text += (i == 0 ? "" : ", ") + quoted(field.choices[i].text);
      }
      return text;
    }
    case Kind::kText:
    case Kind::kSecretFile:
      return fmt::format("allowed: {}", rule_text(field.rule));
  }
  return "";
}

Config default_config(battery::Chemistry chemistry, Role role) {
  Config config;
  config.box.role = role;
  if (role != Role::kBmsGateway) {
    config.inverter.interface.clear();
  }
  if (role == Role::kPack) {
    config.bms.driver = BmsDriver::kModbus;
    config.bms.poll_interval = std::chrono::seconds{2};
    config.bms.stale_after = std::chrono::seconds{10};
    if (chemistry == battery::Chemistry::kNmc) {
      config.protection.cell_max = Millivolts{4250};
      config.protection.cell_min = Millivolts{2800};
      config.soc_line = {Millivolts{3300}, Millivolts{4150}};
    }
  }
  config.battery = chemistry == battery::Chemistry::kNmc
                       ? battery::nmc_profile(config.battery.series_cells, config.battery.capacity)
                       : battery::lfp_profile(config.battery.series_cells, config.battery.capacity);
  return config;
}

}  // namespace amphora::config
