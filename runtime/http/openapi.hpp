// SPDX-License-Identifier: Apache-2.0
// The description of the API that the box serves at /api/v1/openapi.json: the text of
// runtime/http/openapi.json.
#pragma once

#include <string_view>

namespace amphora::runtime::http {
std::string_view openapi_text();
}  // namespace amphora::runtime::http
