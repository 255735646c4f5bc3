// SPDX-License-Identifier: Apache-2.0
// TOML files of people: read whole, judged for what the parser cannot bear, then parsed. The only place that
// may include the parser, because it must be set up the same everywhere.
#pragma once

// toml++ 3.3 asserts that a table header has a name, and for "[=" asserts or, without assertions, goes on in
// undefined ways. Its assertions are thrown here, so that such a file gets an error like any other.
namespace amphora::config {
struct TomlAssertion {};
}  // namespace amphora::config
#undef NDEBUG
#define TOML_ASSERT(expression) ((expression) ? (void)0 : throw amphora::config::TomlAssertion{})
#pragma GCC diagnostic push
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wexceptions"
#else
#pragma GCC diagnostic ignored \
    "-Wterminate"  // where the library says noexcept, a broken promise of its own ends us
#endif
#include <toml++/toml.h>
#pragma GCC diagnostic pop

#include <string>
#include <string_view>
#include <variant>

#include "apps/amphora/config/assign.hpp"
#include "apps/amphora/config/checks.hpp"

namespace amphora::config {

// Line and column, both from 1.
struct Place {
  int line = 1;
  int column = 1;
};
Place place_of(const toml::source_region& region);

RawValue to_raw(const toml::node& node);

// The table, or the first fault. Input of more than 1 MiB is refused.
std::variant<toml::table, Problem> parse_toml(std::string_view text);

// The content of a file, at most a little over 1 MiB of it.
std::variant<std::string, Problem> read_toml_file(const std::string& path);

}  // namespace amphora::config
