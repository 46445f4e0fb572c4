#!/usr/bin/env python3
"""Makes the models of a set, where they are not there yet, and prints their files.

    make.py SET FOLDER [--only REGEX]

Weights are random with a fixed seed: what is timed does not depend on them. The sets:

    f32                networks as PyTorch exports them
    int8               the same by ONNX Runtime's quantizers: QDQ and QLinear operators, a scale per channel; dynamic for text and sequences
    fp16               the same by ONNX Runtime's converter
    4bit               a decoder whose products are MatMulNBits, blocks of 32, at accuracy level 4
    computed           products and convolutions both of whose sides are inputs
    products           products of two inputs in all four transpositions, 64 to 3072 rows, columns and terms
    training-products  the products of a linear layer's forward and backward pass, all sides inputs
    gradients          what a step of training makes of ResNet-18's convolutions at batch 32: both gradients of each layer,
                       with PyTorch's own function for them beside
"""

import argparse
import contextlib
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 1
OPSET = 18


# MARK: Networks


def made(name):
    """A network's module and inputs, always with the same weights."""
    import torch
    from networks import MORE_NETWORKS, NETWORKS
    torch.manual_seed(SEED)
    return {**NETWORKS, **MORE_NETWORKS}[name]()


def export(name, path):
    import torch
    module, inputs = made(name)
    # Exporters name what they are given by position.
    with torch.no_grad():
        torch.onnx.export(
            module.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), opset_version=OPSET,
            external_data=False, dynamo=True, verbose=False)


def calibration(path, count=4):
    """A reader of random inputs for a quantizer."""
    from onnxruntime.quantization import CalibrationDataReader
    generator = np.random.default_rng(SEED)

    def sample(port):
        shape = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            return generator.standard_normal(shape).astype("f4")
        # Numbers of tokens; masks and the numbers of segments are 0 or 1.
        return generator.integers(0, 100, shape) if port.name.endswith("ids") and "type" not in port.name else np.ones(shape, "i8")

    ports = onnx.load(path).graph.input
    samples = iter([{port.name: sample(port) for port in ports} for _ in range(count)])

    class Reader(CalibrationDataReader):
        def get_next(self):
            return next(samples, None)
    return Reader()


def quantized(network, form):
    """A network in bytes, with ranges from samples. `form` is QDQ or QOperator.

    Activations are unsigned: of signed ones, which are the quantizer's default, ONNX Runtime and OpenVINO have slower kernels on x86-64.
    """
    def make(path, folder):
        from onnxruntime import quantization
        with prepared(network, path, folder) as source:
            quantization.quantize_static(
                str(source), str(path), calibration(source), quant_format=quantization.QuantFormat[form], per_channel=True,
                activation_type=quantization.QuantType.QUInt8)
    return make


@contextlib.contextmanager
def prepared(network, path, folder):
    """The network's file as quantizers ask for it: weights that PyTorch's exporter computes from others are constants, and shapes are known."""
    from onnxruntime.quantization.shape_inference import quant_pre_process
    file = path.with_suffix(".prepared.onnx")
    quant_pre_process(str(f32(network, folder)), str(file), skip_symbolic_shape=True)
    yield file
    file.unlink()


def dynamic(network):
    """Weights in bytes, and activations as a run finds their range."""
    def make(path, folder):
        from onnxruntime import quantization
        with prepared(network, path, folder) as source:
            quantization.quantize_dynamic(str(source), str(path), per_channel=network != "lstm")
    return make


def half(network):
    def make(path, folder):
        from onnxruntime.transformers.float16 import convert_float_to_float16
        onnx.save(convert_float_to_float16(onnx.load(f32(network, folder))), path)
    return make


def four_bits(network):
    """A decoder all of whose products are of weights of 4 bits; where the package gguf is installed, with a file for llama.cpp beside it."""
    def make(path, folder):
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
        from onnxruntime.quantization.onnx_model import ONNXModel
        with prepared(network, path, folder) as source:
            model = ONNXModel(onnx.load(source))
        model.replace_gemm_with_matmul()  # which is all that the quantizer looks at
        quantizer = MatMulNBitsQuantizer(model.model, block_size=32, is_symmetric=True, accuracy_level=4)
        quantizer.process()
        quantizer.model.save_model_to_file(str(path))
        if importlib.util.find_spec("gguf"):
            import gpt2_gguf
            gpt2_gguf.write(path, companion(path), *made(network))
    return make


def companion(path):
    """The name of a file beside a draft, from which its companions have theirs: the draft itself is renamed when it is whole."""
    return path.with_name(path.name.replace(".part", ""))


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


def product(transpositions, rows, columns, terms):
    """One product of two inputs; `transpositions` says for each side whether it lies transposed (t) or not (n)."""
    left = [terms, rows] if transpositions[0] == "t" else [rows, terms]
    right = [columns, terms] if transpositions[1] == "t" else [terms, columns]
    return single("Gemm", left, right, transA=int(transpositions[0] == "t"), transB=int(transpositions[1] == "t"))


# MARK: Gradients of convolutions

