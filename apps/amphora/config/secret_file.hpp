// SPDX-License-Identifier: Apache-2.0
// Secrets come from files that only their owner may read, never from the configuration itself.
#pragma once

#include <optional>
#include <string>

namespace amphora::config {

// What is wrong with the file; nothing when it is a plain file of at most 64 KiB without any permission for
// group or others.
std::optional<std::string> secret_file_fault(const std::string& path);

// The first line, without its end. Nothing when secret_file_fault() finds one, or when it cannot be read.
std::optional<std::string> read_secret(const std::string& path);

}  // namespace amphora::config
