# `make run` serves a small demo graph; `make test` is what CI runs; `make help` tells the rest.
# `--locked` everywhere: what is tested is what is built.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

.PHONY: help run test fmt lint schema bench check-fmt check-schema check-doc audit all-tests
.DEFAULT_GOAL := help

help: ## Print this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 \2/p' $(MAKEFILE_LIST) | \
		awk '{ printf "%-12s", $$1 " " $$2; $$1 = $$2 = ""; print }'

run: ## Serve a small demo graph on SQLite, built for release
	@cargo run --locked --release -- serve --demo

test: ## Everything that CI runs: formatting, lints, docs, all tests on both engines
	@$(MAKE) check-fmt lint check-doc audit all-tests
	@echo "== all is well"

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

audit:
	@echo "== specification audits"
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "Node 20 or newer is missing: install it, with npm" >&2; exit 1; }
	@npm ci --prefix tests/audit --no-audit --no-fund

all-tests:
	@echo "== tests on SQLite and PostgreSQL"
	@tests/postgres.sh cargo test --locked
