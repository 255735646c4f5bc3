// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/run/answers.hpp"

#include <utility>

namespace amphora::run {

using runtime::http::Problem;
using runtime::http::problem_response;
using runtime::http::Response;

Response json_response(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

Response json_response(const Json& body) {
  return json_response(body.dump());
}

Response unavailable(std::string code, std::string message) {
  Problem problem;
  problem.status = 503;
  problem.code = std::move(code);
  problem.message = std::move(message);
  return problem_response(problem);
}

Response no_storage(const std::string& error) {
  return unavailable("storage_unavailable", error.empty()
                                                ? "Too many questions wait for the storage; ask again."
                                                : "The storage cannot be used: " + error);
}

Response not_here(std::string message) {
  Problem problem;
  problem.status = 404;
  problem.code = "not_here";
  problem.message = std::move(message);
  return problem_response(problem);
}

std::string who(const runtime::http::Actor& actor) {
  return (actor.user.empty() ? std::string{"somebody"} : actor.user) + " from " + actor.remote;
}

}  // namespace amphora::run
