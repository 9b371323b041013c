# The two commands: `make demo` and `make test`. Both make their own virtual environment and install what is missing.
PYTEST = .venv/bin/python -m pytest

.PHONY: demo baseline test lint docs bench chaos clean

demo: .venv/demo-ready
	.venv/bin/proxyswitch demo

baseline: .venv/demo-ready
	.venv/bin/proxyswitch demo --baseline

# Two at a time: most tests wait for real servers. A file stays in one process, its tests share what is costly.
test: .venv/ready lint
	$(PYTEST) -n 2 --dist loadfile

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

docs: .venv/ready
	.venv/bin/python scripts/gen_docs.py

bench: .venv/ready
	.venv/bin/python -m tests.bench

chaos: .venv/ready
	$(PYTEST) -n 2 -m chaos

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/ready: pyproject.toml scripts/setup scripts/runners
	scripts/setup test
	touch $@ .venv/demo-ready

.venv/demo-ready: pyproject.toml scripts/setup
	scripts/setup demo
	touch $@
