# What can be made of Nodee. "make help" lists it. The work is in scripts/.

# Go is found where its own instructions put it, also when a shell does not know yet.
export PATH := $(PATH):/usr/local/go/bin

# A program without C needs no compiler but Go's, and runs on every Linux of its machine.
export CGO_ENABLED := 0

# Arguments for "make run", packages for "make test", and how much "make soak" does.
ARGS ?=
PKGS ?= ./...
CUTS ?= 100
SEEDS ?= 2000
FROM ?= 1
DURATION ?= 24h

.PHONY: build run test check tidy vet race leaks soak bench vuln clean help

build: ## build bin/nodee
	@scripts/need go
	go build -trimpath -buildvcs=false -ldflags "-X main.version=$$(scripts/version)" -o bin/nodee ./cmd/nodee

run: build ## build, and run a node with a demo service until Ctrl-C
	@exec bin/nodee dev $(ARGS)

test: ## run all tests and say how many ran; PKGS=./artifact/... for some
	@scripts/need go
	@scripts/zookeeper install
	go tool gotestsum --format pkgname-and-test-fails -- -timeout 15m $(PKGS)

check: tidy vet race leaks ## all that a change must pass

tidy: ## formatting, go fix and go.mod
	@scripts/need go
	scripts/tidy

vet: ## go vet and staticcheck
	@scripts/need go
	go vet ./...
	go tool staticcheck ./...

race: ## all tests, under the race detector
	@scripts/need go gcc
	@scripts/zookeeper install
	CGO_ENABLED=1 go tool gotestsum --format pkgname-and-test-fails -- -race -timeout 20m $(PKGS)

leaks: ## look for goroutines that tests leave behind
	@scripts/need go
	scripts/leaks

soak: ## simulate SEEDS=2000 cells from FROM=1 on, for DURATION=24h at most; then cut ZooKeeper servers from each other under leases, CUTS=100 times
	@scripts/need go
	SEEDS=$(SEEDS) FROM=$(FROM) DURATION=$(DURATION) go test ./test/sim -run '^TestSim$$' -count=1 -timeout 0
	@[ $(CUTS) = 0 ] || scripts/zookeeper install
	@[ $(CUTS) = 0 ] || KEEPER_CUTS=$(CUTS) go test ./internal/keeper -run '^TestNoLeaseOutlivesItsSession$$' -count=1 -v -timeout 24h

bench: build ## measure Nodee beside its peers, into docs/performance.md; ONLY=list for one part, RUNS=3
	@scripts/need go gcc
	scripts/bench

vuln: ## look for known vulnerabilities (asks vuln.go.dev)
	@scripts/need go
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...

clean: ## remove what was built
	rm -rf bin

help: ## list what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 8
