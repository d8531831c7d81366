# Holdfast. `make` alone lists what can be done; every target's help stands behind its name.

SHELL  := /bin/bash
GO     ?= go
BIN    := bin

# Packages that are also tested with the race detector: everything that has no processes and no seeds to run.
RACE   := ./raft/... ./wal/... ./internal/disk/... ./internal/pki/... ./internal/tlsconf/... ./internal/oneport/... ./internal/srv/... ./mvcc/... ./snapshot/... ./server/... ./transport/... ./linearizability/...
# What runs without it: simulator seeds, commands, tools.
PLAIN  := ./sim/... ./internal/clock/... ./internal/proc/... ./cmd/... ./bench/...
# Tests that build the server, or look at sources, themselves: the go command does not see what they depend on, so it
# must not answer from its cache.
FRESH  := ./internal/lint/... ./internal/e2e/... ./internal/torture/... ./internal/differential/... ./internal/examples/... ./internal/clients/... ./internal/docs/...

# Parameters, given as `make torture FOR=1m`.
FOR        ?= 10m
TORTURE_ARGS ?=
LOCAL_ARGS ?=
SEEDS      ?= 1..5000
FUZZTIME   ?= 10s
REQUESTS   ?= 100000
SEED       ?= 1
CLIENTS    ?= required
BENCH_ARGS ?=
CONFORMANCE ?=

.DEFAULT_GOAL := help
.PHONY: help run local build install test race torture secure differential conformance examples sim mutants clients peers bench-etcd bench-memory lint proto fuzz-short check clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

build: ## build bin/holdfast
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/holdfast ./cmd/holdfast

run: build ## start one node on 127.0.0.1:2379, data in default.etcd
	$(BIN)/holdfast

local: build ## start three nodes on this machine and print how to reach them
	$(BIN)/holdfast local --nodes 3 $(LOCAL_ARGS)

install: ## go install the command
	$(GO) install ./cmd/holdfast

test: ## all tests: units with the race detector, simulator seeds, real processes, a sample of mutants (some 6 minutes on 2 cores)
	$(GO) test -race $(RACE)
	$(GO) test $(PLAIN)
	$(GO) test -count=1 $(FRESH)
	$(GO) run ./sim/mutants -sample 60s

race: ## every test with the race detector, the simulator's too (slow)
	$(GO) test -race -timeout 60m ./...

torture: build ## kills, cuts, bad disks and power loss on real processes for FOR=10m: TORTURE_ARGS='--nodes 5', report in bin/torture
	$(BIN)/holdfast torture --for $(FOR) --report $(BIN)/torture $(TORTURE_ARGS)

secure: build ## TLS on both sides everywhere and users: every process, member, certificate and authority replaced in turn under load for FOR=10m
	$(BIN)/holdfast torture --secure --each --faults roll,rebuild,renew --round 30s --for $(FOR) --report $(BIN)/secure $(TORTURE_ARGS)

differential: ## the same REQUESTS=100000 random requests to Holdfast and to etcd 3.7.1, every reply compared, and what was covered
	$(GO) test -count=1 -timeout 0 -v ./internal/differential -seeds $(REQUESTS) -steps 1500 -requests $(REQUESTS) -seed $(SEED)

conformance: ## etcd's published client suite against Holdfast: passed, failed, known differences (CONFORMANCE='-run TestKV -v')
	$(GO) run -C server/conformance . $(CONFORMANCE)

examples: ## every example program, in all languages, against clusters whose leader dies, and the pages' commands (needs Maven, Node, Python, jq)
	$(GO) test -p 1 -count=1 -timeout 30m -v ./internal/examples ./internal/docs -languages go,curl,python,node,java

sim: build ## run the simulator over SEEDS=1..5000
	$(BIN)/holdfast sim --seeds $(SEEDS)

mutants: ## plant known bugs, one at a time, and see that the simulator finds each: a table, an error for survivors (hours; goes on where it was ended)
	$(GO) run ./sim/mutants; code=$$?; $(GO) run ./sim/mutants -readme && exit $$code

clients: ## the libraries that people use (Go, Python, Node, Java), from their registries, against a server
	HOLDFAST_CLIENTS=$(CLIENTS) $(GO) test -count=1 -v ./internal/clients/...

peers: ## build etcd, etcdctl and etcd's benchmark tool at 3.7.1 into bin/, from the Go module proxy
	@mkdir -p $(BIN)
	$(GO) build -C bench/peers -o ../../$(BIN)/etcd go.etcd.io/etcd/server/v3
	$(GO) build -C bench/peers -o ../../$(BIN)/etcdctl go.etcd.io/etcd/etcdctl/v3
	$(GO) build -C bench/peers -o ../../$(BIN)/benchmark go.etcd.io/etcd/v3/tools/benchmark

bench-etcd: ## three nodes of Holdfast against three of etcd, interleaved rounds, medians (15 minutes)
	$(GO) run ./bench/compare $(BENCH_ARGS)

bench-memory: ## a million keys on one node of each: resident memory, peak, restart to the first linearizable read
	$(GO) run ./bench/memory $(BENCH_ARGS)

lint: ## gofmt, vet, staticcheck, import rules
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt needed:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool -modfile=internal/tools/go.mod staticcheck ./...
	$(GO) test -count=1 ./internal/lint/...

proto: ## generate the Go code of the lock and election services from their .proto files
	cd internal/tools && $(GO) run ./protogen ../../server/api/v3lockpb ../../server/api/v3electionpb

.PHONY: auth-fuzz
auth-fuzz: ## a million random requests under random permissions: nothing may leak, rules are checked key by key (minutes)
	$(GO) test -count=1 -timeout 0 -v ./server/api -run TestNoLeak -auth-pairs 1000000 -auth-seed $$(date +%s)

# Shrinking what a fuzzer finds new would take most of so short a time.
fuzz-short: ## every fuzz target for FUZZTIME=10s, each beginning with the corpus in its testdata/fuzz
	@set -e -o pipefail; for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	  targets=$$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); for target in $$targets; do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$pkg; \
	  done; done

check: lint test ## what has to pass before a commit

clean: ## remove bin/
	rm -rf $(BIN)
