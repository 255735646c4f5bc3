# SPDX-License-Identifier: Apache-2.0
# The short commands. Each does its own set-up, so a fresh Debian 12 with git and make is enough.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:

# Where tools/setup.sh puts a current Node.js if the machine has none.
export PATH := $(CURDIR)/build/node/bin:$(PATH)

JOBS ?= $(shell nproc)
ARGS ?=
FUZZ_SECONDS ?= 60

.PHONY: help setup setup-demo build program web demo test sanitize bench fuzz lint format package clean

help: ## show this list
	@echo "Amphora, the open controller for home batteries. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo "Variables: JOBS=$(JOBS) parallel jobs, ARGS=\"...\" for demo and bench, FUZZ_SECONDS=$(FUZZ_SECONDS) per fuzzer"

setup: ## install everything the build and the tests need (apt and npm)
	@tools/setup.sh

setup-demo:
	@tools/setup.sh --demo

build: setup-demo program web ## build the program (build/bin/amphora) and the web application (web/dist)

build/dev/build.ninja:
	@tools/configure.sh dev

program: setup-demo
	@$(MAKE) build/dev/build.ninja
	@if ! tools/build_quietly.sh build/dev $(JOBS) amphora; then exit 1; fi
	@mkdir -p build/bin && ln -sfn ../dev/bin/amphora build/bin/amphora

web: setup-demo
	@tools/build_web.sh

demo: build ## run the whole house without hardware: make demo ARGS="--seconds 20"
	@exec build/bin/amphora demo $(ARGS)

test: setup web ## build everything and run every test; under fifteen minutes from nothing on two cores
	@tools/run_tests.sh $(JOBS)

sanitize: setup ## every unit, sim and fuzz test under ASan+UBSan, and the unit tests under TSan
	@tools/check_sanitizers.sh --all

bench: setup web program ## compare speed and delay with named references in the same run
	@tools/run_benches.sh $(JOBS) $(ARGS)

fuzz: setup ## run each libFuzzer target for FUZZ_SECONDS
	@tools/run_fuzzers.sh $(FUZZ_SECONDS) $(JOBS)

lint: setup ## formatting, clang-tidy, include arrows, shell scripts, tree rules
	@tools/lint.sh

format: setup ## rewrite the C++ files in the project's format
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

package: setup-demo program web ## build the Debian package into build/package
	@tools/build_package.sh

clean: ## remove everything that was built
	@rm -rf build web/dist
