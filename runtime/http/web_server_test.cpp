// SPDX-License-Identifier: Apache-2.0
// The whole server over loopback sockets, with a client written from the RFCs (7230, 6455) and not on the
// server's library, so that both sides cannot share a mistake.
#include "runtime/http/web_server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "runtime/http/openapi.hpp"
#include "runtime/http/router.hpp"

namespace amphora::runtime::http {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

// Answers from fixed texts; keeps what it was asked.
class Backend final : public ApiBackend {
 public:
  std::string state_json() override { return R"({"battery":{"soc_percent":50}})"; }
  void events(const EventQuery& query, Reply reply) override {
    reply({.body = R"({"events":[],"limit":)" + std::to_string(query.limit) + "}"});
  }
  void history(const HistoryQuery&, Reply reply) override {
    // From another thread, as the store does.
    std::thread{[reply] { reply({.body = R"({"time":[]})"}); }}.detach();
  }
  void history_csv(const HistoryQuery&, Reply reply) override {
    reply({.content_type = "text/csv", .body = "time\r\n"});
  }
  void history_days(const DaysQuery&, Reply) override {}  // never answers: the server does
  void bms_settings(Reply reply) override { reply({.body = R"({"state":"reading","settings":[]})"}); }
  void put_bms_settings(const BmsSettingsChange& change, const Actor& actor, Reply reply) override {
    last_change = change;
    last_actor = actor;
    reply({.body = R"({"result":"verified"})"});
    reply({.body = "a second answer is ignored"});
  }
  void bms_command(BmsCommand, const Actor&, Reply reply) override {
    reply({.body = R"({"result":"accepted"})"});
  }
  void box_settings(Reply reply) override { reply({.body = R"({"sections":[]})"}); }
  void sections(Reply reply) override { reply({.body = R"({"scopes":[]})"}); }
  void put_section(const SectionChange& change, const Actor&, Reply reply) override {
    reply({.body = "{\"scope\":\"" + change.scope + "\"}"});
  }
  void pairing(const PairingRequest& request, const Actor&, Reply reply) override {
    reply({.body = "{\"action\":\"" + std::string{to_text(request.action)} + "\"}"});
  }
  void pack(const PackRequest& request, const Actor&, Reply reply) override {
    reply({.body = "{\"asked\":\"" + describe(request) + "\"}"});
  }
  void old_path(OldPath path, Reply reply) override {
    reply({.body = std::to_string(static_cast<int>(path))});
  }
  void put_box_settings(const BoxSettingsChange&, const Actor&, Reply reply) override {
    reply({.body = R"({"result":"saved"})"});
  }
  std::string metrics_text() override { return "up 1\n"; }
  Response health() override { return {.body = R"({"status":"ok"})"}; }
  void audit(const AuditEvent& event) override { audits.push_back(event.code); }
  void save_user(const UserRecord& user) override { users.push_back(user); }

