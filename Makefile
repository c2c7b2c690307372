# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# A front for Meson without build logic of its own. `make help` lists the targets.
MESON_ARGS ?=
PREFIX ?= /usr/local
KILLS ?= 10000

all: build ## build everything below build/
	@ninja -C build

demo: setup all ## run the main job on the recorded capture (FILE=your.pcap for yours)
	@demo/demo $(FILE)

check: setup ## all tests, built in several ways
	@tools/check

conformance: setup all ## every answer against the kernel's: docs/conformance.md (ARGS="--operations 1000000")
	@tools/conformance $(ARGS)

selftests: setup all ## the kernel's own BPF selftests, on the kernel and on userbpf (needs the network once)
	@tools/setup selftests
	@tools/selftests

storm: setup all ## KILLS=10000 of writers in each family of map types (FAMILY=hash: one, SECONDS= at most)
	@build/tests/storm $(KILLS) $(FAMILY) $(SECONDS)

bench: setup ## speed, side by side with the kernel (ARGS="--quick")
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@build/bench/bench --json build/bench.json $(ARGS)

install: all ## PREFIX= and DESTDIR= as usual
	@meson configure build --prefix=$(abspath $(PREFIX)) >/dev/null
	@meson install -C build

clean: ## remove the build directories
	@rm -rf build build-*

setup: ## install missing packages (root), or say which are missing
	@tools/setup

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

build:
	@meson setup build $(MESON_ARGS)

.PHONY: all demo check conformance selftests storm bench install clean setup help
