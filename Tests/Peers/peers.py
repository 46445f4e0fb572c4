"""Sinter and its peers, each as something that runs one model on given inputs.

As a program this is the child of bench.py: `peers.py SYSTEM MODEL LIBRARY INPUTS.npz OUTPUTS.npz THREADS` loads the model, runs
it once, writes what it gave, and prints a line. Then, for each number that it reads, it runs so many times and prints the times
in nanoseconds as JSON.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Conformance"))
import library as sinter_library  # noqa: E402


class System:
    """What runs a model. `module` is the Python module that it needs, and `outputs_given` how many of the model's outputs it gives, None for all."""

    module = outputs_given = None


class Sinter(System):
    """The compiled library. What Python converts is converted before the clock runs."""

    def __init__(self, model, library, inputs, threads):
        self.session = sinter_library.Library(library).open(threads)
        self.kept = []
        values = [sinter_library.to_value(array, self.kept) for array in inputs.values()]
        self.inputs = (sinter_library.Value * len(values))(*values)
        self.results = (sinter_library.Value * self.session.table.output_count)()
        self.run()
        for value in self.results:  # from now on they are memory that the caller brings
            value.release = type(value.release)()

    def run(self):
        status = self.session.table.run(self.session.handle, self.inputs, self.results)
        if status:
            self.session.expect_ok(status)

    def outputs(self):
        return [sinter_library.from_value(value) for value in self.results]


class OnnxRuntime(System):
    module = "onnxruntime"

    def __init__(self, model, library, inputs, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.kept = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in inputs.values()]
        for name, value in zip(inputs, self.kept):
            self.binding.bind_ortvalue_input(name, value)
        for port in self.session.get_outputs():
            self.binding.bind_output(port.name, "cpu")
        self.run()

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def outputs(self):
        return self.binding.copy_outputs_to_cpu()


class OpenVino(System):
    module = "openvino"

    def __init__(self, model, library, inputs, threads):
        import openvino
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model), "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32"})
        self.ports = compiled.outputs
        self.request = compiled.create_infer_request()
        for port, array in zip(compiled.inputs, inputs.values()):
            self.request.set_tensor(port, openvino.Tensor(array))
        self.run()

    def run(self):
        self.request.infer(share_outputs=True)

    def outputs(self):
        return [self.request.get_tensor(port).data.copy() for port in self.ports]


class Torch(System):
    """An exported program MODEL.pt2 or a script MODEL.pt beside the ONNX file, since PyTorch reads no ONNX."""

    module = "torch"

    @staticmethod
    def companion(model):
        return next((path for path in (Path(model).with_suffix(end) for end in (".pt2", ".pt")) if path.exists()), None)

    def __init__(self, model, library, inputs, threads):
        import torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        path = self.companion(model)
        self.function = torch.export.load(path).module() if path.suffix == ".pt2" else torch.jit.load(path).eval()
        self.inputs = [torch.from_numpy(array) for array in inputs.values()]
        self.run()

    def run(self):
        self.result = self.function(*self.inputs)

    def outputs(self):
        result = self.result if isinstance(self.result, (tuple, list)) else [self.result]
        return [tensor.detach().numpy() for tensor in result]


class LlamaCpp(System):
    """A decoder of the same weights, MODEL.gguf beside the ONNX file, and all tokens in MODEL.tokens.npy: the last ones are decoded anew in each
    run, with the keys and values of those before them in its cache."""

    module, package = "llama_cpp", "llama_cpp_python"
    outputs_given = 1  # the logits; keys and values stay in its cache

    @staticmethod
    def companion(model):
        path = Path(model).with_suffix(".gguf")
        return path if path.exists() else None

    def __init__(self, model, library, inputs, threads):
        import llama_cpp
        self.lib = llama_cpp
        self.silence = llama_cpp.llama_log_callback(lambda level, text, _: None)
        llama_cpp.llama_log_set(self.silence, None)
        tokens = np.load(Path(model).with_suffix(".tokens.npy"))
        self.past = len(tokens) - inputs["input_ids"].size
        self.model = llama_cpp.llama_model_load_from_file(bytes(self.companion(model)), llama_cpp.llama_model_default_params())
        options = llama_cpp.llama_context_default_params()
        options.n_ctx = options.n_batch = options.n_ubatch = 512
        options.n_threads = options.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, options)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        if self.past:
            self.decode(self.batch(tokens[:self.past], 0))
        self.new = self.batch(tokens[self.past:], self.past)
        self.run()

    def batch(self, tokens, first):
        batch = self.lib.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = int(token), first + i, 1, 0, True
        return batch

    def decode(self, batch):
        if status := self.lib.llama_decode(self.context, batch):
            raise RuntimeError(f"llama_decode says {status}")
        self.lib.llama_synchronize(self.context)

    def run(self):
        self.lib.llama_memory_seq_rm(self.memory, 0, self.past, -1)
        self.decode(self.new)

    def outputs(self):
        logits = self.lib.llama_get_logits(self.context)
        shape = (1, self.new.n_tokens, self.vocabulary)
        return [np.ctypeslib.as_array(logits, (int(np.prod(shape)),)).reshape(shape).copy()]


SYSTEMS = {"sinter": Sinter, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch, "llama.cpp": LlamaCpp}


def available(model):
    """The systems that can run a model here, Sinter first."""
    return [
        name for name, system in SYSTEMS.items()
        if (system.module is None or importlib.util.find_spec(system.module))
        and (not hasattr(system, "companion") or system.companion(model))
    ]


def main():
    name, model, library, inputs_path, outputs_path, threads = sys.argv[1:]
    with np.load(inputs_path) as file:
        inputs = {key: file[key] for key in file.files}
    system = SYSTEMS[name](model, library, inputs, int(threads))
    np.savez(outputs_path, **{str(i): output for i, output in enumerate(system.outputs())})
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter_ns()
            system.run()
            times.append(time.perf_counter_ns() - start)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
