#!/usr/bin/env python3
"""Makes the models of a set, where they are not there yet, and prints their files.

    make.py SET FOLDER [--only REGEX]

Weights are random with a fixed seed: what is timed does not depend on them. The sets:

    f32                networks as PyTorch exports them
    int8               the same by ONNX Runtime's quantizers: QDQ and QLinear operators, a scale per channel; dynamic for text and sequences
    fp16               the same by ONNX Runtime's converter
    4bit               a decoder whose products are MatMulNBits, blocks of 32, at accuracy level 4
    computed           products and convolutions both of whose sides are inputs
    training-products  the products of a linear layer's forward and backward pass, all sides inputs
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SEED = 1
OPSET = 18


# MARK: Networks


def export(name, path):
    import torch
    from networks import NETWORKS
    torch.manual_seed(SEED)
    module, inputs = NETWORKS[name]()
    # Exporters name what they are given by position.
    with torch.no_grad():
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), opset_version=OPSET,
            external_data=False, dynamo=True, verbose=False)


def calibration(path, count=4):
    """A reader of random inputs for a quantizer."""
    from onnxruntime.quantization import CalibrationDataReader
    generator = np.random.default_rng(SEED)
    port = onnx.load(path).graph.input[0]
    shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
    samples = iter([{port.name: generator.standard_normal(shape).astype("f4")} for _ in range(count)])

    class Reader(CalibrationDataReader):
        def get_next(self):
            return next(samples, None)
    return Reader()


def quantized(network, form):
    """A network of images in bytes. `form` is QDQ or QOperator."""
    def make(path, folder):
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process
        prepared = path.with_suffix(".prepared.onnx")
        source = f32(network, folder)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(path), calibration(prepared), quant_format=quantization.QuantFormat[form], per_channel=True)
        prepared.unlink()
    return make


def dynamic(network):
    """Weights in bytes, and activations as a run finds their range."""
    def make(path, folder):
        from onnxruntime import quantization
        quantization.quantize_dynamic(str(f32(network, folder)), str(path), per_channel=network != "lstm")
    return make


def half(network):
    def make(path, folder):
        from onnxruntime.transformers.float16 import convert_float_to_float16
        onnx.save(convert_float_to_float16(onnx.load(f32(network, folder))), path)
    return make


def four_bits(network):
    def make(path, folder):
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
        from onnxruntime.quantization.onnx_model import ONNXModel
        model = ONNXModel(onnx.load(f32(network, folder)))
        model.replace_gemm_with_matmul()  # which is all that the quantizer looks at
        quantizer = MatMulNBitsQuantizer(model.model, block_size=32, is_symmetric=True, accuracy_level=4)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path))
    return make


def f32(name, folder):
    """The file of a network, made where it is not there yet."""
    path = folder / "f32" / f"{name}.onnx"
    if not path.exists():
        write(path, lambda path, _: export(name, path), folder)
    return path


# MARK: Single operators


def single(operator, *shapes, **attributes):
    """A model of one operator, all of whose inputs are f32 inputs of the model."""
    def make(path, _):
        names = [f"x{number}" for number in range(len(shapes))]
        node = helper.make_node(operator, names, ["y"], **attributes)
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(names, shapes)]
        result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph([node], path.stem, ports, [result])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.save(onnx.shape_inference.infer_shapes(model, strict_mode=True), path)
    return make


SETS = {
    "f32": None,
    "int8": {
        **{f"{name}_qdq": quantized(name, "QDQ") for name in ("resnet50", "mobilenet_v2", "efficientnet_b0")},
        "resnet50_qlinear": quantized("resnet50", "QOperator"),
        **{f"{name}_dynamic": dynamic(name) for name in ("bert_base", "gpt2_decode", "lstm")},
    },
    "fp16": {f"{name}_f16": half(name) for name in ("resnet18", "mobilenet_v2", "minilm", "lstm", "lenet_b64")},
    "4bit": {"gpt2_decode_4bit": four_bits("gpt2_decode")},
    "computed": {
        "convolution": single("Conv", [8, 64, 56, 56], [64, 64, 3, 3], pads=[1, 1, 1, 1]),
        # Images are channels, and the gradient of the result is the window.
        "weight_gradient": single("Conv", [64, 8, 56, 56], [64, 8, 56, 56], pads=[1, 1, 1, 1]),
        "product": single("MatMul", [512, 768], [768, 3072]),
        "product_transposed": single("Gemm", [768, 512], [768, 3072], transA=1),
    },
    "training-products": {
        "forward": single("Gemm", [512, 768], [3072, 768], [3072], transB=1),
        "input_gradient": single("Gemm", [512, 3072], [3072, 768]),
        "weight_gradient": single("Gemm", [512, 3072], [512, 768], transA=1),
        "scores": single("MatMul", [48, 128, 64], [48, 64, 128]),
        "score_gradient": single("MatMul", [48, 128, 128], [48, 128, 64]),
    },
}


def write(path, make, folder):
    """Makes a file under another name first, so that what is there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part.onnx")
    print(f"making {path}", file=sys.stderr, flush=True)
    make(draft, folder)
    draft.rename(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a pattern that names have to match")
    arguments = parser.parse_args()
    makers = SETS[arguments.set]
    if makers is None:
        from networks import NETWORKS
        makers = {name: lambda path, _, name=name: export(name, path) for name in NETWORKS}
    for name, make in makers.items():
        if not re.search(arguments.only, name):
            continue
        path = arguments.folder / arguments.set / f"{name}.onnx"
        if not path.exists():
            write(path, make, arguments.folder)
        print(path)


if __name__ == "__main__":
    main()
