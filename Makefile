# On Linux the window is built with GLES: the default GL binding takes four times as long to compile. Without Fyne's
# own emoji font, which it loads once for each style, the window takes 30 MB less; emoji come from the system's fonts.

GO       ?= go
SYSTEM   := $(shell uname -s)
comma    := ,
TAGS     := no_emoji$(if $(filter Linux,$(SYSTEM)),$(comma)gles)
SCREEN   := $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter-out Linux,$(SYSTEM)))
FUZZTIME ?= 30s
SECONDS  ?= 1800
CAMERAS  ?= 4
INGEST   ?=
SEED     ?=
ARGS     ?=

.PHONY: help run build headless check test test-windows test-debian torture bench fuzz dist clean

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

ifneq ($(strip $(SCREEN)),)
run: build ## install what is missing, build, and start; ARGS= are its arguments
	./preroll $(ARGS)
else
run: headless
	./preroll --demo $(ARGS)
endif

build: ## build the program with tray and window
	.ci/setup desktop
	$(GO) build -tags '$(TAGS)' -o preroll .

headless: ## build the recorder alone, without C
	.ci/setup headless
	CGO_ENABLED=0 $(GO) build -tags headless -o preroll .

check: ## the fast checks and tests, within 90 s; they need FFmpeg
	.ci/setup headless
	.ci/check

test: ## install what is missing, check and test all
	.ci/setup test
	TAGS='$(TAGS)' .ci/test

test-windows: ## test the engine and the program without a window under wine
	.ci/setup windows
	.ci/test-windows

test-debian: ## install and use the package in a clean Debian that runs systemd; needs root
	.ci/setup debian
	.ci/test-debian

torture: ## break things at random for SECONDS; SEED= repeats a plan, INGEST=ffmpeg or both has FFmpeg read cameras
	.ci/setup headless
	PREROLL_TORTURE_SECONDS=$(SECONDS) PREROLL_TORTURE_SEED=$(SEED) PREROLL_TORTURE_CAMERAS=$(CAMERAS) PREROLL_TORTURE_INGEST=$(INGEST) \
		$(GO) -C internal/testing/faulttest test -tags headless -count=1 -timeout 0 -run TestTorture .

bench: ## measure, for minutes; ARGS="-only NAME" measures one thing
	.ci/setup test
	mkdir -p .build
	CGO_ENABLED=0 $(GO) build -tags headless -o .build/preroll .
	$(GO) build -tags '$(TAGS)' -o .build/preroll-desktop .
	CGO_ENABLED=0 $(GO) build -o .build/camsim ./internal/testing/camtest/camsim
	$(GO) run ./internal/testing/bench $(ARGS)
	$(GO) test -tags headless -run '^$$' -bench 'Clip|Start|Recreate' -benchtime 3x -timeout 20m ./recorder/clip ./recorder ./recorder/archive/index
	PREROLL_HEADLESS="$(CURDIR)/.build/preroll" $(GO) test -tags smoke -run '^$$' -bench . -benchtime 5x -timeout 10m ./internal/testing/webtest

fuzz: ## fuzz each target for FUZZTIME
	.ci/setup headless
	.ci/fuzz $(FUZZTIME)

dist: ## make the packages of a release in dist/; MINISIGN_KEY= signs them; ARGS="-only deb" makes one kind
	.ci/setup dist
	$(GO) run ./internal/build/dist $(ARGS)

clean: ## remove what was built
	rm -rf .build dist preroll preroll.exe
