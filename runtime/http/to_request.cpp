// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/connection.hpp"

namespace amphora::runtime::http {
namespace {

constexpr std::string_view kKeptHeaders[] = {"host",          "origin",        "cookie",
                                             "content-type",  "user-agent",    "accept-encoding",
                                             "if-none-match", "x-amphora-csrf"};

Method method_of(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::kGet;
    case beast::http::verb::head:
      return Method::kHead;
    case beast::http::verb::post:
      return Method::kPost;
    case beast::http::verb::put:
      return Method::kPut;
    case beast::http::verb::delete_:
      return Method::kDelete;
    case beast::http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

}  // namespace

Request to_request(const beast::http::request<beast::http::string_body>& message, const Target& target,
                   std::string remote, bool is_secure) {
  Request request;
  request.method = method_of(message.method());
  request.path = target.path;
  request.query = target.query;
  for (const std::string_view name : kKeptHeaders) {
    const auto found = message.find(beast::string_view{name.data(), name.size()});
    if (found != message.end()) {
      request.headers[std::string{name}] = std::string{found->value().data(), found->value().size()};
    }
  }
  request.body = message.body();
  request.remote = std::move(remote);
  request.is_secure = is_secure;
  return request;
}

}  // namespace amphora::runtime::http
