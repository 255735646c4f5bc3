// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {

namespace {

constexpr std::size_t kTopicSizeMax = 512;
constexpr std::size_t kLevelSizeMax = 64;

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80        ? 1U
                             : lead >> 5U == 6  ? 2U
                             : lead >> 4U == 14 ? 3U
                             : lead >> 3U == 30 ? 4U
                                                : 0U;
    if (size == 0 || i + size > text.size()) {
      return false;
    }
    std::uint32_t point = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6U != 2) {
        return false;
      }
      point = (point << 6U) | (next & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace

bool is_publish_topic(std::string_view topic) {
  return !topic.empty() && topic.size() <= kTopicSizeMax && is_utf8(topic) &&
         std::none_of(topic.begin(), topic.end(),
                      [](char c) { return c == '+' || c == '#' || static_cast<unsigned char>(c) < 0x20; });
}

bool is_topic_level(std::string_view level) {
  return !level.empty() && level.size() <= kLevelSizeMax &&
         std::all_of(level.begin(), level.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                  c == '-';
         });
}

std::optional<std::string> make_topic(std::initializer_list<std::string_view> levels) {
  std::string topic;
  for (const std::string_view level : levels) {
    if (!is_topic_level(level)) {
      return std::nullopt;
    }
    topic += (topic.empty() ? "" : "/") + std::string{level};
  }
  return topic.empty() ? std::nullopt : std::optional{topic};
}

std::optional<std::string> check_mqtt_options(const MqttOptions& options) {
  if (options.host.empty()) {
    return "mqtt.host is empty; write the name or address of the broker.";
  }
  if (options.port == 0) {
    return "mqtt.port must be from 1 to 65535.";
  }
  if (!options.tls && !options.allow_plain && !is_loopback(options.host)) {
    return "mqtt.tls must be true for a broker that is not on this machine (" + options.host +
           "); mqtt.allow_plain = true permits plain text in a network of your own.";
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return "mqtt: a client certificate and its key belong together.";
  }
  if (!options.password.empty() && options.username.empty()) {
    return "mqtt.username is needed with a password.";
  }
  if (!options.status_topic.empty() && !is_publish_topic(options.status_topic)) {
    return "mqtt: the status topic is not a topic.";
  }
  return std::nullopt;
}

}  // namespace amphora::runtime
