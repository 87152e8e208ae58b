# The conductor: every target calls a package. `make help` lists them.
MODEL       ?= demo
VERSION     ?= 1
BACKEND     ?= auto
PORT        ?= 8500
SERVER      ?= 127.0.0.1:$(PORT)
BATCH       ?= 1
CONCURRENCY ?= 1
# the server of make up: gpu where there is one
PROFILE     ?= $(if $(shell command -v nvidia-smi),gpu,cpu)
COMPOSE     ?= docker compose

# the first Python that TensorFlow 2.17 runs on; PYTHON=... chooses another
FITS   := import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(firstword $(foreach name,python3 python3.12 python3.11 python3.10 python3.9,\
            $(shell $(name) -c '$(FITS)' 2>/dev/null && echo $(name))))
PY     := .venv/bin/python
DONE   := .venv/installed

# setup leaves compiling to the first import, which is why that has to keep what it compiled
export PYTHONDONTWRITEBYTECODE =

# `make serve VERSION="1 2"` serves both
versions = $(foreach number,$(VERSION),--version $(number))
# an option only where its variable was given, not where it has the value above
asked    = $(if $(filter-out file default undefined,$(origin $(1))),$(2) $($(1)))

compose  = $(COMPOSE) --project-name tf-serving-suite --file docker/compose.yaml
batching = --enable_batching=true --enable_per_model_batching_parameters=true --batching_parameters_file=/models/batching.config

.DEFAULT_GOAL := help
.PHONY: help setup lock wire demo fetch train convert config serve swap stop status certs preflight up down predict bench compare weigh test lint clean

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
	@echo "variables: MODEL VERSION BACKEND PORT SERVER BATCH CONCURRENCY IMAGE DATA SOURCE, e.g. make serve MODEL=demo VERSION=2"

setup: $(DONE)  ## make .venv and install the locked dependencies, once

$(DONE): .venv/dependencies pyproject.toml
	@$(PY) -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dependencies: requirements.lock
	@test -n "$(PYTHON)" || { echo "error: no Python 3.9 to 3.12 with venv found; install one (on Debian and Ubuntu: python3-venv), or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --disable-pip-version-check --no-compile --require-hashes --requirement requirements.lock
	@touch $@

lock: $(DONE)  ## renew requirements.lock from pyproject.toml
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.9 \
	  --generate-hashes --all-extras pyproject.toml --output-file requirements.lock

wire: $(DONE)  ## compile the protobuf messages
	$(PY) -m grpc_tools.protoc -I clients/wire --python_out clients/wire --pyi_out clients/wire serving.proto
	$(PY) -m grpc_tools.protoc -I evaluation --python_out evaluation --pyi_out evaluation label_map.proto
	$(PY) -m grpc_tools.protoc -I model_config --python_out model_config --pyi_out model_config server_messages.proto
	$(PY) -m grpc_tools.protoc -I serving/embedded -I $$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tensorflow/include \
	  --python_out serving/embedded --pyi_out serving/embedded flag_files.proto

demo: $(DONE)  ## the main job on a model trained here: build, serve, ask, compare
	@$(PY) -m demo

fetch: $(DONE)  ## download MODEL and its data sets from their publishers (OPTIONS=--no-data)
	@$(PY) -m model_config fetch $(MODEL) $(OPTIONS)

train: $(DONE)  ## train chexnet on DATA (the NIH's chest X-rays) from WEIGHTS (OPTIONS=... as training chexnet --help says)
	@$(PY) -m training chexnet $(if $(DATA),--data $(DATA)) $(if $(WEIGHTS),--weights $(WEIGHTS)) $(OPTIONS)

convert: $(DONE)  ## build VERSION of MODEL (SOURCE=... for a model in no file; BACKEND=docker: in the converter image)
	@$(PY) -m converters build $(MODEL) $(versions) $(if $(SOURCE),--source $(SOURCE)) \
	  $(if $(filter-out auto,$(BACKEND)),--backend $(BACKEND)) $(if $(IMAGE),--image $(IMAGE)) $(OPTIONS)

config: $(DONE)  ## write the model config that serves VERSION of MODEL
	@$(PY) -m model_config use $(MODEL) $(versions)

serve: $(DONE)  ## serve VERSION of MODEL until Ctrl-C (DETACH=1: until make stop; TLS=1; OPTIONS=... as serving up --help says)
	@$(PY) -m serving up --model $(MODEL) $(versions) --backend $(BACKEND) --port $(PORT) $(if $(DETACH),--detach) \
	  $(if $(IMAGE),--image $(IMAGE)) $(if $(TLS),--tls) $(OPTIONS)

swap: $(DONE)  ## make the running server serve VERSION of MODEL, losing no request (REPLACE=1: unload first)
	@$(PY) -m serving swap --server $(SERVER) --model $(MODEL) $(versions) $(if $(REPLACE),--replace)

certs: $(DONE)  ## make a throw-away CA with certificates for server and client, to try TLS with
	@$(PY) -m serving certs

preflight: $(DONE)  ## say whether VERSION of MODEL fits IMAGE and this machine's GPU
	@$(PY) -m serving preflight $(MODEL) $(versions) $(if $(IMAGE),--image $(IMAGE))

stop: $(DONE)  ## stop the detached server
	@$(PY) -m serving down --port $(PORT)

status: $(DONE)  ## show what the server has: versions, states, labels, requests
	@$(PY) -m serving status --server $(SERVER)

predict: $(DONE)  ## find things in IMAGE with VERSION of MODEL, draw them into found.jpg
	@$(PY) -m clients predict --server $(SERVER) --model $(MODEL) $(versions) --image "$(IMAGE)" --output found.jpg

bench: $(DONE)  ## measure VERSION of MODEL with BATCH and CONCURRENCY on IMAGE (random inputs without one)
	@$(PY) -m clients bench --server $(SERVER) --model $(MODEL) $(versions) $(if $(IMAGE),--image "$(IMAGE)") --batch $(BATCH) --concurrency $(CONCURRENCY)

compare: $(DONE)  ## compare VERSION="1 2" of MODEL on labelled data (DATA=...), say which to ship (OPTIONS="--goal ... --promote"), write a page
	@$(PY) -m clients compare --server $(SERVER) --model $(MODEL) $(versions) $(call asked,BATCH,--batch) $(call asked,CONCURRENCY,--concurrency) \
	  $(if $(DATA),--data $(DATA)) $(OPTIONS)

weigh: $(DONE)  ## serve each VERSION of MODEL alone for a moment, and note its load time and memory for compare
	@$(PY) -m serving weigh --model $(MODEL) $(versions) --backend $(BACKEND) $(if $(IMAGE),--image $(IMAGE))

up: $(DONE)  ## serve VERSION of MODEL from the stock image with Prometheus and Grafana (PROFILE=cpu|gpu BATCHING=1)
	@$(PY) -m model_config use $(MODEL) $(versions) --apart --root /models $(if $(BATCHING),--batching)
	@$(if $(BATCHING),SERVER_FLAGS="$(batching)") $(if $(IMAGE),IMAGE=$(IMAGE)) PORT=$(PORT) $(compose) --profile $(PROFILE) up --detach
	@echo "starting on 127.0.0.1:$(PORT); the dashboard: http://127.0.0.1:3000; stop it with: make down"

down:  ## stop what make up has started
	@$(compose) --profile cpu --profile gpu down

test: $(DONE)  ## run the tests
	@$(PY) -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(DONE)  ## check style and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

clean:  ## delete .venv and the caches; models/ and results/ stay
	rm -rf .venv .cache .serving build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
