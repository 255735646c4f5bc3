// SPDX-License-Identifier: Apache-2.0
// A value, or the reason why there is none.
//
// Result<T, E> is what a function returns that can be refused by its input; E is a small enum that names the
// reasons. Reading value() of a failed result, or error() of a good one, is a defect of the caller and
// asserts.
#pragma once

#include <utility>
#include <variant>

#include "core/base/assert.hpp"

namespace amphora {

template <class T, class E>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  constexpr Result(T value) : content_{std::in_place_index<0>, std::move(value)} {}
  constexpr Result(E error) : content_{std::in_place_index<1>, error} {}

  constexpr bool ok() const { return content_.index() == 0; }
  constexpr explicit operator bool() const { return ok(); }
  constexpr const T& value() const {
    AMPHORA_ASSERT(ok());
    return *std::get_if<0>(&content_);
  }
  constexpr T& value() {
    AMPHORA_ASSERT(ok());
    return *std::get_if<0>(&content_);
  }
  constexpr E error() const {
    AMPHORA_ASSERT(!ok());
    return *std::get_if<1>(&content_);
  }
  constexpr const T& operator*() const { return value(); }
  constexpr const T* operator->() const { return &value(); }
  constexpr T* operator->() { return &value(); }

 private:
  std::variant<T, E> content_;
};

}  // namespace amphora
