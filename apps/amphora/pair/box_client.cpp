// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/pair/box_client.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace amphora::pair_command {
namespace {

constexpr std::size_t kAnswerSizeMax = 4 * 1024 * 1024;
constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};

class Socket {
 public:
  explicit Socket(int fd) : fd_{fd} {}
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::unique_ptr<Socket> connect_to(const Url& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (code != 0) {
    throw std::runtime_error{fmt::format("{}: {}", url.host, gai_strerror(code))};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> guard{found, freeaddrinfo};
  int error = ECONNREFUSED;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    auto socket = std::make_unique<Socket>(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0));
    (void)setsockopt(socket->fd(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    (void)setsockopt(socket->fd(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    if (connect(socket->fd(), one->ai_addr, one->ai_addrlen) == 0) {
      return socket;
    }
    error = errno;
  }
  throw std::runtime_error{
      fmt::format("the box at {} port {} does not answer: {}", url.host, url.port, std::strerror(error))};
}

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      throw std::runtime_error{fmt::format("the box closed the connection: {}", std::strerror(errno))};
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string receive_all(int fd) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() < kAnswerSizeMax) {
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0) {
      throw std::runtime_error{fmt::format("no answer from the box: {}", std::strerror(errno))};
    }
    if (size == 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return text;
}

bool is_header(std::string_view line, std::string_view name) {
  return line.size() > name.size() && line[name.size()] == ':' &&
         std::equal(name.begin(), name.end(), line.begin(),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

}  // namespace

std::optional<Url> parse_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) {
    return std::nullopt;
  }
  text.remove_prefix(kScheme.size());
  if (text.ends_with('/')) {
    text.remove_suffix(1);
  }
  Url url;
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t colon = text.find(':', bracket);
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || end != port.data() + port.size() || url.port == 0) {
      return std::nullopt;
    }
    text = text.substr(0, colon);
  }
  url.host = bracket != 0 ? text.substr(1, bracket - 1) : text;
  const bool is_good = !url.host.empty() && url.host.find_first_of("/@ ?#") == std::string::npos;
  return is_good ? std::optional{url} : std::nullopt;
}

std::optional<Answer> parse_answer(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || !text.starts_with("HTTP/1.") || text.size() < 12) {
    return std::nullopt;
  }
  Answer answer;
  const std::string_view code = text.substr(9, 3);
  const auto [stop, error] = std::from_chars(code.data(), code.data() + code.size(), answer.status);
  if (error != std::errc{} || stop != code.data() + code.size()) {
    return std::nullopt;
  }
  std::string_view head = text.substr(0, end + 2);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(line.size() + 2);
    if (answer.cookie.empty() && is_header(line, "set-cookie")) {
      const std::string_view value = line.substr(line.find_first_not_of(" ", 11));
      answer.cookie = value.substr(0, value.find(';'));
    }
  }
  answer.body = text.substr(end + 4);
  return answer;
}

Answer BoxClient::exchange(const std::string& method, const std::string& path, const std::string& body) {
  const auto socket = connect_to(url_);
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n", method, path,
                                    url_.host, url_.port);
  if (!cookie_.empty()) {
    request += "Cookie: " + cookie_ + "\r\n";
  }
  if (method != "GET") {
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\nX-Amphora-CSRF: {}\r\n",
                           body.size(), csrf_);
  }
  send_all(socket->fd(), request + "\r\n" + body);
  const auto answer = parse_answer(receive_all(socket->fd()));
  if (!answer) {
    throw std::runtime_error{fmt::format("what answers at {} port {} is not a box", url_.host, url_.port)};
  }
  return *answer;
}

nlohmann::json BoxClient::checked(const Answer& answer) const {
  const auto json = nlohmann::json::parse(answer.body, nullptr, false);
  if (!json.is_object()) {
    throw std::runtime_error{fmt::format("the box answers {} without a reason", answer.status)};
  }
  if (answer.status >= 300) {
    const auto error = json.value("error", nlohmann::json::object());
    throw std::runtime_error{error.value("message", fmt::format("the box answers {}", answer.status))};
  }
  return json;
}

nlohmann::json BoxClient::get(const std::string& path) {
  Answer answer = exchange("GET", path, "");
  if (answer.status == 401 && cookie_.empty()) {
    log_in();
    answer = exchange("GET", path, "");
  }
  return checked(answer);
}

nlohmann::json BoxClient::post(const std::string& path, const nlohmann::json& body) {
  if (csrf_.empty()) {
    log_in();
  }
  return checked(exchange("POST", path, body.dump()));
}

void BoxClient::log_in() {
  const nlohmann::json session = checked(exchange("GET", "/api/v1/session", ""));
  if (session.value("first_run", false)) {
    throw std::runtime_error{"nobody owns this box yet: open its page and set a password first"};
  }
  if (session.value("login", "") == "required" && !session.contains("csrf")) {
    const Answer answer = exchange("POST", "/api/v1/session",
                                   nlohmann::json{{"user", user_}, {"password", password_()}}.dump());
    csrf_ = checked(answer).value("csrf", "");
    cookie_ = answer.cookie;
    return;
  }
  csrf_ = session.value("csrf", "");
}

}  // namespace amphora::pair_command
