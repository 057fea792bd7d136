# make demo     build, fetch a model, transcribe a recording
# make test     all tests, the model and ONNX Runtime included
# make test-arm the layers' tests on ARM, emulated
# make lint     formatting, clippy, documentation
# make bench    the project's own benchmarks
# make bench-peers    awaaz beside faster-whisper and whisper.cpp; ARGS go to benches/peers/compare.py

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:

TARGET := $(or $(CARGO_TARGET_DIR),target)
AWAAZ := $(TARGET)/release/awaaz
MODEL := base

# The version that models/registry.toml has.
ORT_PACKAGE := onnxruntime==1.32.0
ORT := $(TARGET)/onnxruntime

# Features to build with beside those that are usual.
FEATURES :=

ARM := aarch64-unknown-linux-gnu

.PHONY: help setup setup-sound setup-ort setup-arm build model demo test test-arm lint bench bench-peers

help:
	@sed -n 's/^# \(make \)/\1/p' Makefile

# Installs the packages in the array `missing`; their names are Debian's.
define install
	if [ "$${#missing[@]}" -eq 0 ]; then exit 0; fi
	sudo=(); if [ "$$(id -u)" -ne 0 ]; then sudo=(sudo); fi
	if ! command -v apt-get > /dev/null || ! { [ "$$(id -u)" -eq 0 ] || command -v sudo > /dev/null; }; then
		echo "install these first (names are Debian's): $${missing[*]}" >&2
		exit 1
	fi
	"$${sudo[@]}" apt-get update -q
	"$${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y "$${missing[@]}"
endef

# A linker for Rust, a C compiler for the few crates that need one, pip for models that are Python packages, ALSA's
# headers for microphones on Linux.
setup:
	@command -v cargo > /dev/null || { echo "cargo was not found: install Rust, see https://rustup.rs" >&2; exit 1; }
	missing=()
	command -v cc > /dev/null || missing+=(build-essential)
	command -v python3 > /dev/null || missing+=(python3)
	python3 -m pip --version > /dev/null 2>&1 || missing+=(python3-pip)
	if [ "$$(uname -s)" = Linux ]; then
		command -v pkg-config > /dev/null || missing+=(pkg-config)
		pkg-config --exists alsa 2> /dev/null || missing+=(libasound2-dev)
	fi
	$(install)

setup-sound:
	@missing=()
	if [ "$$(uname -s)" != Linux ]; then exit 0; fi
	command -v pulseaudio > /dev/null || missing+=(pulseaudio)
	command -v paplay > /dev/null || missing+=(pulseaudio-utils)
	compgen -G "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so" > /dev/null || missing+=(libasound2-plugins)
	$(install)

# ONNX Runtime's shared library, from the Python package; nothing is installed.
setup-ort: setup
	@if compgen -G "$(ORT)/onnxruntime/capi/libonnxruntime.*" > /dev/null; then exit 0; fi
	mkdir -p $(ORT)
	python3 -m pip download --quiet --no-deps --only-binary=:all: --dest $(ORT) $(ORT_PACKAGE)
	python3 -m zipfile --extract $(ORT)/onnxruntime-*.whl $(ORT)
	rm $(ORT)/onnxruntime-*.whl

setup-arm: setup
	@missing=()
	command -v qemu-aarch64 > /dev/null || missing+=(qemu-user)
	command -v aarch64-linux-gnu-gcc > /dev/null || missing+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
	rustup target add $(ARM)
	$(install)

build: setup
	cargo build --release --locked $(FEATURES)

model: build
	$(AWAAZ) models pull $(MODEL)

demo: model
	$(AWAAZ) transcribe --model $(MODEL) audio-fixtures/librivox-0870/audio.flac

# To compile the library takes most of the time: once with all features serves the program and all tests but the library's own,
# which do without optimisation. `build` would compile another: tests have crates that give others more features.
test: FEATURES := --features ort
test: setup-ort
	library=($(abspath $(ORT))/onnxruntime/capi/libonnxruntime.*)
	export ORT_DYLIB_PATH="$${library[0]}"
	tests=(cargo test --release --locked $(FEATURES))
	"$${tests[@]}" --no-run --bins --examples --test '*'
	$(AWAAZ) models pull $(MODEL)
	"$${tests[@]}" --lib --config profile.release.package.awaaz.opt-level=0
	"$${tests[@]}" --bins --examples --test '*'
	"$${tests[@]}" --doc

test-arm: setup-arm
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
	export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
	cargo test --release --locked --target $(ARM) --no-default-features --lib compute

lint: setup
	cargo fmt --check
	cargo clippy --release --locked --all-targets -- -D warnings
	cargo clippy --release --locked --all-targets --features ort -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --features ort

bench: setup
	cargo bench --locked

bench-peers: setup
	benches/peers/run.sh $(ARGS)