# ResNet-18's convolutions: channels in, channels out, window, stride, pixels a side.
RESNET18 = {
    "stem": (3, 64, 7, 2, 224),
    "layer1": (64, 64, 3, 1, 56),
    **{f"layer{n + 1}_first": (32 << n, 64 << n, 3, 2, 112 >> n) for n in (1, 2, 3)},
    **{f"layer{n + 1}": (64 << n, 64 << n, 3, 1, 56 >> n) for n in (1, 2, 3)},
    **{f"layer{n + 1}_shortcut": (32 << n, 64 << n, 1, 2, 112 >> n) for n in (1, 2, 3)},
}
IMAGES = 32


def convolution_gradients(inputs, outputs, window, stride, side):
    """Both gradients of a convolution, in its images and its weights, in standard operators; and PyTorch's function of both."""
    def make(path, _):
        pad, result_side = window // 2, side // stride
        shapes = {
            "gradient": [IMAGES, outputs, result_side, result_side], "images": [IMAGES, inputs, side, side],
            "weights": [outputs, inputs, window, window]}
        results = {"images_gradient": shapes["images"], "weights_gradient": shapes["weights"]}
        # Pixels that no window reaches: the transposed convolution adds them, and the gradient of the weights does without.
        rest = (side + 2 * pad - window) % stride
        after, cut = max(0, pad - rest), max(0, rest - pad)
        nodes = [
            helper.make_node("ConvTranspose", ["gradient", "weights"], ["images_gradient"], pads=[pad] * 4,
                             strides=[stride] * 2, output_padding=[rest] * 2),
            # The batch is what is summed over: channels of the images are its images, and the gradient is its window.
            helper.make_node("Slice", ["images", "start", "end", "sides"], ["reached"]),
            helper.make_node("Transpose", ["reached" if cut else "images"], ["turned_images"], perm=[1, 0, 2, 3]),
            helper.make_node("Transpose", ["gradient"], ["turned_gradient"], perm=[1, 0, 2, 3]),
            helper.make_node("Conv", ["turned_images", "turned_gradient"], ["turned"], pads=[pad, pad, after, after],
                             dilations=[stride] * 2),
            helper.make_node("Transpose", ["turned"], ["weights_gradient"], perm=[1, 0, 2, 3]),
        ]
        constants = [numpy_helper.from_array(np.array(value), name)
                     for name, value in {"start": [0, 0], "end": [side - cut] * 2, "sides": [2, 3]}.items()]
        if not cut:
            nodes, constants = [node for node in nodes if node.op_type != "Slice"], []
        ports = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in group.items()]
                 for group in (shapes, results)]
        model = helper.make_model(helper.make_graph(nodes, path.stem, *ports, constants),
                                  opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)
        torch_gradients(path, shapes, stride, pad)
    return make


def torch_gradients(path, shapes, stride, pad):
    """PyTorch's function of the same, as an exported program beside the file."""
    import torch

    class Gradients(torch.nn.Module):
        def forward(self, gradient, images, weights):
            return torch.ops.aten.convolution_backward(
                gradient, images, weights, None, [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, [True, True, False])[:2]

    program = torch.export.export(Gradients(), tuple(torch.zeros(shape) for shape in shapes.values()))
    torch.export.save(program, companion(path).with_suffix(".pt2"))


SETS = {
    "f32": None,
    "int8": {
        **{f"{name}_qdq": quantized(name, "QDQ") for name in ("resnet50", "mobilenet_v2", "efficientnet_b0", "yolov8n", "bert_base")},
        "resnet50_qlinear": quantized("resnet50", "QOperator"),
        **{f"{name}_dynamic": dynamic(name) for name in ("bert_base", "minilm", "gpt2_decode", "lstm")},
    },
    "fp16": {f"{name}_f16": half(name) for name in ("resnet18", "mobilenet_v2", "minilm", "lstm", "lenet_b64")},
    "4bit": {f"{name}_4bit": four_bits(name) for name in ("gpt2_decode", "gpt2_prefill", "gpt2_prefill_128")},
    "computed": {
        "convolution": single("Conv", [8, 64, 56, 56], [64, 64, 3, 3], pads=[1, 1, 1, 1]),
        # Images are channels, and the gradient of the result is the window.
        "weight_gradient": single("Conv", [64, 8, 56, 56], [64, 8, 56, 56], pads=[1, 1, 1, 1]),
        "product": single("MatMul", [512, 768], [768, 3072]),
        "product_transposed": single("Gemm", [768, 512], [768, 3072], transA=1),
    },
    "products": {
        f"product_{way}_{rows}x{columns}x{terms}": product(way, rows, columns, terms)
        for way in ("nn", "nt", "tn", "tt")
        for rows, columns, terms in [(64, 64, 64), (128, 512, 256), (256, 256, 1024), (768, 768, 768), (512, 3072, 768), (1024, 768, 3072)]
    },
    "training-products": {
        "forward": single("Gemm", [512, 768], [3072, 768], [3072], transB=1),
        "input_gradient": single("Gemm", [512, 3072], [3072, 768]),
        "weight_gradient": single("Gemm", [512, 3072], [512, 768], transA=1),
        "scores": single("MatMul", [48, 128, 64], [48, 64, 128]),
        "score_gradient": single("MatMul", [48, 128, 128], [48, 128, 64]),
    },
    "gradients": {f"gradients_{name}": convolution_gradients(*layer) for name, layer in RESNET18.items()},
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
