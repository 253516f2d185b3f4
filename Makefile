# `make` lists the targets. The tools are pinned in internal/tools/go.mod and built into .cache/bin. Only `make generate`
# needs clang, and its output is committed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

BIN := $(CURDIR)/.cache/bin
PROMETHEUS := $(CURDIR)/.cache/prometheus/usr/bin/prometheus
VICTORIALOGS := $(CURDIR)/.cache/bin/victoria-logs
COLLECTOR := dist/otelcol-ebpf
# The Go version of go.mod.
GO_NEEDED := $(shell awk '$$1 == "go" {print $$2}' go.mod)

export PATH := $(BIN):$(PATH)
# A user's workspace would change the versions. The build must also work in a checkout of another user.
export GOWORK := off
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

# The race detector needs cgo, which Go turns off if there is no C compiler.
RACE = $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
# The output format of the tests below test/; `gotestsum --help` lists the formats.
export GOTESTSUM_FORMAT ?= standard-quiet
# Additional arguments of every `go test`, for example TESTFLAGS='-v -run Refused'.
TESTFLAGS ?=
# The tests below test/ observe the whole host, so their packages run one after the other, and without the test cache. On some
# virtual machines no BPF program runs in the context of the hypervisor's agent, which hides about one event in ten thousand:
# if only a few tests fail, they are repeated once, and listed at the end.
GOTESTSUM = gotestsum --rerun-fails=1 --rerun-fails-max-failures=4 --rerun-fails-run-root-test --rerun-fails-abort-on-data-race
TEST_HOST = $(GOTESTSUM) --packages="$(1)" -- $(RACE) -p 1 -count=1 -timeout 60m $(TESTFLAGS)

# Installs Debian's package $(1) unless the command $(2) is there. Where that is not possible, $(3) is run.
define INSTALL
if command -v $(2) >/dev/null; then exit 0; fi; \
	if (( EUID == 0 )) && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(1); \
	else \
		$(3); \
	fi
endef
TESTS_SKIPPED = echo "install $(1), or the tests that need it are skipped" >&2

# Builds the collector of the manifest $(1) in the folder $(2) as $(3). ocb writes the sources only: to write go.mod as well, it would
# download all that the tests of all modules need. A test checks that the versions are those of the manifest.
define BUILD
echo "Building $(2)/$(3). The first time, this takes some minutes."; \
	builder --config $(1) --skip-get-modules --skip-compilation 2>&1 | { grep -v INFO || true; }; \
	awk "$$GO_MOD" $(1) >$(2)/go.mod; \
	CGO_ENABLED=0 go -C $(2) build $(BUILD_FLAGS) -v -o $(3) . 2>&1 | awk "$$PROGRESS"; \
	ls -l $(2)/$(3)
endef
BUILD_FLAGS = -mod=mod -trimpath -ldflags='-s -w'

# From a manifest to a go.mod. Its versions are the lowest that are taken. otelcol and service are in every collector, in the version
# of the receiver otlp.
define GO_MOD
$$1 == "module:" {print "module " $$2 "\n\ngo $(GO_NEEDED)"}
$$2 == "gomod:" {print "require " $$3 " " $$4; module = $$3}
$$1 == "path:" {sub(/^[.]\/?/, "", $$2); print "replace " module " => ../" $$2}
$$2 == "gomod:" && $$3 ~ /otlpreceiver$$/ {
	print "require go.opentelemetry.io/collector/otelcol " $$4
	print "require go.opentelemetry.io/collector/service " $$4
}
$$3 == "=>" {print "replace " $$2 " => " $$4}
endef
export GO_MOD

# `go build -v` prints a line for each package that it has compiled.
define PROGRESS
/^[^ ]+$$/ {if (++compiled % 100 == 0) print compiled " packages compiled"; fflush(); next}
{print; fflush()}
endef
export PROGRESS

##@ Use
.PHONY: help build build-full run go
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print "\n" substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: $(BIN)/builder ## Build the collector with ocb: dist/otelcol-ebpf (some minutes the first time)
	@$(call BUILD,builder-config.yaml,dist,otelcol-ebpf)

build-full: $(BIN)/builder ## Build the full collector, for gateways, Kubernetes and Kafka: dist-full/otelcol-ebpf-full
	@$(call BUILD,distributions/full.yaml,dist-full,otelcol-ebpf-full)

