// SPDX-License-Identifier: Apache-2.0
// The rows of the sections that only a pack has. They are part of fields(), which is what to ask.
#pragma once

#include <span>

#include "apps/amphora/config/fields.hpp"

namespace amphora::config {

std::span<const Field> pack_fields();

}  // namespace amphora::config
