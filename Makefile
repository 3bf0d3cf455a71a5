# `make run` serves a small demo graph; `make test` is what CI runs; `make help` tells the rest.
# `--locked` everywhere: what is tested is what is built.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

.PHONY: help run test playground fmt lint schema bench
.PHONY: check-fmt check-doc check-playground node audit all-tests
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One after the other: cargo and Vite use all cores by themselves, and write to the same folders.
.NOTPARALLEL:

# Succeeds when the pages can be built: Vite needs Node 20.19.
HAS_NODE = command -v npm >/dev/null && node -e 'const [major, minor] = \
	process.versions.node.split(".").map(Number); \
	process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
# Runs a command, and prints what it says only when it fails.
quietly = said=$$($(1) 2>&1) || { echo "$$said" >&2; exit 1; }

PLAYGROUND_SOURCES := $(shell find playground -type f \
	-not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/generated/*' -not -name '*.md')

help: ## Print this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 \2/p' $(MAKEFILE_LIST) | \
		awk '{ printf "%-16s", $$1 " " $$2; $$1 = $$2 = ""; print }'

run: ## Serve a small demo graph and its pages on SQLite, built for release
	@if $(HAS_NODE); then $(MAKE) playground; elif [ ! -e playground/dist/index.html ]; then \
		echo "without the pages for the browser: they need Node 20.19 or newer, with npm" >&2; fi
	@cargo run --locked --release -- serve --demo

test: ## Everything that CI runs: formatting, lints, docs, pages, all tests on both engines
	@$(MAKE) check-fmt check-playground playground lint check-doc audit all-tests
	@echo "== all is well"

playground: playground/dist/index.html ## Build the pages for the browser, for the next binary

playground/dist/index.html: playground/node_modules/.package-lock.json schema.graphql \
		$(PLAYGROUND_SOURCES)
	@echo "== the pages for the browser"
	@$(call quietly,npm run build --prefix playground)

playground/node_modules/.package-lock.json: playground/package-lock.json | node
	@echo "== packages of the playground"
	@$(call quietly,npm ci --prefix playground --no-audit --no-fund)

fmt: ## Format the sources
	@cargo fmt

lint: ## Look for mistakes
	@echo "== clippy"
	@cargo clippy --locked --all-targets -- -D warnings

schema: ## Rewrite schema.graphql
	@cargo run --locked --quiet -- schema > schema.graphql.new
	@mv schema.graphql.new schema.graphql

bench: ## Measure requests per second and statements per request, on both engines
	@tests/postgres.sh cargo bench --locked --bench load

check-fmt:
	@echo "== formatting"
	@cargo fmt --check

check-doc:
	@echo "== documentation"
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

check-playground: playground/node_modules/.package-lock.json
	@echo "== sources of the playground"
	@$(call quietly,npm run check --prefix playground)

node:
	@$(HAS_NODE) || { echo "Node 20.19 or newer is missing: install it, with npm" >&2; exit 1; }

audit: node
	@echo "== specification audits"
	@$(call quietly,npm ci --prefix tests/audit --no-audit --no-fund)

all-tests:
	@echo "== tests on SQLite and PostgreSQL"
	@tests/postgres.sh cargo test --locked
