// SPDX-License-Identifier: Apache-2.0
// What people read of a pack, in one place for page, events and answers.
#pragma once

#include <string_view>

#include "core/energy/controller.hpp"
#include "runtime/inputs/input_spec.hpp"

namespace amphora::run {

std::string_view title_of(energy::Relay relay);
std::string_view title_of(energy::Holder holder);
std::string_view title_of(runtime::Place place);
// What it means that this warning is there.
std::string_view sentence_of(energy::Warning warning);

}  // namespace amphora::run