run: build ## Build the collector and start it with config.yaml (as root)
	GOGC=$${GOGC:-200} GOMEMLIMIT=$${GOMEMLIMIT:-90MiB} exec $(COLLECTOR) --config config.yaml

# A Go that is too old, such as 1.19 of Debian 12, reports that go.mod is malformed or that a package is missing, without a
# remedy. A Go since 1.21 downloads the version of go.mod, if it may, and reports that version here.
go:
	@if ! command -v go >/dev/null; then \
		echo "Go $(GO_NEEDED) or newer is needed, and there is no go in PATH. Install it from https://go.dev/dl/ and add its bin folder" \
			"to PATH: export PATH=/usr/local/go/bin:\$$PATH" >&2; exit 1; \
	fi; \
	version=$$(go env GOVERSION 2>/dev/null) || version=$$(cd / && GOTOOLCHAIN=local go env GOVERSION); \
	version=$${version#go}; \
	if [[ $$version == [0-9]* && $$(printf '%s\n' $(GO_NEEDED) "$$version" | sort -V | head -n 1) != $(GO_NEEDED) ]]; then \
		echo "Go $(GO_NEEDED) or newer is needed, and $$(command -v go) is Go $$version. Install a newer one from https://go.dev/dl/" \
			"and put its bin folder first in PATH: export PATH=/usr/local/go/bin:\$$PATH" >&2; exit 1; \
	fi

##@ Release
.PHONY: release release-image release-oci release-files buildah
RELEASE_VERSION = $(shell awk '$$1 == "version:" {print $$2; exit}' builder-config.yaml)
# The committed files in an archive besides the executable.
RELEASE_FILES = $(shell git ls-files LICENSE bpf/LICENSE README.md CHANGELOG.md SECURITY.md config.yaml docs examples deploy)
# All files of a release have the time of the commit, so that it is reproducible.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)

release: build build-full $(BIN)/release ## Build both collectors for linux/amd64 and linux/arm64: packages, archives, SBOMs and checksums in dist-release
	rm -rf dist-release
	for folder in dist dist-full; do \
		for architecture in amd64 arm64; do \
			CGO_ENABLED=0 GOOS=linux GOARCH=$$architecture go -C $$folder build $(BUILD_FLAGS) \
				-o $(CURDIR)/dist-release/build/$$architecture/otelcol-ebpf$${folder#dist} .; \
		done; \
	done
	release -version $(RELEASE_VERSION) -time $(SOURCE_DATE_EPOCH) -files '$(RELEASE_FILES)' dist-release/build/*/*
	rm -r dist-release/build
	cat dist-release/*_checksums.txt

release-image: release release-oci ## Make the image of the full collector for both architectures, as an OCI layout in dist-release

# The last stage of the Containerfile, with the executables of the archives and this machine's certificates in place of what the
# first stage builds. Nothing is taken from a registry, and buildah's storage is a folder that is removed. The same archives and
# certificates give the same digest.
RELEASE ?= dist-release
IMAGE ?= otelcol-ebpf-full
ARCHITECTURES ?= amd64 arm64
release-oci: buildah
	@work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	image=$(IMAGE)_$(RELEASE_VERSION)_linux_oci; \
	build() { buildah --root "$$work/root" --runroot "$$work/run" --storage-driver vfs "$$@"; }; \
	for architecture in $(ARCHITECTURES); do \
		mkdir -p "$$work/$$architecture/src" "$$work/$$architecture/etc/ssl/certs"; \
		tar --extract --gzip --file $(RELEASE)/$(IMAGE)_$(RELEASE_VERSION)_linux_$$architecture.tar.gz \
			--to-stdout --wildcards '*/$(IMAGE)' >"$$work/$$architecture/src/otelcol-ebpf"; \
		chmod 755 "$$work/$$architecture/src/otelcol-ebpf"; \
		cp /etc/ssl/certs/ca-certificates.crt "$$work/$$architecture/etc/ssl/certs/"; \
		sed -n '/^FROM scratch/,$$p' deploy/Containerfile | sed 's/--from=build //' >"$$work/$$architecture/Containerfile"; \
		build build --quiet --platform linux/$$architecture --timestamp $(SOURCE_DATE_EPOCH) --manifest $$image \
			--file "$$work/$$architecture/Containerfile" "$$work/$$architecture" >/dev/null; \
	done; \
	rm -rf $(RELEASE)/$$image; \
	build manifest push --quiet --all $$image oci:$(RELEASE)/$$image:$(RELEASE_VERSION) >/dev/null; \
	echo $(RELEASE)/$$image

buildah:
	@$(call INSTALL,buildah,buildah,echo "make release-image needs buildah" >&2; exit 1)

release-files: ## List the files in the archives of `make release` besides the executable and the licences of others
	@printf '%s\n' $(RELEASE_FILES)

##@ Test
.PHONY: test test-host test-unit test-exporter test-kernel test-vm test-service emulators test-e2e test-page chromium test-usecases test-privileges test-runtimes test-deploy test-packages test-guide systemd rpm runtimes prometheus victorialogs jq sqlite3 bench
test: test-unit test-host ## Run every test (as root; otherwise tests that need the kernel are skipped)

test-host: test-kernel test-e2e test-page test-usecases test-privileges test-runtimes test-deploy test-packages ## Run the tests that observe the whole host (as root)

# The exporter is a module of its own, so that those who take the receiver alone do not get SQLite. Its tests run without the race
# detector: SQLite takes minutes to compile with it. `make test-exporter RACE=-race` does it all the same.
test-unit: go test-exporter ## Run the tests of the packages
	go test $(RACE) $(TESTFLAGS) $$(go list ./... | grep -v /test/) ./test/tools/vmtest/...
	go -C internal/tools/dashboards test $(TESTFLAGS) ./...
	go -C distributions/reduced/prometheus test $(TESTFLAGS) ./...

test-exporter: RACE =
test-exporter: go victorialogs sqlite3 $(BIN)/gotestsum ## Run the tests of the exporter event_store, with files and with VictoriaLogs
	cd exporter/eventstoreexporter && $(GOTESTSUM) --packages=./... -- $(RACE) $(TESTFLAGS)

test-kernel: $(BIN)/gotestsum ## Run the kernel tests: programs on this kernel, with traffic in network namespaces (as root)
	$(call TEST_HOST,./test/suites/kernel/...)

test-vm: go emulators ## Run the kernel tests on Debian's kernels from 5.10 to the newest, in QEMU; KERNELS='6.1 arm64' chooses
	go run ./test/tools/vmtest $(if $(KERNELS),-kernels '$(KERNELS)') $(if $(RUN),-run '$(RUN)')

# Two versions of the package, with the same collector.
test-service: build emulators $(BIN)/release ## Install, start, reload, upgrade and remove the Debian package on a Debian with systemd, in QEMU
	for version in $(RELEASE_VERSION) 999.0.0; do \
		release -version $$version -time $(SOURCE_DATE_EPOCH) -level 1 -output .cache/service/$$version -files '$(RELEASE_FILES)' $(COLLECTOR); \
	done
	go run ./test/tools/vmtest/service -first .cache/service/$(RELEASE_VERSION)/otelcol-ebpf_$(RELEASE_VERSION)_*.deb \
		-later .cache/service/999.0.0/otelcol-ebpf_999.0.0_*.deb

emulators:
	@missing=(); \
	command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86); \
	command -v qemu-system-aarch64 >/dev/null || missing+=(qemu-system-arm); \
	command -v xz >/dev/null || missing+=(xz-utils); \
	if (( EUID == 0 )) && command -v apt-get >/dev/null; then \
		apt-get update -q; \
		if (( $${#missing[@]} > 0 )); then DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$${missing[@]}"; fi; \
	elif (( $${#missing[@]} > 0 )); then \
		echo "make test-vm needs these Debian packages, or what they hold: $${missing[*]}" >&2; exit 1; \
	fi

test-e2e: build build-full prometheus $(BIN)/gotestsum ## Run the tests of the built collector (as root)
	$(call TEST_HOST,./test/suites/e2e ./test/suites/distribution ./test/support/... ./test/tools/bench)

test-page: build chromium $(BIN)/gotestsum ## Open the page of the event store in Chromium, with real traffic (as root)
	$(call TEST_HOST,./test/suites/page)

test-usecases: build prometheus victorialogs jq $(BIN)/gotestsum ## Run the queries of docs/use-cases.md, the dashboards and the alerts on real data, with jq, Prometheus and VictoriaLogs (as root)
	$(call TEST_HOST,./test/suites/usecases ./test/suites/dashboards)

test-privileges: build build-full systemd $(BIN)/gotestsum ## Run the built collector with few capabilities, in namespaces, and without parts of /proc and /sys (as root)
	$(call TEST_HOST,./test/suites/privileges)

test-runtimes: build runtimes $(BIN)/gotestsum ## Run containers with podman, Docker and containerd, and the image of deploy/Containerfile (as root)
	$(call TEST_HOST,./test/suites/runtimes/...)

test-deploy: build-full systemd $(BIN)/gotestsum ## Check the files in deploy/, with systemd's own tools and the schemas of Kubernetes
	$(call TEST_HOST,./test/suites/deploy)
	go -C test/suites/deploy/kubernetes test -count=1 $(TESTFLAGS) ./...

test-packages: build systemd rpm $(BIN)/release $(BIN)/gotestsum ## Build the packages of this machine's architecture, and install, upgrade and remove them in a copy of its root (as root)
	$(call TEST_HOST,./test/suites/packages)

test-guide: RACE =
test-guide: generate-deps $(BIN)/gotestsum ## Follow docs/add-a-program.md in a copy of the repository (as root, with clang)
	$(call TEST_HOST,./test/suites/guide)

# The tests start the daemons that they need, with folders of their own. crun is left out: it refuses hosts with both versions of
# cgroups.
runtimes:
	@missing=(); \
	for package in podman:podman runc:runc docker.io:dockerd containerd:containerd buildah:buildah; do \
		PATH="$$PATH:/usr/sbin" command -v $${package#*:} >/dev/null || missing+=($${package%:*}); \
	done; \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	if (( EUID == 0 )) && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$${missing[@]}" crun-; \
	else \
		echo "install these Debian packages, or the tests that need them are skipped: $${missing[*]}" >&2; \
	fi

# Only systemd-analyze is used. Nothing is started.
systemd:
	@$(call INSTALL,systemd,systemd-analyze,$(call TESTS_SKIPPED,systemd-analyze (Debian's package systemd)))

# Only to read and install packages below a folder of the test.
rpm:
	@$(call INSTALL,rpm,rpm,$(call TESTS_SKIPPED,rpm))

prometheus: $(PROMETHEUS) ## Download the Prometheus server for the end-to-end tests; nothing is installed

victorialogs: $(VICTORIALOGS) ## Build the VictoriaLogs server for the tests; nothing is installed

# It has its own go.mod, so that no other module gets its dependencies.
$(VICTORIALOGS): internal/tools/victorialogs/go.mod internal/tools/victorialogs/go.sum
	CGO_ENABLED=0 GOOS= GOARCH= go -C internal/tools/victorialogs build -o $@ github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs
	@touch $@

# It is a module of its own for the same reason.
RELEASE_TOOL := $(wildcard internal/tools/release/*) $(wildcard internal/tools/release/scripts/*)
$(BIN)/release: $(RELEASE_TOOL) | go
	CGO_ENABLED=0 GOOS= GOARCH= go -C internal/tools/release build -o $@ .
	@touch $@

# The tests start it without a profile, and it can reach this host alone.
chromium:
	@$(call INSTALL,chromium,chromium,$(call TESTS_SKIPPED,chromium))

jq:
	@$(call INSTALL,jq,jq,$(call TESTS_SKIPPED,jq))

sqlite3:
	@$(call INSTALL,sqlite3,sqlite3,$(call TESTS_SKIPPED,sqlite3))

bench: build ## Measure the built collector (as root, on an idle machine)
	go run ./test/tools/bench
	EVENT_STORE_FIGURES=5000000 go -C exporter/eventstoreexporter test -count=1 -timeout 30m -run TestFigures -v ./internal/store

##@ Change
.PHONY: generate generate-deps lint lint-bpf format tidy clean
# The multiarch folder has headers that clang does not find for the bpf target.
BPF_CFLAGS := -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter -I/usr/include/x86_64-linux-gnu

generate: export BPF2GO_CC := clang-19
generate: export BPF2GO_STRIP := llvm-strip-19
generate: export BPF2GO_CFLAGS := $(BPF_CFLAGS)
generate: generate-deps $(BIN)/bpf2go $(BIN)/mdatagen ## Compile the BPF programs with clang, and generate code, tables, schema and dashboards
	go generate ./...
	go -C exporter/eventstoreexporter generate ./...
	go -C internal/tools/dashboards generate ./...

generate-deps:
	@missing=(); \
	command -v clang-19 >/dev/null || missing+=(clang-19); \
	command -v llvm-strip-19 >/dev/null || missing+=(llvm-19); \
	command -v clang-format-19 >/dev/null || missing+=(clang-format-19); \
	test -e /usr/include/bpf/bpf_helpers.h || missing+=(libbpf-dev); \
	test -e /usr/include/linux/bpf.h || missing+=(linux-libc-dev); \
	if (( $${#missing[@]} == 0 )); then exit 0; fi; \
	if (( EUID == 0 )) && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$${missing[@]}"; \
	else \
		echo "make generate needs these Debian packages, or what they hold: $${missing[*]}" >&2; exit 1; \
	fi

# The cache stores paths relative to the checkout that filled it, so that exclusions would not match in another checkout.
lint format: export GOLANGCI_LINT_CACHE := $(CURDIR)/.cache/golangci-lint
lint: lint-bpf $(BIN)/golangci-lint ## Run golangci-lint and lint-bpf, and go vet for the other supported systems
	golangci-lint run ./...
	cd test/suites/deploy/kubernetes && golangci-lint run ./...
	cd exporter/eventstoreexporter && golangci-lint run ./...
	cd internal/tools/dashboards && golangci-lint run ./...
	cd internal/tools/release && golangci-lint run ./...
	cd distributions/reduced/prometheus && golangci-lint run ./...
	cd distributions/reduced/eks && golangci-lint run ./...
	for target in linux/arm64 darwin/arm64 windows/amd64; do \
		GOOS=$${target%/*} GOARCH=$${target#*/} CGO_ENABLED=0 go vet ./...; \
	done

C_FILES = $(shell git ls-files --cached --others --exclude-standard 'bpf/*.h' 'bpf/*.bpf.c')
lint-bpf: generate-deps ## Check the format of the C files, and that each header compiles alone
	for header in $(filter %.h,$(C_FILES)); do \
		for architecture in x86 arm64; do \
			clang-19 $(BPF_CFLAGS) -Wno-unused-function -Wno-pragma-once-outside-header -fsyntax-only -target bpf -D__TARGET_ARCH_$$architecture -x c $$header; \
		done; \
	done
	clang-format-19 --dry-run -Werror $(C_FILES)

format: generate-deps $(BIN)/golangci-lint ## Format the Go and C sources
	golangci-lint fmt ./...
	clang-format-19 -i $(C_FILES)

tidy: ## Tidy the go.mod files
	go mod tidy
	go -C internal/tools mod tidy
	go -C internal/tools/victorialogs mod tidy
	go -C internal/tools/dashboards mod tidy
	go -C internal/tools/release mod tidy
	go -C distributions/reduced/prometheus mod tidy
	go -C distributions/reduced/eks mod tidy
	go -C test/suites/deploy/kubernetes mod tidy
	go -C test/suites/deploy/kubernetes/operator mod tidy
	go -C exporter/eventstoreexporter mod tidy

clean: ## Remove the output of the other targets; Go's own caches stay
	rm -rf dist dist-full dist-release .cache

# Tools are rebuilt when go.mod or go.sum changes. They are built for this machine, whatever GOOS and GOARCH are, and with the flags of
# the collector, so that packages of both are compiled once.
tool_benchstat := golang.org/x/perf/cmd/benchstat
tool_bpf2go := github.com/cilium/ebpf/cmd/bpf2go
tool_builder := go.opentelemetry.io/collector/cmd/builder
tool_golangci-lint := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
tool_gotestsum := gotest.tools/gotestsum
tool_mdatagen := go.opentelemetry.io/collector/cmd/mdatagen

$(BIN)/%: internal/tools/go.mod internal/tools/go.sum | go
	CGO_ENABLED=0 GOOS= GOARCH= go -C internal/tools build -trimpath -o $@ $(tool_$*)
	@touch $@

# Debian's package, unpacked below .cache: no service is installed or started.
$(PROMETHEUS):
	@rm -rf $(CURDIR)/.cache/prometheus && mkdir -p $(CURDIR)/.cache/prometheus
	@if ! command -v apt-get >/dev/null; then \
		echo "no apt-get: put a Prometheus server at $@, or the test that needs one is skipped" >&2; exit 0; \
	fi; \
	if (( EUID == 0 )); then apt-get update -q; fi; \
	cd $(CURDIR)/.cache/prometheus && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb
	@test ! -e $@ || touch $@
