# make lab: the environment, then JupyterLab on the course.   make test: the unit tests, then every lesson.
# Everything runs in .venv, which is made from requirements.lock and made again when that changes.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
RUN := env -u VIZLIB_MODEL -u VIZLIB_WEIGHTS .venv/bin/python
NBVAL := $(RUN) -m pytest -q --nbval --nbval-current-env --nbval-cell-timeout=600 -p no:cacheprovider

.PHONY: lab test nbval switch notebooks book golden bench peers truth render clean lock

lab:
	@echo "make lab: the environment (once, about 0.9 GB to download), then JupyterLab on lesson 1."
	@$(MAKE) --no-print-directory .venv/stamp
	@echo "Open http://localhost:8888/lab/tree/01_activations.ipynb, or the address that JupyterLab prints if 8888 is taken. Ctrl+C ends it."
	.venv/bin/jupyter lab --notebook-dir=notebooks notebooks/01_activations.ipynb $(LAB)

test: .venv/stamp
	$(RUN) -m pytest -q
	$(MAKE) nbval

nbval: .venv/stamp
	$(NBVAL) notebooks

switch: .venv/stamp
	$(RUN) -m pytest -q -m slow tests/notebooks/test_switch.py

notebooks: .venv/stamp
	$(RUN) notebooks/build.py $(LESSONS)

book: .venv/stamp
	rm -rf build/book
	$(RUN) -m sphinx -q -W --keep-going -c docs -d build/doctrees . build/book
	@echo "The book is in build/book: open build/book/index.html."

golden: .venv/stamp
	$(RUN) tests/notebooks/golden.py

bench: .venv/stamp
	$(RUN) tests/bench/bench.py

peers: .venv-peers/stamp
	PYTHONPATH=$(CURDIR) .venv-peers/bin/python tests/bench/peers.py

truth: .venv/stamp
	$(RUN) data/make/grade.py

render: .venv-render/stamp
	.venv-render/bin/python data/make/render.py --out build/barnyard $(ARGS)

lock:  # needs uv
	uv pip compile -q pyproject.toml --extra dev --extra book --universal --fork-strategy fewest --python-version 3.11 --no-header --upgrade -o requirements.lock

clean:
	rm -rf .venv .venv-render .venv-peers build vizlib.egg-info .pytest_cache .ruff_cache .hypothesis \
		.mypy_cache .grimp_cache .import_linter_cache

.venv/stamp: requirements.lock
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11, 3.12 or 3.13 with venv: install one of them, then run make again."; exit 1; }
	@echo "Making the environment .venv with $$($(PYTHON) --version): about 0.9 GB to download once, 3 GB on disk, a few minutes."
	rm -rf .venv
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv-render/stamp: data/make/requirements.txt
	@python3.11 -c 'import ensurepip, venv' 2>/dev/null || { echo "Rendering needs Python 3.11 with venv (bpy comes for no other): install it, then run make render again."; exit 1; }
	@echo "Making the environment .venv-render with Blender as a Python package: about 0.4 GB to download once, 1.2 GB on disk."
	rm -rf .venv-render
	python3.11 -m venv .venv-render
	.venv-render/bin/python -m pip install --quiet --disable-pip-version-check -r data/make/requirements.txt
	@touch $@

.venv-peers/stamp: requirements.lock tests/bench/peers.txt
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11, 3.12 or 3.13 with venv: install one of them, then run make peers again."; exit 1; }
	@echo "Making the environment .venv-peers: .venv once more, PyTorch and five libraries, up to 9 GB on disk."
	rm -rf .venv-peers
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock $$(grep ^torch tests/bench/peers.txt)
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/bench/peers.txt
	@touch $@
