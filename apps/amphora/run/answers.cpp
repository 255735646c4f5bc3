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

Problem make_problem(int status, std::string code, std::string message, std::string field) {
  Problem problem;
  problem.status = status;
  problem.code = std::move(code);
  problem.message = std::move(message);
  problem.field = std::move(field);
  return problem;
}

Response unavailable(std::string code, std::string message) {
  return problem_response(make_problem(503, std::move(code), std::move(message)));
}

Response no_storage(const std::string& error) {
  return unavailable("storage_unavailable", error.empty()
                                                ? "Too many questions wait for the storage; ask again."
                                                : "The storage cannot be used: " + error);
}

Response not_here(std::string message) {
  return problem_response(make_problem(404, "not_here", std::move(message)));
}

std::string who(const runtime::http::Actor& actor) {
  return (actor.user.empty() ? std::string{"somebody"} : actor.user) + " from " + actor.remote;
}

}  // namespace amphora::run
