// SPDX-License-Identifier: Apache-2.0
// The page docs/CONFIGURATION.md, printed from the table of fields.
#pragma once

#include <string>

namespace amphora::config {

// Markdown. `amphora check --reference` prints it; a test compares it with the file in docs/.
std::string configuration_page();

}  // namespace amphora::config
