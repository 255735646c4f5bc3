// SPDX-License-Identifier: Apache-2.0
#include "runtime/http/connection.hpp"

namespace amphora::runtime::http {

void serve_plain(asio::ip::tcp::socket socket, std::string remote, std::shared_ptr<Shared> shared,
                 std::shared_ptr<ReplyGate> gate) {
  std::make_shared<HttpConnection<PlainStream>>(PlainStream{std::move(socket)}, std::move(remote),
                                                std::move(shared), std::move(gate))
      ->run();
}

}  // namespace amphora::runtime::http
