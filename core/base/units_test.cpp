// SPDX-License-Identifier: Apache-2.0
#include "core/base/units.hpp"

#include <gtest/gtest.h>

namespace amphora {
namespace {

TEST(Units, CastsRoundHalfAwayFromZero) {
  EXPECT_EQ(quantity_cast<Millivolts>(Microvolts{3'980'499}).count(), 3980);
  EXPECT_EQ(quantity_cast<Millivolts>(Microvolts{3'980'500}).count(), 3981);
  EXPECT_EQ(quantity_cast<Deciamps>(Milliamps{-30'050}).count(), -301);
  EXPECT_EQ(quantity_cast<Millivolts>(Decivolts{579}).count(), 57'900);
}

TEST(Units, CastsSaturateInsteadOfWrapping) {
  EXPECT_EQ(quantity_cast<Millivolts>(Microvolts{INT64_MAX / 2}), Millivolts::max());
  EXPECT_EQ(quantity_cast<Millivolts>(Microvolts{INT64_MIN / 2}), Millivolts::min());
}

TEST(Units, PowerHasTheSignOfTheCurrent) {
  EXPECT_EQ(power_of(Millivolts{52'170}, Milliamps{-30'100}).count(), -1570);
  EXPECT_EQ(power_of(Millivolts{52'170}, Milliamps{0}).count(), 0);
}

template <class A, class B>
concept Addable = requires(A a, B b) {
  a + b;
};
static_assert(Addable<Millivolts, Millivolts>);
static_assert(!Addable<Millivolts, Milliamps>);
static_assert(!Addable<Millivolts, Decivolts>);

}  // namespace
}  // namespace amphora
