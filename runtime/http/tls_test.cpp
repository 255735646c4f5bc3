// SPDX-License-Identifier: Apache-2.0
// HTTPS with a certificate file, asked by OpenSSL's own client.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "runtime/http/web_server.hpp"

namespace amphora::runtime::http {
namespace {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using File = std::unique_ptr<std::FILE, Freer<std::fclose>>;

// A key and a certificate signed by itself, for localhost, valid for an hour.
void make_certificate(const std::string& certificate_file, const std::string& key_file) {
  const std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>> key{EVP_EC_gen("P-256")};
  const std::unique_ptr<X509, Freer<X509_free>> certificate{X509_new()};
  ASSERT_TRUE(key && certificate);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  ASSERT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
  const File out{std::fopen(certificate_file.c_str(), "w")};
  ASSERT_EQ(PEM_write_X509(out.get(), certificate.get()), 1);
  const File key_out{std::fopen(key_file.c_str(), "w")};
  ASSERT_EQ(PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
}

// Health only; everything else is not asked here.
class HealthBackend final : public ApiBackend {
 public:
  std::string state_json() override { return "{}"; }
  void events(const EventQuery&, Reply) override {}
  void history(const HistoryQuery&, Reply) override {}
  void history_csv(const HistoryQuery&, Reply) override {}
  void history_days(const DaysQuery&, Reply) override {}
  void bms_settings(Reply) override {}
  void put_bms_settings(const BmsSettingsChange&, const Actor&, Reply) override {}
  void bms_command(BmsCommand, const Actor&, Reply) override {}
  void box_settings(Reply) override {}
  void put_box_settings(const BoxSettingsChange&, const Actor&, Reply) override {}
  void sections(Reply) override {}
  void put_section(const SectionChange&, const Actor&, Reply) override {}
  void pairing(const PairingRequest&, const Actor&, Reply) override {}
  void pack(const PackRequest&, const Actor&, Reply) override {}
  void old_path(OldPath, Reply) override {}
  std::string metrics_text() override { return {}; }
  Response health() override {
    Response response;
    response.body = R"({"status":"ok"})";
    return response;
  }
  void audit(const AuditEvent&) override {}
  void save_user(const UserRecord&) override {}
};

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval limit{20, 0};  // only ends a hanging test
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

std::string ask(SSL* tls, const std::string& request) {
  if (SSL_connect(tls) != 1 || SSL_write(tls, request.data(), static_cast<int>(request.size())) <= 0) {
    return {};
  }
  std::string answer;
  char buffer[4096];
  int size = 0;
  while ((size = SSL_read(tls, buffer, sizeof buffer)) > 0) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  return answer;
}

TEST(Tls, serves_over_https_with_the_given_certificate) {
  const std::string base = "/tmp/amphora_tls_" + std::to_string(::getpid());
  make_certificate(base + ".pem", base + ".key");
  Loop loop;
  HealthBackend backend;
  WebServerOptions options;
  options.listen = "127.0.0.1:0";
  options.is_login_required = false;
  options.certificate_file = base + ".pem";
  options.key_file = base + ".key";
  auto opened = WebServer::open(loop, options, backend);
  ASSERT_TRUE(opened.ok()) << opened.error().text();
  auto server = std::move(opened.value());
  const std::uint16_t port = server->port();
  std::thread thread{[&] { loop.run(); }};

  const std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>> context{SSL_CTX_new(TLS_client_method())};
  ASSERT_EQ(SSL_CTX_load_verify_locations(context.get(), options.certificate_file.c_str(), nullptr), 1);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  const int fd = connect_to(port);
  {
    const std::unique_ptr<SSL, Freer<SSL_free>> tls{SSL_new(context.get())};
    SSL_set_fd(tls.get(), fd);
    const std::string answer =
        ask(tls.get(), "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_NE(answer.find("200 OK"), std::string::npos) << answer;
    EXPECT_NE(answer.find(R"({"status":"ok"})"), std::string::npos);
    EXPECT_EQ(SSL_get_verify_result(tls.get()), X509_V_OK);
    EXPECT_GE(SSL_version(tls.get()), TLS1_2_VERSION);
  }
  ::close(fd);
  // Plain HTTP on the same port gets no answer in plain text.
  const int plain = connect_to(port);
  const std::string request = "GET /api/v1/health HTTP/1.1\r\nHost: b\r\n\r\n";
  EXPECT_EQ(::send(plain, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  char buffer[512];
  const ssize_t size = ::recv(plain, buffer, sizeof buffer, 0);
  EXPECT_EQ((std::string{buffer, size > 0 ? static_cast<std::size_t>(size) : 0U}.find("HTTP/1.1 200")),
            std::string::npos);
  ::close(plain);

  std::promise<void> done;
  loop.post([&] {
    server.reset();
    done.set_value();
  });
  done.get_future().wait();
  loop.stop();
  thread.join();
  std::filesystem::remove(base + ".pem");
  std::filesystem::remove(base + ".key");
}

}  // namespace
}  // namespace amphora::runtime::http
