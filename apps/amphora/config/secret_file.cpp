// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/config/secret_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace amphora::config {

std::optional<std::string> secret_file_fault(const std::string& path) {
  constexpr off_t kSizeMax = 64 * 1024;
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return fmt::format("{}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fmt::format("{} is not a plain file", path);
  }
  if ((status.st_mode & 077U) != 0) {
    return fmt::format("{} has mode {:04o}: others than its owner have access", path,
                       status.st_mode & 07777U);
  }
  if (status.st_size > kSizeMax) {
    return fmt::format("{} is too large for a secret ({} bytes)", path, status.st_size);
  }
  return std::nullopt;
}

std::optional<std::string> read_secret(const std::string& path) {
  if (secret_file_fault(path)) {
    return std::nullopt;
  }
  std::ifstream file{path};
  std::string line;
  if (!file || !std::getline(file, line)) {
    return std::nullopt;
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) {
    line.pop_back();
  }
  return line;
}

}  // namespace amphora::config
