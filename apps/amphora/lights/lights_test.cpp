// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/lights/lights.hpp"

#include <gtest/gtest.h>

namespace amphora {
namespace {

using nlohmann::json;

json example() {
  return json::parse(
      R"({"bar":["#0000ff","#00ff00","#00ff00","#ff0000","#000000","#000000","#000000","#000000",
    "#000000","#000000"],"digits":[0,102,102],"green":true,"yellow":false,"red":false,"buzzer":false})");
}

TEST(Lights, APictureComesBackFromTheState) {
  const auto picture = picture_of(example());
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->bar[0], indicator::kBlue);
  EXPECT_EQ(picture->bar[1], indicator::kGreen);
  EXPECT_EQ(picture->bar[3], indicator::kRed);
  EXPECT_EQ(picture->bar[4], indicator::kOff);
  EXPECT_EQ(picture->digits[1], 102);
  EXPECT_TRUE(picture->green);
  EXPECT_FALSE(picture->red);
}

TEST(Lights, WhatIsNoPictureIsRefused) {
  EXPECT_FALSE(picture_of(json::object()));
  json bad = example();
  bad["bar"][2] = "green";
  EXPECT_FALSE(picture_of(bad));
  bad = example();
  bad["digits"][0] = 300;
  EXPECT_FALSE(picture_of(bad));
  bad = example();
  bad["digits"].erase(0);
  EXPECT_FALSE(picture_of(bad));
}

}  // namespace
}  // namespace amphora
