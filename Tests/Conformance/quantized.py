#!/usr/bin/env python3
"""Compiles quantized files as other tools write them, and runs them beside onnxruntime at several sizes.

    quantized.py --sinter .build/release/sinter            # all
    quantized.py --sinter .build/release/sinter lstm        # those whose names hold this text
    quantized.py --sinter .build/release/sinter --more      # static quantizers and tools beside onnxruntime too

Small random networks go through quantize_dynamic, quantize_static (as operators and as QuantizeLinear pairs), the optimizer for
transformers and that of sessions. Besides, DequantizeLinear and QuantizeLinear of all narrow types are tried with blocks along each axis.
With `--more`, more networks go through all that quantize_static can write and through the quantizer of blocks, and through NNCF, Neural Compressor,
PyTorch's pt2e, torchao and TensorFlow Lite where they are installed (quantizers.py); what is missing is named.

Bytes between layers are rounded, and where a sum is nearly a half, another order of additions gives the next byte. So results agree if
19 of 20 elements are equal up to 1e-4 of the largest, and no element differs by more than a twentieth of it; or if none differs by more than a
thousandth.
"""

from functools import partial
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper

from judging import main
from networks import FLOAT, GENERATOR, Network, dense, encoder, images, lstm, normal
from quantizers import TOOLS, written

# What tools make of them


def extended(source, target):
    """What onnxruntime writes of a model that it has optimized for any processor."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath, options.log_severity_level = target, 4
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return onnx.load(target)


def files(folder):
    """Name, model and inputs of each file."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.transformers.optimizer import optimize_model

    target = str(Path(folder, "quantized.onnx"))
    options = {"DefaultTensorType": FLOAT}
    networks = {make.__name__: make() for make in (dense, images, lstm, encoder)}
    optimized = {}
    for name, (model, feeds) in networks.items():
        source = str(Path(folder, f"{name}.onnx"))
        onnx.save(model, source)
        yield f"extended {name}", extended(source, target), feeds
        if name == "encoder":
            fused = optimize_model(source, "bert", num_heads=4, hidden_size=32, opt_level=0)
            fused.save_model_to_file(target)
            optimized["optimized encoder"] = (onnx.load(target), feeds)
            yield "optimized encoder", onnx.load(target), feeds
    for name, (model, feeds) in (networks | optimized).items():
        source = str(Path(folder, "source.onnx"))
        onnx.save(model, source)
        for per_channel in (False, True):
            for weight in (QuantType.QInt8, QuantType.QUInt8):
                quantize_dynamic(source, target, per_channel=per_channel, weight_type=weight, extra_options=options)
                yield f"dynamic {name}, {weight} a {'channel' if per_channel else 'tensor'}", onnx.load(target), feeds
        if name not in ("dense", "images"):
            continue

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.feeds = iter([{"x": feed[0][:1]} for feed in feeds])

            def get_next(self):
                return next(self.feeds, None)

        for form in (QuantFormat.QOperator, QuantFormat.QDQ):
            for activation, weight in ((QuantType.QUInt8, QuantType.QInt8), (QuantType.QInt8, QuantType.QInt8)):
                quantize_static(
                    source, target, Reader(), quant_format=form, activation_type=activation, weight_type=weight, per_channel=form.value == 1)
                yield f"static {name}, {form}, {activation}", onnx.load(target), feeds


NARROW = [
    np.int8, np.uint8, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2, ml_dtypes.float4_e2m1fn,
    ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2fnuz,
]


def blocks(folder):
    """Constants of narrow types that are dequantized before a product, and numbers that are quantized, in blocks along each axis."""
    for dtype in map(np.dtype, NARROW):
        isInteger = "int" in dtype.name
        low, high = (ml_dtypes.iinfo(dtype).min, ml_dtypes.iinfo(dtype).max + 1) if isInteger else (-4, 4)
        for axis in (0, 1, -1):
            shape = [4, 9, 8]
            entries = list(shape)
            entries[axis] = -(-entries[axis] // 2)
            net = Network("blocks")
            values, zeros = (GENERATOR.integers(low, high, sizes).astype(np.float32).astype(dtype) for sizes in (shape, entries))
            scale = net.constant(GENERATOR.uniform(0.25, 1, entries).astype(np.float32))
            zero = [net.constant(zeros)] if isInteger else []
            real = net.add("DequantizeLinear", net.constant(values), scale, *zero, axis=axis, block_size=2)
            x, y = net.input("x", FLOAT, [4, "m", 9]), net.input("y", FLOAT, ["a", "b", "c"])
            kind = {} if zero else {"output_dtype": helper.np_dtype_to_tensor_dtype(dtype)}
            narrow = net.add("QuantizeLinear", y, scale, *zero, axis=axis, block_size=2, **kind)
            model = net.model(net.add("MatMul", x, real), net.add("Cast", narrow, to=FLOAT), opset=25)
            yield f"blocks of {dtype.name}, axis {axis}", model, [[normal(4, m, 9), normal(*shape) * 2] for m in (0, 1, 5)]
        # Enough weights that they stay packed in a library.
        net = Network("weights")
        values = GENERATOR.integers(low, high, [520, 48]) if isInteger else normal(520, 48)
        scale = net.constant(GENERATOR.uniform(0.25, 1, [17, 48]).astype(np.float32))
        real = net.add("DequantizeLinear", net.constant(values.astype(np.float32).astype(dtype)), scale, axis=0, block_size=32)
        model = net.model(net.add("MatMul", net.input("x", FLOAT, ["m", 520]), real), opset=25)
        yield f"weights of {dtype.name}", model, [[normal(m, 520)] for m in (0, 1, 3, 20)]


# Comparison


def difference(ours, theirs):
    """What keeps two lists of results from agreeing; empty where nothing does."""
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {index} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if not a.size:
            continue
        distance = np.abs(a.astype(np.float64) - b.astype(np.float64)) / max(float(np.abs(b).max()), 1e-30)
        far = np.mean(distance > 1e-4)
        if not (far <= 0.05 and distance.max() <= 0.05 or distance.max() <= 1e-3):
            return f"result {index}: {far:.1%} of elements differ, by {distance.max():.2g} of the largest"
    return ""


def of_tools(folder):
    """What the tools of quantizers.py write, as far as they are installed."""
    for tool, source in TOOLS.items():
        try:
            for name, make, feeds in source(folder):
                yield name, partial(written, name, make, feeds), feeds
        except ImportError as error:
            print(f"skipped {tool}: {error}", flush=True)


def compared(*sources):
    """The files of sources with what compares their results, as judging.main wants them."""
    def cases(folder):
        for source in sources:
            for name, model, feeds in source(folder):
                def compare(run, theirs, feeds=feeds):
                    return next(filter(None, (difference(run(feed), theirs(feed)) for feed in feeds)), "")
                yield name, model, compare
    return cases


if __name__ == "__main__":
    main(__doc__, compared(files, blocks), compared(of_tools))
