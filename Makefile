# `make run` serves a small demo graph; `make test` is what CI runs; `make help` tells the rest.
# `--locked` everywhere: what is tested is what is built.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

.PHONY: help run test fmt lint schema bench check-fmt check-schema check-doc check-node audit clients all-tests
.DEFAULT_GOAL := help

help: ## Print this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1 \2/p' $(MAKEFILE_LIST) | \
		awk '{ printf "%-12s", $$1 " " $$2; $$1 = $$2 = ""; print }'

run: ## Serve a small demo graph on SQLite, built for release
	@cargo run --locked --release -- serve --demo

test: ## Everything that CI runs: formatting, lints, docs, all tests on both engines
	@$(MAKE) check-fmt lint check-doc audit clients all-tests
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

audit: tests/audit/node_modules/.package-lock.json

check-node:
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "Node 20 or newer is missing: install it, with npm" >&2; exit 1; }

all-tests:
	@echo "== tests on SQLite and PostgreSQL"
	@tests/postgres.sh cargo test --locked

# What others' generators make of schema.graphql. A target is what its recipe writes last, so that a
# recipe that failed is run again. Tools are heard when they fail.
clients := tests/clients
quietly = said=$$({ $(1); } 2>&1) || { echo "$$said" >&2; exit 1; }

clients: $(clients)/dist/typescript/client.js $(clients)/dist/relay/Profile.js
clients: $(clients)/python/.venv/checked ## Generate, compile and check the clients of tests/clients
	@:

tests/audit/node_modules/.package-lock.json $(clients)/node_modules/.package-lock.json: \
		%/node_modules/.package-lock.json: %/package-lock.json | check-node
	@echo "== npm packages of $*"
	@$(call quietly,npm ci --prefix $*)
	@touch $@

$(clients)/dist/%.js: $(clients)/node_modules/.package-lock.json $(clients)/package.json $(clients)/tsconfig.json schema.graphql
	@echo "== client of $(clients)/$(*D)"
	@$(call quietly,npm run --prefix $(clients) $(*D))

$(clients)/dist/typescript/client.js: $(wildcard $(clients)/typescript/*.ts $(clients)/typescript/*.json)
$(clients)/dist/relay/Profile.js: $(wildcard $(clients)/relay/*.ts $(clients)/relay/*.json)

$(clients)/python/.venv/installed: $(clients)/python/requirements.txt $(clients)/python/venv.sh
	@echo "== Python packages of $(clients)/python"
	@$(call quietly,$(clients)/python/venv.sh)
	@touch $@

$(clients)/python/.venv/checked: $(clients)/python/.venv/installed schema.graphql $(clients)/operations.graphql
$(clients)/python/.venv/checked: $(clients)/python/pyproject.toml $(clients)/python/client.py
	@echo "== client of $(clients)/python"
	@cd $(clients)/python && $(call quietly,.venv/bin/ariadne-codegen && .venv/bin/mypy .)
	@touch $@
