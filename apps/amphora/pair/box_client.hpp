// SPDX-License-Identifier: Apache-2.0
// A client of a box's HTTP interface, for commands that talk to a running box.
//
// Plain HTTP only: on the box itself, or through a proxy or tunnel of one's own. Logs in when the box asks
// for it. Every failure is a std::runtime_error with a sentence for a person.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace amphora::pair_command {

struct Url {
  std::string host;
  std::uint16_t port = 80;
};
// "http://127.0.0.1:8080", "http://[::1]:8080/"; nothing for anything else.
std::optional<Url> parse_url(std::string_view text);

struct Answer {
  int status = 0;
  std::string cookie;  // "name=value" of the first Set-Cookie; empty: none
  std::string body;
};
// The status line, headers and body of a response that was read to its end; nothing when it is none.
std::optional<Answer> parse_answer(std::string_view text);

class BoxClient {
 public:
  // `password` is asked for only when the box wants a login.
  BoxClient(Url url, std::string user, std::function<std::string()> password)
      : url_{std::move(url)}, user_{std::move(user)}, password_{std::move(password)} {}

  nlohmann::json get(const std::string& path);
  // Logs in first where that is needed.
  nlohmann::json post(const std::string& path, const nlohmann::json& body);

 private:
  Answer exchange(const std::string& method, const std::string& path, const std::string& body);
  nlohmann::json checked(const Answer& answer) const;
  void log_in();

  Url url_;
  std::string user_;
  std::function<std::string()> password_;
  std::string cookie_;
  std::string csrf_;
};

}  // namespace amphora::pair_command
