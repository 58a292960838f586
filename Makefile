# make lab: the environment, then JupyterLab on the course.   make test: the unit tests, then every lesson.
# Everything runs in .venv, which is made from requirements.lock and made again when that changes.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
RUN := env -u VIZLIB_MODEL -u VIZLIB_WEIGHTS .venv/bin/python
# A file of tests, or a lesson, at a time in each of two processes.
TWO := -n 2 --dist loadscope
NBVAL := $(RUN) -m pytest -q --nbval --nbval-current-env --nbval-cell-timeout=600 -p no:cacheprovider

.PHONY: help env lab update reset test nbval links switch notebooks book live golden bench peers truth render colab-check clean lock
.DEFAULT_GOAL := help

help:  ## what make can do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

env: .venv/stamp  ## the environment, once: about 0.9 GB to download

lab:  ## the environment, then JupyterLab on your copies of the lessons, in work/
	@$(MAKE) --no-print-directory --silent .venv/stamp
	@.venv/bin/python notebooks/work.py lab $(LAB)

update: .venv/stamp  ## new versions of the lessons in work/; your answers are kept
	@$(RUN) notebooks/work.py update

reset: .venv/stamp  ## make reset LESSON=03 puts a lesson in work/ back; yours is kept as .bak.ipynb
	@$(RUN) notebooks/work.py reset $(LESSON)

test: .venv/stamp  ## the unit tests, then every lesson, compared with its committed outputs
	$(RUN) -m pytest -q $(TWO)
	$(MAKE) nbval

nbval: .venv/stamp  ## every lesson, compared with its committed outputs
	$(NBVAL) $(TWO) notebooks

links: .venv/stamp  ## are the web's addresses in pages and lessons alive? needs the network
	$(RUN) -m pytest -q -m network tests/test_links.py

switch: .venv/stamp  ## the lessons on other networks
	$(RUN) -m pytest -q -m slow tests/notebooks/test_switch.py

notebooks: .venv/stamp  ## executes the lessons in place; make notebooks LESSONS=01 only the first
	$(RUN) notebooks/build.py $(LESSONS)

book: .venv/stamp  ## the web site, in build/book
	rm -rf build/book
	$(RUN) -m sphinx -q -W --keep-going -c docs -d build/doctrees . build/book
	@echo "The book is in build/book: open build/book/index.html."
	@$(MAKE) --no-print-directory live

live: .venv/stamp  ## the web site's page with a network that runs in the browser
	$(RUN) docs/live.py

golden: .venv/stamp  ## the numbers that tests compare lessons with, written anew
	$(RUN) tests/notebooks/golden.py

bench: .venv/stamp  ## times and memory of vizlib
	$(RUN) tests/bench/bench.py

peers: .venv-peers/stamp  ## times, memory and answers of other libraries beside vizlib
	PYTHONPATH=$(CURDIR) .venv-peers/bin/python tests/bench/peers.py

truth: .venv/stamp  ## the table of grades of maps
	$(RUN) data/make/grade.py

colab-check: .venv-colab/stamp  ## a lesson as on Colab, with Colab's versions (tests/colab.txt)
	.venv-colab/bin/python tests/colab.py $(LESSONS)

render: .venv-render/stamp  ## Barnyard's pictures, with Blender
	.venv-render/bin/python data/make/render.py --out build/barnyard $(ARGS)

lock:  ## requirements.lock resolved anew; needs uv
	uv pip compile -q pyproject.toml --extra course --extra dev --extra book --universal --fork-strategy fewest --python-version 3.11 --no-header --upgrade -o requirements.lock

clean:  ## removes environments and what tools leave; work/ stays
	rm -rf .venv .venv-render .venv-peers .venv-colab build vizlib.egg-info .pytest_cache .ruff_cache .hypothesis \
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

.venv-colab/stamp: tests/colab.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "The course needs Python 3.11, 3.12 or 3.13 with venv: install one of them, then run make colab-check again."; exit 1; }
	@echo "Making the environment .venv-colab with Colab's versions: about 0.9 GB to download once."
	rm -rf .venv-colab
	$(PYTHON) -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -c tests/colab.txt . nbclient psutil
	.venv-colab/bin/python -m pip uninstall --quiet --yes vizlib  # the lesson's first cell finds it
	@touch $@
