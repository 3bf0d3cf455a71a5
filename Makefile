# `make run` serves a demo graph, `make test` is what CI runs, `make help` lists all targets.
# `--locked` everywhere, so that the tested dependencies are the built ones.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

.PHONY: help run test test-faults playground clients fmt lint schema docs bench screenshots
.PHONY: bench-peers bench-growth bench-live
.PHONY: check-fmt check-doc check-playground check-browser deny node audit release all-tests browser
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
# Targets run one by one: cargo and Vite use all cores by themselves and write to the same folders.
.NOTPARALLEL:

# Succeeds if the pages can be built: Vite needs Node 20.19.
HAS_NODE = command -v npm >/dev/null && node -e 'const [major, minor] = \
	process.versions.node.split(".").map(Number); \
	process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
# Runs commands and prints their output only if they fail.
quietly = output=$$({ $(1); } 2>&1) || { echo "$$output" >&2; exit 1; }

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1 \2/p' $(MAKEFILE_LIST) | \
		awk '{ printf "%-17s", $$1 " " $$2; $$1 = $$2 = ""; print }'

run: ## Serve a demo graph and its pages on SQLite
	@if $(HAS_NODE); then $(MAKE) playground; elif [ ! -e playground/dist/graphiql.html ]; then \
		echo "building without the pages for the browser: they need Node 20.19 or newer, with npm" >&2; fi
	@cargo run --locked --profile demo -- serve --demo

test: ## Run everything that CI runs: formatting, lints, docs, licences, pages, clients, all tests
	@$(MAKE) check-fmt check-playground check-browser playground lint check-doc deny audit \
		clients all-tests browser
	@echo "== OK"

fmt: ## Format the sources
	@cargo fmt
	@$(MAKE) playground/node_modules/.package-lock.json tests/browser/node_modules/.package-lock.json
	@$(call quietly,npm run format --prefix playground && npm run format --prefix tests/browser)

lint: ## Run clippy
	@echo "== clippy"
	@cargo clippy --locked --all-targets -- -D warnings
	@cargo clippy --locked --test faults -- -D warnings # not among the default test targets

schema: ## Rewrite schema.graphql
	@cargo run --locked --quiet -- schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql

docs: ## Rewrite the tables of docs/configuration.md
	@UPDATE_DOCS=1 cargo test --locked --quiet --test it -- docs::configuration::the_page

# One run at a time, so that no run disturbs the figures of another.
test-faults: ## Kill, starve, cut off and soak servers for an hour; print the figures
	@echo "== fault runs on SQLite and PostgreSQL"
	@tests/postgres.sh cargo test --locked --test faults -- --nocapture --test-threads=1

bench: ## Measure requests per second and statements per request, on both engines
	@tests/postgres.sh cargo bench --locked --bench load

bench-live: ## Measure idle subscribers, and the lag of events
	@tests/postgres.sh cargo bench --locked --bench live

# OPTIONS=--smoke takes a minute; docs/performance.md lists the others.
bench-peers: release benches/peers/node_modules/.package-lock.json ## Compare with PostGraphile, Mercurius and plain SQL
	@benches/peers/run.sh peers $(OPTIONS)

bench-growth: release node ## Measure how cost grows with lists, connections and writes
	@benches/peers/run.sh growth $(OPTIONS)

check-fmt:
	@echo "== formatting"
	@cargo fmt --check

check-doc:
	@echo "== documentation"
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

check-playground: playground/node_modules/.package-lock.json
	@echo "== sources of the playground"
	@$(call quietly,npm run check --prefix playground)

check-browser: tests/browser/node_modules/.package-lock.json
	@echo "== sources of the browser tests"
	@$(call quietly,npm run check --prefix tests/browser)

# Built once, into a folder of its own. A debug build takes a third of the time of a release build
# and checks all licences in four seconds.
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY_ROOT := target/tools/cargo-deny-$(CARGO_DENY_VERSION)

$(CARGO_DENY_ROOT)/bin/cargo-deny:
	@echo "== cargo-deny"
	@$(call quietly,CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug --quiet \
		--root $(CARGO_DENY_ROOT) --version $(CARGO_DENY_VERSION) cargo-deny)

