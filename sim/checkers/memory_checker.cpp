// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/memory_checker.hpp"

namespace amphora::sim {

namespace {
// Set once before any run, by the hook's static initialisation; constant from then on.
AllocationCounter g_allocation_counter = nullptr;
}  // namespace

void set_allocation_counter(AllocationCounter counter) {
  g_allocation_counter = counter;
}

AllocationCounter allocation_counter() {
  return g_allocation_counter;
}

}  // namespace amphora::sim
