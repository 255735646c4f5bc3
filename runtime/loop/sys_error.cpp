// SPDX-License-Identifier: Apache-2.0
#include "runtime/loop/sys_error.hpp"

#include <cerrno>
#include <system_error>

namespace amphora::runtime {

std::string SysError::text() const {
  std::string text = operation;
  if (code != 0) {
    text += ": " + std::generic_category().message(code);
  }
  if (!advice.empty()) {
    text += " (" + advice + ")";
  }
  return text;
}

SysError last_sys_error(std::string operation, std::string advice) {
  return SysError{errno, std::move(operation), std::move(advice)};
}

}  // namespace amphora::runtime