deny: $(CARGO_DENY_ROOT)/bin/cargo-deny
	@echo "== licences and sources of dependencies"
	@$(call quietly,$< --locked check --hide-inclusion-graph licenses bans sources)

audit: tests/audit/node_modules/.package-lock.json

# Two tests for each core: they wait for the databases, and for time, as much as they compute.
all-tests:
	@echo "== tests on SQLite and PostgreSQL"
	@RUST_TEST_THREADS=$$((2 * $$(getconf _NPROCESSORS_ONLN))) \
		tests/services.sh tests/postgres.sh cargo test --locked

release:
	@echo "== release"
	@cargo build --locked --release

browser: playground tests/browser/node_modules/.package-lock.json ## Test the pages in Chromium
	@echo "== pages in a browser"
	@cargo build --locked
	@tests/browser.sh

screenshots: browser ## Retake the pictures of the README
	@mkdir -p playground/screenshots
	@cp target/screenshots/followers-1440-light.png playground/screenshots/followers.png
	@cp target/screenshots/graphiql-1440-dark.png playground/screenshots/graphiql.png

# A target below is the last file that its recipe writes, so a failed recipe runs again and nothing
# runs twice.

node:
	@$(HAS_NODE) || { echo "Node 20.19 or newer is missing: install it, with npm" >&2; exit 1; }

%/node_modules/.package-lock.json: %/package-lock.json | node
	@echo "== npm packages of $*"
	@$(call quietly,npm ci --prefix $* --no-audit --no-fund)
	@touch $@

# The pages for the browser; the next binary embeds them.
PLAYGROUND_SOURCES := $(shell find playground -type f \
	-not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/generated/*' \
	-not -path '*/screenshots/*' -not -name '*.md')

playground: playground/dist/graphiql.html ## Build the pages for the browser, for the next binary

# The last page that the build writes.
playground/dist/graphiql.html: playground/node_modules/.package-lock.json schema.graphql \
		$(PLAYGROUND_SOURCES)
	@echo "== pages for the browser"
	@$(call quietly,npm run build --prefix playground)

# Clients that code generators write from schema.graphql.
CLIENTS := tests/clients

clients: $(CLIENTS)/dist/typescript/client.js $(CLIENTS)/dist/relay/Profile.js
clients: $(CLIENTS)/python/.venv/checked $(CLIENTS)/dist/genql/index.ts ## Generate, compile and check the clients of tests/clients
	@:

$(CLIENTS)/dist/%.js: $(CLIENTS)/node_modules/.package-lock.json $(CLIENTS)/package.json \
		$(CLIENTS)/tsconfig.json schema.graphql
	@echo "== client of $(CLIENTS)/$(*D)"
	@$(call quietly,npm run --prefix $(CLIENTS) $(*D))

$(CLIENTS)/dist/typescript/client.js: $(wildcard $(CLIENTS)/typescript/*.ts $(CLIENTS)/typescript/*.json)
$(CLIENTS)/dist/relay/Profile.js: $(wildcard $(CLIENTS)/relay/*.ts $(CLIENTS)/relay/*.json)

$(CLIENTS)/dist/genql/index.ts: $(CLIENTS)/node_modules/.package-lock.json \
		$(CLIENTS)/package.json $(CLIENTS)/schema.mjs schema.graphql
	@echo "== other readers of schema.graphql"
	@$(call quietly,npm run --prefix $(CLIENTS) schema)

$(CLIENTS)/python/.venv/installed: $(CLIENTS)/python/requirements.txt $(CLIENTS)/python/venv.sh
	@echo "== Python packages of $(CLIENTS)/python"
	@$(call quietly,$(CLIENTS)/python/venv.sh)
	@touch $@

$(CLIENTS)/python/.venv/checked: $(CLIENTS)/python/.venv/installed schema.graphql \
		$(CLIENTS)/operations.graphql $(CLIENTS)/python/pyproject.toml $(CLIENTS)/python/client.py
	@echo "== client of $(CLIENTS)/python"
	@cd $(CLIENTS)/python && $(call quietly,.venv/bin/ariadne-codegen && .venv/bin/mypy .)
	@touch $@
