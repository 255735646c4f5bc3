// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/connection.hpp"

namespace amphora::runtime::http {

void serve_tls(asio::ip::tcp::socket socket, asio::ssl::context& tls, std::string remote,
               std::shared_ptr<Shared> shared, std::shared_ptr<ReplyGate> gate) {
  std::make_shared<HttpConnection<TlsStream>>(TlsStream{PlainStream{std::move(socket)}, tls},
                                              std::move(remote), std::move(shared), std::move(gate))
      ->run();
}

}  // namespace amphora::runtime::http
