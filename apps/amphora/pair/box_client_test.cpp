// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/pair/box_client.hpp"

#include <gtest/gtest.h>

namespace amphora::pair_command {
namespace {

TEST(BoxClient, AddressesOfBoxes) {
  EXPECT_EQ(parse_url("http://127.0.0.1:8080")->port, 8080);
  EXPECT_EQ(parse_url("http://box.local/")->host, "box.local");
  EXPECT_EQ(parse_url("http://box.local")->port, 80);
  EXPECT_EQ(parse_url("http://[::1]:81/")->host, "::1");
  EXPECT_EQ(parse_url("http://[::1]:81/")->port, 81);
  for (const char* bad : {"", "box", "https://box", "http://", "http://box:0", "http://box:99999",
                          "http://box:x", "http://[::1", "http://a@b", "http://box/path"}) {
    EXPECT_FALSE(parse_url(bad)) << bad;
  }
}

TEST(BoxClient, AnswersAreTakenApart) {
  const auto answer = parse_answer(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nset-cookie: amphora_session=abc; "
      "Path=/\r\n\r\n{}");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->cookie, "amphora_session=abc");
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(parse_answer("HTTP/1.1 404 Not Found\r\n\r\n")->cookie, "");
  for (const char* bad : {"", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n", "HTTP/1.1 x00 \r\n\r\n"}) {
    EXPECT_FALSE(parse_answer(bad)) << bad;
  }
}

}  // namespace
}  // namespace amphora::pair_command
