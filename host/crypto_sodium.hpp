// SPDX-License-Identifier: Apache-2.0
// Readies libsodium, which defines the functions of core/crypto/crypto.hpp on hosted programs.
#pragma once

#include "core/base/bytes.hpp"

namespace amphora {

// Safe to call more than once and from any thread. Ends the program when the system has no source of
// randomness: a key drawn without one would be worth nothing.
void initialise_crypto();

// Random bytes from the operating system, for keys and for the entropy that nodes are constructed with.
void fill_with_entropy(MutableByteSpan out);

}  // namespace amphora
