#!/usr/bin/env python3
"""Writes a T5 with random weights as the ONNX files of a translator, and holds their compiled libraries against ONNX Runtime.

    make_t5.py make build/t5                                  # needs torch, transformers and optimum-onnx
    make_t5.py check build/t5 --sinter .build/release/sinter  # needs onnx and onnxruntime

The files are those that optimum exports for generation, with open sizes for the batch and all lengths: `encoder_model.onnx`,
`decoder_model.onnx` for the first token, and `decoder_with_past_model.onnx`, which takes the keys and values of earlier tokens
and gives them with those of one more. The configuration is that of t5-small; nothing is downloaded.

`check` compiles each file once and runs it at three lengths. Ids are random, the last element of a batch is masked at its end,
and states, keys and values are normally distributed.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "Conformance"))

FILES = ["encoder_model", "decoder_model", "decoder_with_past_model"]
SMALL = dict(vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8, decoder_start_token_id=0)
LENGTHS = [  # by the names of the files' open sizes
    dict(batch_size=1, encoder_sequence_length=1, decoder_sequence_length=1, past_decoder_sequence_length=1),
    dict(batch_size=2, encoder_sequence_length=13, decoder_sequence_length=5, past_decoder_sequence_length=6),
    dict(batch_size=3, encoder_sequence_length=48, decoder_sequence_length=16, past_decoder_sequence_length=30),
]
TOLERANCE = 1e-3


def make(folder, layers):
    import torch
    from optimum.exporters.onnx import onnx_export_from_model
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(**SMALL | {"num_layers": layers})).eval()
    onnx_export_from_model(
        model, folder, task="text2text-generation-with-past", do_validation=False, no_post_process=True)
    for name in FILES:
        print(folder / f"{name}.onnx")


def inputs_of(graph, sizes, generator):
    """Values for a file's inputs, by name."""
    import onnx

    sizes = sizes | {"decoder_sequence_length": 1} if any("past" in port.name for port in graph.input) else sizes
    inputs = {}
    for port in graph.input:
        tensor = port.type.tensor_type
        shape = [sizes[dim.dim_param] if dim.dim_param else dim.dim_value for dim in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if port.name.endswith("mask"):
            value = np.ones(shape)
            value[-1, shape[1] - shape[1] // 3:] = 0
        elif dtype.kind == "i":
            value = generator.integers(0, SMALL["vocab_size"], shape)
        else:
            value = generator.standard_normal(shape)
        inputs[port.name] = value.astype(dtype)
    return inputs


def difference(given, expected):
    """The largest, relative to the largest magnitude of each output; infinite where number, types or shapes differ."""
    if [(a.dtype, a.shape) for a in given] != [(b.dtype, b.shape) for b in expected]:
        return np.inf
    worst = [np.abs(a - b).max(initial=0) / max(np.abs(b).max(initial=0), 1e-9) for a, b in zip(given, expected)]
    return np.inf if np.isnan(worst).any() else max(worst)


def check(folder, sinter):
    import onnx
    import onnxruntime

    from library import Library

    good = True
    for name in FILES:
        path, library = folder / f"{name}.onnx", folder / f"{name}.so"
        start = time.monotonic()
        done = subprocess.run([sinter, "compile", path, "-o", library], capture_output=True, text=True)
        print(f"{name}: status {done.returncode} after {time.monotonic() - start:.1f} s", flush=True)
        if done.returncode:
            print(done.stderr.strip())
            good = False
            continue
        graph = onnx.load(path, load_external_data=False).graph
        peer = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        with Library(library).open(threads=2) as session:
            for number, sizes in enumerate(LENGTHS):
                inputs = inputs_of(graph, sizes, np.random.default_rng(number))
                worst = difference(session.run(list(inputs.values())), peer.run(None, inputs))
                good = good and worst <= TOLERANCE
                print(f"  {', '.join(map(str, sizes.values()))}: differs by {worst:.1e}", flush=True)
    print("PASS" if good else "FAIL")
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make", help="writes the files")
    making.add_argument("--layers", type=int, default=SMALL["num_layers"], help="of the encoder, and of the decoder (6)")
    checking = commands.add_parser("check", help="compiles the files and compares with ONNX Runtime")
    checking.add_argument("--sinter", required=True, help="the compiler's binary")
    for command in (making, checking):
        command.add_argument("folder", type=Path, help="where the files are")
    arguments = parser.parse_args()
    if arguments.command == "check":
        return check(arguments.folder, arguments.sinter)
    make(arguments.folder, arguments.layers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
