// SPDX-License-Identifier: Apache-2.0
#include "apps/amphora/program.hpp"

int main(int argc, char** argv) {
  return amphora::run_program(argc, argv);
}
