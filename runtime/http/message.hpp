// SPDX-License-Identifier: Apache-2.0
// An HTTP request and its answer as the router, the API and the tests see them, free of any library.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace amphora::runtime::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kDelete, kOptions, kOther };
std::string_view to_text(Method method);

struct Request {
  Method method = Method::kGet;
  std::string path;  // percent-decoded, starts with '/', never with a NUL
  std::vector<std::pair<std::string, std::string>> query;  // percent-decoded, in order
  std::map<std::string, std::string> headers;              // lower-case names; the few that matter
  std::string body{};
  std::string remote;  // the peer's address, without port
  bool is_secure = false;

  std::optional<std::string_view> header(std::string_view lower_case_name) const;
  std::optional<std::string_view> parameter(std::string_view name) const;
  // The value of one cookie.
  std::optional<std::string_view> cookie(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::shared_ptr<const std::string> shared_body{};  // used instead of body when set: static files
  std::vector<std::pair<std::string, std::string>> headers{};
};

// May be called from any thread, once; calls after the first and after the server's end are ignored.
using Reply = std::function<void(Response)>;

// Splits and decodes a request target ("/a%20b?x=1"). Empty when it is not an absolute path, has a bad escape
// or a NUL, or is longer than 4096 bytes.
struct Target {
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
};
std::optional<Target> parse_target(std::string_view target);

}  // namespace amphora::runtime::http
