// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/pair/pair.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sodium.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "apps/amphora/config/secret_file.hpp"
#include "apps/amphora/pair/box_client.hpp"
#include "runtime/link/link_store.hpp"
#include "runtime/loop/loop.hpp"
#include "runtime/radio/radio_port.hpp"
#include "runtime/store_sqlite/store.hpp"

namespace amphora {

namespace {

using nlohmann::json;
using pair_command::BoxClient;

constexpr int kPollMs = 500;

struct PairOptions {
  std::string url = "http://127.0.0.1:8080";
  std::string user = "admin";
  std::string password_file;
  std::string code;
  std::string node;
  std::string data = "/var/lib/amphora";
  bool is_json = false;
};

// Typed without being shown.
std::string ask_password(const std::string& user) {
  if (isatty(STDIN_FILENO) == 0) {
    throw std::runtime_error{"the box asks for a login: give --password-file FILE, or AMPHORA_PASSWORD"};
  }
  fmt::print(stderr, "Password of {}: ", user);
  termios before{};
  (void)tcgetattr(STDIN_FILENO, &before);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  (void)tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  std::string password;
  (void)std::getline(std::cin, password);
  (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
  fmt::print(stderr, "\n");
  return password;
}

std::string find_password(const PairOptions& options) {
  if (!options.password_file.empty()) {
    if (const auto fault = config::secret_file_fault(options.password_file)) {
      throw std::runtime_error{options.password_file + ": " + *fault};
    }
    return config::read_secret(options.password_file).value_or("");
  }
  const char* const given = std::getenv("AMPHORA_PASSWORD");
  return given != nullptr ? given : ask_password(options.user);
}

BoxClient make_client(const PairOptions& options) {
  const auto url = pair_command::parse_url(options.url);
  if (!url) {
    throw std::runtime_error{options.url + " is not an address like http://127.0.0.1:8080"};
  }
  return BoxClient{*url, options.user, [options] { return find_password(options); }};
}

json link_of(BoxClient& client) {
  const json state = client.get("/api/v1/state");
  if (!state.contains("link")) {
    throw std::runtime_error{"this box has no radio link"};
  }
  return state.at("link");
}

std::string failure_text(const std::string& reason) {
  if (reason == "wrong_code") {
    return "the code is wrong";
  }
  if (reason == "expired") {
    return "the code has expired";
  }
  if (reason == "too_many_tries") {
    return "the code was tried too often; show a new one";
  }
  if (reason == "no_answer" || reason == "refused") {
    return "no transmitter in reach shows this code";
  }
  return reason.empty() ? "it was cancelled" : reason;
}

// Waits until pairing has ended one way or the other.
int wait_for_end(BoxClient& client) {
  while (true) {
    const json pairing = link_of(client).value("pairing", json::object());
    const std::string state = pairing.value("state", "");
    if (state == "done") {
      fmt::print("paired with {}\n", pairing.value("node", "the other box"));
      return kExitGood;
    }
    if (state == "failed" || state == "idle") {
      fmt::print(stderr, "amphora: not paired: {}\n", failure_text(pairing.value("reason", "")));
      return kExitFailed;
    }
    (void)poll(nullptr, 0, kPollMs);
  }
}

int show(const PairOptions& options) {
  BoxClient client = make_client(options);
  const json answer = client.post("/api/v1/pairing", {{"action", "show_code"}});
  fmt::print("{}\n", answer.value("code", ""));
  (void)std::fflush(stdout);
  fmt::print(stderr, "Enter this code at the receiver within {} s: amphora pair enter {}\n",
             answer.value("expires_s", 0), answer.value("code", ""));
  return wait_for_end(client);
}

int enter(const PairOptions& options) {
  BoxClient client = make_client(options);
  (void)client.post("/api/v1/pairing", {{"action", "enter_code"}, {"code", options.code}});
  return wait_for_end(client);
}

int forget(const PairOptions& options) {
  BoxClient client = make_client(options);
  (void)client.post("/api/v1/pairing", {{"action", "forget"}, {"node", options.node}});
  fmt::print("forgotten: {}\n", options.node);
  return kExitGood;
}

int status(const PairOptions& options) {
  BoxClient client = make_client(options);
  const json link = link_of(client);
  if (options.is_json) {
    fmt::print("{}\n", json{{"node", link.value("node", "")},
                            {"mode", link.value("mode", "")},
                            {"peers", link.value("peers", json::array())},
                            {"pairing", link.value("pairing", json::object())}}
                           .dump());
    return kExitGood;
  }
  fmt::print("this box    {} ({}, {})\n", link.value("node", "no radio yet"), link.value("role", ""),
             link.value("mode", ""));
  for (const json& peer : link.value("peers", json::array())) {
    fmt::print("paired with {} {} {}\n", peer.value("node", ""), peer.value("name", ""),
               peer.value("state", ""));
  }
  fmt::print("pairing     {}\n", link.value("pairing", json::object()).value("state", ""));
  return kExitGood;
}

// For boxes that are set up together: the key comes from elsewhere and is the same at both.
int write_key(const PairOptions& options) {
  const auto node = runtime::parse_mac(options.node);
  if (!node) {
    fmt::print(stderr, "amphora: {} is not an address like 02:00:00:00:00:01\n", options.node);
    return kExitUsage;
  }
  std::string line;
  (void)std::getline(std::cin, line);
  const auto bytes = runtime::bytes_from_hex(line);
  if (!bytes || bytes->size() != crypto::kKeySize) {
    fmt::print(stderr, "amphora: standard input must hold the key: {} hexadecimal digits\n",
               2 * crypto::kKeySize);
    return kExitUsage;
  }
  crypto::Key key{};
  std::copy(bytes->begin(), bytes->end(), key.begin());
  auto store = runtime::Store::open({.directory = options.data});
  if (!store.ok()) {
    fmt::print(stderr, "amphora: {}\n", store.error().text());
    return kExitFailed;
  }
  (*store)->put_section(runtime::key_name(*node), runtime::key_text(key, runtime::wall_now()));
  sodium_memzero(key.data(), key.size());
  store.value().reset();
  return kExitGood;
}

void add_connection(CLI::App& command, const std::shared_ptr<PairOptions>& options) {
  command.add_option("--url", options->url, "The box [http://127.0.0.1:8080]")->type_name("URL");
  command.add_option("--user", options->user, "Who logs in [admin]")->type_name("NAME");
  command
      .add_option("--password-file", options->password_file,
                  "Its password; without it AMPHORA_PASSWORD, or a question")
      ->type_name("FILE");
}

}  // namespace

void add_pair(CLI::App& parent, Action& chosen) {
  CLI::App* group = add_command(parent, "pair", "Make a transmitter and a receiver know each other.",
                                "  amphora pair show          at the transmitter\n"
                                "  amphora pair enter 123456  at the receiver");
  group->require_subcommand(1);
  auto options = std::make_shared<PairOptions>();
  const auto add = [&](const char* name, const char* description, const char* example,
                       int (*run)(const PairOptions&)) {
    CLI::App* command = add_command(*group, name, description, example);
    command->callback([&chosen, options, run] { chosen = [options, run] { return run(*options); }; });
    return command;
  };
  add_connection(*add("show", "Show a code at the transmitter and wait until it was entered.",
                      "  amphora pair show", show),
                 options);
  CLI::App* enter_command = add("enter", "Enter the code at the receiver and wait for the outcome.",
                                "  amphora pair enter 123456", enter);
  enter_command->add_option("code", options->code, "The code that the transmitter shows")
      ->required()
      ->type_name("CODE");
  add_connection(*enter_command, options);
  CLI::App* status_command =
      add("status", "Say who is paired and how pairing goes.", "  amphora pair status --json", status);
  status_command->add_flag("--json", options->is_json, "One JSON object");
  add_connection(*status_command, options);
  CLI::App* forget_command =
      add("forget", "Forget a paired node and its key.", "  amphora pair forget 02:00:00:00:00:01", forget);
  forget_command->add_option("node", options->node, "Address of the node")->required()->type_name("NODE");
  add_connection(*forget_command, options);
  CLI::App* key_command =
      add("key", "Write a key from standard input into the database of a box that does not run.",
          "  openssl rand -hex 32 | tee key | amphora pair key --node 02:00:00:00:00:01", write_key);
  key_command->add_option("--node", options->node, "Address of the other node")
      ->required()
      ->type_name("NODE");
  key_command->add_option("--data", options->data, "Folder of the database [/var/lib/amphora]")
      ->type_name("DIR");
}

}  // namespace amphora