  BmsSettingsChange last_change;
  Actor last_actor;
  std::vector<std::string> audits;
  std::vector<UserRecord> users;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case
  std::string body;
  Json json() const { return Json::parse(body, nullptr, false); }
  std::string error_code() const { return json().value("/error/code"_json_pointer, ""); }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    timeval limit{20, 0};  // only ends a hanging test
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) {
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  // False at the end of the stream.
  bool fill() {
    char buffer[8192];
    const ssize_t size = ::recv(fd_, buffer, sizeof buffer, 0);
    if (size > 0) {
      input_.append(buffer, static_cast<std::size_t>(size));
    }
    return size > 0;
  }
  bool is_closed_by_peer() {
    while (fill()) {
    }
    return true;
  }
  Answer receive(bool is_head = false) {
    Answer answer;
    std::size_t end = 0;
    while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!fill()) {
        return answer;
      }
    }
    std::string head = input_.substr(0, end + 2);
    input_.erase(0, end + 4);
    answer.status = std::stoi(head.substr(9, 3));
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t line_end = head.find("\r\n", at);
      const std::string line = head.substr(at, line_end - at);
      const std::size_t colon = line.find(':');
      std::string name = line.substr(0, colon);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      answer.headers[name] = line.substr(std::min(colon + 2, line.size()));
      at = line_end + 2;
    }
    const std::size_t size = is_head || !answer.headers.contains("content-length")
                                 ? 0
                                 : std::stoul(answer.headers["content-length"]);
    while (input_.size() < size && fill()) {
    }
    answer.body = input_.substr(0, size);
    input_.erase(0, size);
    return answer;
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& body = {},
             const std::string& headers = {}) {
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: box:80\r\n" + headers;
    if (!body.empty() || method == "POST" || method == "PUT") {
      text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    send(text + "\r\n" + body);
    return receive(method == "HEAD");
  }

  int open_websocket(const std::string& path, const std::string& headers = {}) {
    const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";  // the example of RFC 6455
    const Answer answer = ask("GET", path, {},
                              headers +
                                  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: " +
                                  key + "\r\n");
    if (answer.status == 101) {
      EXPECT_EQ(answer.headers.at("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
    return answer.status;
  }
  // The next text message; pings are answered. Empty at the end.
  std::string receive_message() {
    while (true) {
      while (input_.size() < 2) {
        if (!fill()) {
          return {};
        }
      }
      const int opcode = input_[0] & 0x0F;
      std::size_t header = 2;
      std::size_t size = static_cast<unsigned char>(input_[1]);
      const std::size_t extended = size == 126 ? 2U : size == 127 ? 8U : 0U;
      header += extended;
      while (input_.size() < header && fill()) {
      }
      if (extended != 0) {
        size = 0;
        for (std::size_t i = 0; i < extended; ++i) {
          size = size << 8U | static_cast<unsigned char>(input_[2 + i]);
        }
      }
      while (input_.size() < header + size && fill()) {
      }
      const std::string payload = input_.substr(header, size);
      input_.erase(0, header + size);
      if (opcode == 1) {
        return payload;
      }
      if (opcode == 9) {
        ++pings;
        send(std::string{"\x8A\x80\0\0\0\0", 6});  // a pong, masked with zeros
      }
      if (opcode == 8) {
        return {};
      }
    }
  }
  bool is_connected() const { return is_connected_; }
  int pings = 0;

 private:
  int fd_;
  bool is_connected_ = false;
  std::string input_;
};

class WebServerTest : public ::testing::Test {
 protected:
  void start(WebServerOptions options) {
    options.listen = "127.0.0.1:0";
    auto opened = WebServer::open(loop_, std::move(options), backend_);
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    server_ = std::move(opened.value());
    port_ = server_->port();
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  void TearDown() override { stop(); }
  void stop() {
    if (thread_.joinable()) {
      on_loop([this] { server_.reset(); });
      loop_.stop();
      thread_.join();
    }
  }
  // Runs on the server's loop and waits for it.
  void on_loop(std::function<void()> task) {
    std::promise<void> done;
    loop_.post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  static WebServerOptions open_options() {
    WebServerOptions options;
    options.is_login_required = false;
    return options;
  }
  Answer ask(const std::string& method, const std::string& target, const std::string& body = {},
             const std::string& headers = {}) {
    return Client{port_}.ask(method, target, body, headers);
  }

  Loop loop_;
  Backend backend_;
  std::unique_ptr<WebServer> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(WebServerTest, answers_with_security_headers_and_keeps_the_connection) {
  start(open_options());
  Client client{port_};
  const Answer state = client.ask("GET", "/api/v1/state");
  EXPECT_EQ(state.status, 200);
  EXPECT_EQ(state.json()["battery"]["soc_percent"], 50);
  EXPECT_EQ(state.headers.at("x-content-type-options"), "nosniff");
  EXPECT_NE(state.headers.at("content-security-policy").find("default-src 'self'"), std::string::npos);
  EXPECT_EQ(state.headers.at("referrer-policy"), "no-referrer");
  EXPECT_EQ(client.ask("GET", "/api/v1/events?limit=7").json()["limit"], 7);
  EXPECT_EQ(client.ask("GET", "/api/v1/history").status, 200);
  EXPECT_EQ(client.ask("GET", "/metrics").body, "up 1\n");
  EXPECT_EQ(client.ask("HEAD", "/api/v1/state").status, 200);
  EXPECT_EQ(client.ask("GET", "/api/v1/health").json()["status"], "ok");
  EXPECT_EQ(client.ask("GET", "/api/v1/history/days").error_code(), "no_answer");
  EXPECT_EQ(client.ask("GET", "/monitoring").headers.at("location"), "/#/");
  EXPECT_EQ(client.ask("GET", "/settings").headers.at("location"), "/#/settings");
}

TEST_F(WebServerTest, errors_are_json_and_name_what_is_allowed) {
  start(open_options());
  EXPECT_EQ(ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/events?limit=0").error_code(), "out_of_range");
  const Answer wrong = ask("PUT", "/api/v1/state", "{}");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.at("allow"), "GET");
  EXPECT_EQ(ask("GET", "/%00").status, 400);
}

TEST_F(WebServerTest, changes_need_the_csrf_header_even_without_login) {
  start(open_options());
  const std::string body = R"({"changes":[{"register":315,"value":4.2}]})";
  EXPECT_EQ(ask("PUT", "/api/v1/bms/settings", body).error_code(), "csrf");
  const std::string csrf = ask("GET", "/api/v1/session").json()["csrf"];
  const std::string header = "X-Amphora-CSRF: " + csrf + "\r\n";
  EXPECT_EQ(ask("PUT", "/api/v1/bms/settings", body, header).json()["result"], "verified");
  EXPECT_EQ(backend_.last_change.changes.at(0).value, 4.2);
  EXPECT_EQ(backend_.last_actor.remote, "127.0.0.1");
  EXPECT_EQ(ask("PUT", "/api/v1/bms/settings", body, header + "Origin: http://evil\r\n").error_code(),
            "foreign_origin");
  EXPECT_EQ(ask("PUT", "/api/v1/bms/settings", body, header + "Origin: http://box:80\r\n").status, 200);
  EXPECT_EQ(ask("PUT", "/api/v1/bms/settings", R"({"changes":5})", header).json()["error"]["field"],
            "changes");
  Client plain{port_};
  plain.send("POST /api/v1/bms/command HTTP/1.1\r\nHost: b\r\n" + header +
             "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(plain.receive().status, 415);
}

TEST_F(WebServerTest, first_run_login_roles_and_logout) {
  WebServerOptions options;
  options.users = {{"eve", "viewer", hash_password("look only")}};
  options.public_look = false;
  start(options);
  EXPECT_EQ(ask("GET", "/api/v1/state").status, 401);
  EXPECT_EQ(Client{port_}.open_websocket("/ws/live"), 401);
  EXPECT_EQ(ask("POST", "/api/v1/setup", R"({"user":"a","password":"long enough"})").status, 409);
  EXPECT_EQ(ask("POST", "/api/v1/session", R"({"user":"eve","password":"wrong"})").status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/session", R"({"user":"nobody","password":"wrong"})").status, 401);
  const Answer login = ask("POST", "/api/v1/session", R"({"user":"eve","password":"look only"})");
  ASSERT_EQ(login.status, 200);
  const std::string cookie = login.headers.at("set-cookie");
  EXPECT_NE(cookie.find("HttpOnly"), std::string::npos);
  EXPECT_NE(cookie.find("SameSite=Strict"), std::string::npos);
  const std::string session = "Cookie: " + cookie.substr(0, cookie.find(';')) + "\r\n";
  const std::string csrf = "X-Amphora-CSRF: " + login.json()["csrf"].get<std::string>() + "\r\n";
  EXPECT_EQ(ask("GET", "/api/v1/state", {}, session).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/session", {}, session).json()["role"], "viewer");
  EXPECT_EQ(ask("POST", "/api/v1/bms/command", R"({"command":"reset"})", session + csrf).error_code(),
            "owner_needed");
  EXPECT_EQ(Client{port_}.open_websocket("/ws/cells", session), 101);
  EXPECT_EQ(ask("DELETE", "/api/v1/session", {}, session).status, 403);
  EXPECT_EQ(ask("DELETE", "/api/v1/session", {}, session + csrf).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/state", {}, session).status, 401);
  stop();
  EXPECT_EQ(backend_.audits,
            (std::vector<std::string>{"login_failed", "login_failed", "login", "forbidden", "logout"}));
}

TEST_F(WebServerTest, setup_from_the_network_ends_with_its_window) {
  Loop loop;
  RouterOptions options;
  options.setup_window = Duration::zero();
  Router router{loop, options, backend_};
  Request request;
  request.method = Method::kPost;
  request.path = "/api/v1/setup";
  request.headers = {{"host", "b"}, {"content-type", "application/json"}};
  request.body = R"({"user":"stranger","password":"long enough"})";
  request.remote = "192.0.2.7";
  Response answer;
  router.handle(request, [&answer](Response response) { answer = std::move(response); });
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("setup_closed"), std::string::npos) << answer.body;
  EXPECT_TRUE(backend_.users.empty());
}

TEST_F(WebServerTest, setup_makes_the_owner_once) {
  start({});
  EXPECT_EQ(ask("GET", "/api/v1/session").json()["first_run"], true);
  EXPECT_EQ(ask("POST", "/api/v1/setup", R"({"user":"admin","password":"short"})").error_code(), "too_short");
  const Answer setup = ask("POST", "/api/v1/setup", R"({"user":"admin","password":"long enough"})");
  ASSERT_EQ(setup.status, 200);
  EXPECT_EQ(setup.json()["role"], "owner");
  EXPECT_EQ(ask("GET", "/api/v1/session").json()["first_run"], false);
  EXPECT_EQ(ask("POST", "/api/v1/setup", R"({"user":"other","password":"long enough"})").status, 409);
  EXPECT_EQ(ask("POST", "/api/v1/session", R"({"user":"admin","password":"long enough"})").status, 200);
  stop();
  ASSERT_EQ(backend_.users.size(), 1U);
  EXPECT_TRUE(backend_.users[0].password_hash.starts_with("$argon2id$"));
}

TEST_F(WebServerTest, guessing_is_limited) {
  start({});
  Answer answer;
  for (int i = 0; i <= kFreeAttempts; ++i) {
    answer = ask("POST", "/api/v1/session", R"({"user":"admin","password":"guess"})");
  }
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(answer.headers.contains("retry-after"));
}

TEST_F(WebServerTest, limits_of_header_body_and_time) {
  WebServerOptions options = open_options();
  options.request_timeout = 200ms;
  options.idle_timeout = 200ms;
  start(options);
  Client large{port_};
  EXPECT_EQ(large.ask("GET", "/", {}, "X: " + std::string(9000, 'x') + "\r\n").status, 431);
  Client body{port_};
  body.send("POST /api/v1/session HTTP/1.1\r\nHost: b\r\nContent-Length: 70000\r\n\r\n");
  EXPECT_EQ(body.receive().status, 413);
  Client nonsense{port_};
  nonsense.send("this is not http\r\n\r\n");
  EXPECT_EQ(nonsense.receive().status, 400);
  Client slow{port_};
  slow.send("GET / HT");
  EXPECT_TRUE(slow.is_closed_by_peer());
  Client idle{port_};
  EXPECT_EQ(idle.ask("GET", "/api/v1/state").status, 200);
  EXPECT_TRUE(idle.is_closed_by_peer());
}

TEST_F(WebServerTest, connections_over_the_limit_are_closed_and_counted) {
  WebServerOptions options = open_options();
  options.connection_max = 2;
  start(options);
  Client a{port_};
  Client b{port_};
  EXPECT_EQ(a.ask("GET", "/api/v1/state").status, 200);
  EXPECT_EQ(b.ask("GET", "/api/v1/state").status, 200);
  Client c{port_};
  EXPECT_EQ(c.ask("GET", "/api/v1/state").status, 0);
  EXPECT_EQ(a.ask("GET", "/api/v1/state").status, 200);
  on_loop([&] { EXPECT_EQ(server_->counters().connections_refused, 1U); });
}

TEST_F(WebServerTest, serves_the_web_app_and_nothing_else) {
  const std::filesystem::path root = "/tmp/amphora_web_" + std::to_string(::getpid());
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "assets");
  std::ofstream{root / "index.html"} << "<!doctype html>";
  std::ofstream{root / "assets" / "app-1a2b.js"} << "let plain;";
  std::ofstream{root / "assets" / "app-1a2b.js.gz"} << "gzip bytes";
  std::ofstream{"/tmp/amphora_secret_" + std::to_string(::getpid())} << "secret";
  WebServerOptions options = open_options();
  options.root = root;
  start(options);
  const Answer index = ask("GET", "/");
  EXPECT_EQ(index.body, "<!doctype html>");
  EXPECT_EQ(index.headers.at("cache-control"), "no-cache");
  EXPECT_EQ(ask("GET", "/cells").body, "<!doctype html>");  // the app routes by itself
  EXPECT_EQ(ask("GET", "/", {}, "If-None-Match: " + index.headers.at("etag") + "\r\n").status, 304);
  const Answer plain = ask("GET", "/assets/app-1a2b.js");
  EXPECT_EQ(plain.body, "let plain;");
  EXPECT_NE(plain.headers.at("cache-control").find("immutable"), std::string::npos);
  const Answer zipped = ask("GET", "/assets/app-1a2b.js", {}, "Accept-Encoding: gzip, br\r\n");
  EXPECT_EQ(zipped.body, "gzip bytes");
  EXPECT_EQ(zipped.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(zipped.headers.at("content-type"), "text/javascript; charset=utf-8");
  const std::string secret = "amphora_secret_" + std::to_string(::getpid());
  for (const std::string& path : {"/../" + secret, "/..%2f" + secret, "/assets/../../" + secret,
                                  "/%2e%2e/" + secret, "//tmp/" + secret, std::string{"/missing.js"}}) {
    EXPECT_EQ(ask("GET", path).body.find("secret\n"), std::string::npos) << path;
    EXPECT_NE(ask("GET", path).body, "secret") << path;
  }
  EXPECT_EQ(ask("GET", "/missing.js").status, 404);
  std::filesystem::remove_all(root);
  std::filesystem::remove("/tmp/" + secret);
}

TEST_F(WebServerTest, live_values_reach_two_clients) {
  start(open_options());
  on_loop([&] {
    server_->hub().update_group("battery", R"({"soc_percent":50})");
    server_->hub().tick(1);
    server_->hub().publish_cells(R"({"type":"cell_update","cells":[1]})");
  });
  Client a{port_};
  Client b{port_};
  Client cells{port_};
  ASSERT_EQ(a.open_websocket("/ws/live", "Origin: http://box:80\r\n"), 101);
  ASSERT_EQ(b.open_websocket("/ws/live"), 101);
  ASSERT_EQ(cells.open_websocket("/ws/cells"), 101);
  EXPECT_EQ(Client{port_}.open_websocket("/ws/live", "Origin: http://evil\r\n"), 403);
  EXPECT_EQ(Client{port_}.open_websocket("/ws/other"), 404);
  EXPECT_EQ(Json::parse(a.receive_message())["type"], "state");
  EXPECT_EQ(Json::parse(b.receive_message())["battery"]["soc_percent"], 50);
  EXPECT_EQ(Json::parse(cells.receive_message())["type"], "cell_update");
  on_loop([&] {
    server_->hub().update_group("battery", R"({"soc_percent":51})");
    server_->hub().tick(2);
    server_->hub().publish_event(R"({"id":1})");
  });
  EXPECT_EQ(Json::parse(a.receive_message())["battery"]["soc_percent"], 51);
  EXPECT_EQ(Json::parse(b.receive_message())["type"], "delta");
  EXPECT_EQ(Json::parse(b.receive_message())["event"]["id"], 1);
}

TEST_F(WebServerTest, a_stalled_client_does_not_hold_up_others_and_then_gets_the_newest) {
  start(open_options());
  const std::string filler(20'000, 'x');
  const auto publish = [&](int n) {
    on_loop([&] {
      server_->hub().update_group("n", std::to_string(n));
      server_->hub().update_group("filler", "\"" + filler + std::to_string(n) + "\"");
      server_->hub().tick(n);
    });
  };
  publish(0);
  Client stalled{port_};
  Client reader{port_};
  ASSERT_EQ(stalled.open_websocket("/ws/live"), 101);
  ASSERT_EQ(reader.open_websocket("/ws/live"), 101);
  EXPECT_EQ(Json::parse(reader.receive_message())["n"], 0);
  constexpr int kUpdates = 1000;  // 20 MB: more than sockets hold
  for (int i = 1; i <= kUpdates; ++i) {
    publish(i);
    EXPECT_EQ(Json::parse(reader.receive_message())["n"], i);
  }
  int received = 0;
  int newest = -1;
  while (newest != kUpdates) {
    const std::string message = stalled.receive_message();
    ASSERT_FALSE(message.empty());
    newest = Json::parse(message)["n"];
    ++received;
  }
  EXPECT_LT(received, kUpdates);
  on_loop([&] { EXPECT_GE(server_->hub().counters().merged, 1U); });
}

TEST_F(WebServerTest, peers_that_do_not_answer_pings_are_dropped) {
  WebServerOptions options = open_options();
  options.ping_period = 100ms;
  start(options);
  Client mute{port_};
  Client alive{port_};
  ASSERT_EQ(mute.open_websocket("/ws/live"), 101);
  ASSERT_EQ(alive.open_websocket("/ws/live"), 101);
  std::thread reader{[&] { (void)alive.receive_message(); }};  // answers pings until something is published
  EXPECT_TRUE(mute.is_closed_by_peer());
  on_loop([&] {
    EXPECT_EQ(server_->hub().client_count(), 1U);
    server_->hub().update_group("x", "1");
    server_->hub().tick(1);
  });
  reader.join();
  EXPECT_GE(alive.pings, 2);
}

TEST_F(WebServerTest, ends_with_clients_connected) {
  start(open_options());
  Client web{port_};
  Client http{port_};
  ASSERT_EQ(web.open_websocket("/ws/live"), 101);
  EXPECT_EQ(http.ask("GET", "/api/v1/state").status, 200);
  stop();
  EXPECT_TRUE(web.is_closed_by_peer());
  EXPECT_TRUE(http.is_closed_by_peer());
}

TEST(WebServerOpen, says_what_is_wrong) {
  Loop loop;
  Backend backend;
  const auto error_of = [&](WebServerOptions options) {
    const auto opened = WebServer::open(loop, std::move(options), backend);
    return opened.ok() ? std::string{} : opened.error().text();
  };
  WebServerOptions options;
  options.listen = "here";
  EXPECT_NE(error_of(options).find("ADDRESS:PORT"), std::string::npos);
  options.listen = "0.0.0.0:0";
  options.is_login_required = false;
  EXPECT_NE(error_of(options).find("login"), std::string::npos);
  options.listen = "127.0.0.1:0";
  options.certificate_file = "/nowhere.pem";
  options.key_file = "/nowhere.key";
  EXPECT_NE(error_of(options).find("/nowhere.pem"), std::string::npos);
  options.certificate_file.clear();
  options.key_file.clear();
  const auto first = WebServer::open(loop, options, backend);
  ASSERT_TRUE(first.ok());
  options.listen = "127.0.0.1:" + std::to_string((*first)->port());
  EXPECT_NE(error_of(options).find("Address already in use"), std::string::npos);
}

TEST(OpenApi, describes_every_route_and_no_other) {
  const Json document = Json::parse(openapi_text());
  std::set<std::string> described;
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      std::string name = method;
      std::transform(name.begin(), name.end(), name.begin(),
                     [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
      described.insert(name + " " + path);
      EXPECT_TRUE(operation.contains("summary")) << path;
    }
  }
  std::set<std::string> served;
  for (const auto& route : Router::routes()) {
    served.insert(std::string{to_text(route.method)} + " " + std::string{route.path});
  }
  EXPECT_EQ(described, served);
}

}  // namespace
}  // namespace amphora::runtime::http
