# SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
# A front for Meson without build logic of its own. `make help` lists the targets.
MESON_ARGS ?=
PREFIX ?= /usr/local
KILLS ?= 10000

all: build ## build everything below build/
	@ninja -C build

demo: setup all ## run the main job on the recorded capture (FILE=your.pcap for yours)
	@demo/demo $(FILE)

check: setup ## all tests: plain build, clang build, AddressSanitizer and UBSan build
	@tools/check

bench: ## speed, side by side with the kernel (BENCH="--quick" or other options)
	@tools/setup bench
	@$(MAKE) --no-print-directory all
	@build/bench/bench --json build/bench.json $(BENCH)

storm: all ## KILLS=10000 in each family of map types while writers work (FAMILY=hash for one)
	@build/tests/storm $(KILLS) $(FAMILY)

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

.PHONY: all demo check bench storm install clean setup help
