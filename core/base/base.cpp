// SPDX-License-Identifier: Apache-2.0
// The base is header-only; this file proves that each header stands on its own.
#include "core/base/assert.hpp"
#include "core/base/bytes.hpp"
#include "core/base/crc.hpp"
#include "core/base/machine.hpp"
#include "core/base/result.hpp"
#include "core/base/ring.hpp"
#include "core/base/rng.hpp"
#include "core/base/sampled.hpp"
#include "core/base/time.hpp"
#include "core/base/timers.hpp"
#include "core/base/trace.hpp"
#include "core/base/units.hpp"
