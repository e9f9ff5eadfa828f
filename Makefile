# make run     install what is missing, build, start
# make test    install what is missing, check and test all
# make bench   measure (minutes); make fuzz: fuzz each target for FUZZTIME
# On Linux the window is built with GLES: the default GL binding takes four times as long to compile.

GO       ?= go
SYSTEM   := $(shell uname -s)
TAGS     := $(if $(filter Linux,$(SYSTEM)),gles)
SCREEN   := $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter-out Linux,$(SYSTEM)))
FUZZTIME ?= 30s
ARGS     ?=

.PHONY: run build headless test bench fuzz clean

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

bench:
	.ci/setup test
	mkdir -p .build
	CGO_ENABLED=0 $(GO) build -tags headless -o .build/preroll .
	$(GO) build -tags '$(TAGS)' -o .build/preroll-desktop .
	CGO_ENABLED=0 $(GO) build -o .build/camsim ./internal/camtest/camsim
	$(GO) run ./internal/bench $(ARGS)

fuzz:
	.ci/setup headless
	.ci/fuzz $(FUZZTIME)

clean:
	rm -rf .build preroll preroll.exe
