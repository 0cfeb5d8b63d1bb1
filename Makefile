# A thin front end: meson.build says how things are built, scripts/ how the longer jobs go.
BUILD ?= build
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 20

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# what is used, without what tests it
programs: $(BUILD)/build.ninja
	ninja -C $(BUILD) ashlar host/initrd/ashlar-initrd

$(BUILD)/build.ninja:
	meson setup --prefix=$(PREFIX) $(BUILD)

deps: ; scripts/deps
check: deps ; scripts/check
demo: ; scripts/demo $(BUILD)
bench: all ; scripts/bench $(BUILD)
fuzz: ; scripts/fuzz $(FUZZ_SECONDS)
install: all ; meson install -C $(BUILD) --no-rebuild
clean: ; rm -rf $(BUILD) build-asan build-clang build-fuzz

.PHONY: all programs deps check demo bench fuzz install clean
