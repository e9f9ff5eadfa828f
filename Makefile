# make run     install what is missing, build, start
# make test    install what is missing, check and test all
# make torture break things at random for SECONDS (1800), by a plan that SEED repeats, and check that nothing is lost;
#              INGEST=ffmpeg or both says that FFmpeg reads the cameras, or half of them
# make bench   measure (minutes); make fuzz: fuzz each target for FUZZTIME
# On Linux the window is built with GLES: the default GL binding takes four times as long to compile.

GO       ?= go
SYSTEM   := $(shell uname -s)
TAGS     := $(if $(filter Linux,$(SYSTEM)),gles)
SCREEN   := $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter-out Linux,$(SYSTEM)))
FUZZTIME ?= 30s
SECONDS  ?= 1800
CAMERAS  ?= 4
INGEST   ?=
SEED     ?=
ARGS     ?=

.PHONY: run build headless test torture bench fuzz clean

ifneq ($(strip $(SCREEN)),)
run: build
	./preroll $(ARGS)
else
run: headless
	./preroll --demo $(ARGS)
endif

build:
	.ci/setup desktop
	$(GO) build -tags '$(TAGS)' -o preroll .

headless:
	.ci/setup headless
	CGO_ENABLED=0 $(GO) build -tags headless -o preroll .

test:
	.ci/setup test
	TAGS='$(TAGS)' .ci/test

torture:
	.ci/setup headless
	PREROLL_TORTURE_SECONDS=$(SECONDS) PREROLL_TORTURE_SEED=$(SEED) PREROLL_TORTURE_CAMERAS=$(CAMERAS) PREROLL_TORTURE_INGEST=$(INGEST) \
		$(GO) -C internal/testing/faulttest test -tags headless -count=1 -timeout 0 -run TestTorture .

bench:
	.ci/setup test
	mkdir -p .build
	CGO_ENABLED=0 $(GO) build -tags headless -o .build/preroll .
	$(GO) build -tags '$(TAGS)' -o .build/preroll-desktop .
	CGO_ENABLED=0 $(GO) build -o .build/camsim ./internal/testing/camtest/camsim
	$(GO) run ./internal/testing/bench $(ARGS)
	$(GO) test -tags headless -run '^$$' -bench 'Clip|Start|Anew' -benchtime 3x -timeout 20m ./recorder/clip ./recorder ./recorder/archive

fuzz:
	.ci/setup headless
	.ci/fuzz $(FUZZTIME)

clean:
	rm -rf .build preroll preroll.exe
