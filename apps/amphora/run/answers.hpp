// SPDX-License-Identifier: Apache-2.0
// The usual answers of the API, and how people are named in events.
#pragma once

#include <string>

#include "apps/amphora/run/state_json.hpp"
#include "runtime/http/api.hpp"

namespace amphora::run {

runtime::http::Response json_response(const Json& body);
runtime::http::Response json_response(std::string body);
runtime::http::Problem make_problem(int status, std::string code, std::string message,
                                    std::string field = {});
// 503: not now.
runtime::http::Response unavailable(std::string code, std::string message);
// 503: `error` is why there is no store; empty: it has too much to do.
runtime::http::Response no_storage(const std::string& error);
// 404: a box of this role does not have what is asked for.
runtime::http::Response not_here(std::string message);
// "anna from 192.168.1.7".
std::string who(const runtime::http::Actor& actor);

}  // namespace amphora::run
