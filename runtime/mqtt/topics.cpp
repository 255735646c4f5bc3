// SPDX-License-Identifier: Apache-2.0
#include <mosquitto.h>

#include <algorithm>

#include "runtime/mqtt/mqtt_client.hpp"

namespace amphora::runtime {
namespace {

constexpr std::size_t kTopicSizeMax = 512;
constexpr std::size_t kLevelSizeMax = 64;

bool is_level_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

bool is_publish_topic(std::string_view topic) {
  if (topic.empty() || topic.size() > kTopicSizeMax || topic.find('\0') != std::string_view::npos) {
    return false;
  }
  return mosquitto_pub_topic_check2(topic.data(), topic.size()) == MOSQ_ERR_SUCCESS &&
         mosquitto_validate_utf8(topic.data(), static_cast<int>(topic.size())) == MOSQ_ERR_SUCCESS;
}

bool is_topic_level(std::string_view level) {
  return !level.empty() && level.size() <= kLevelSizeMax &&
         std::all_of(level.begin(), level.end(), is_level_character);
}

std::optional<std::string> make_topic(std::initializer_list<std::string_view> levels) {
  std::string topic;
  for (const std::string_view level : levels) {
    if (!is_topic_level(level)) {
      return std::nullopt;
    }
    topic += (topic.empty() ? "" : "/") + std::string{level};
  }
  return topic;
}

}  // namespace amphora::runtime
