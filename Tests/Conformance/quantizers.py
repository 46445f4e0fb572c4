"""Quantized files of tools beside onnxruntime's dynamic quantizer: generators of names, functions that make a model, and inputs.

A tool that is not installed raises ImportError when its generator starts.
"""

import contextlib
import io
import itertools
import os
from pathlib import Path

import onnx
from onnx.version_converter import convert_version

from networks import encoder, gated, residual, sequence, transposed, volume
from sizes import onnxruntime_runner

STATIC = (residual, transposed, sequence, volume, gated, encoder)


def saved(folder):
    """Each network's name, its path, the names of its inputs, and its inputs."""
    for make in STATIC:
        model, feeds = make()
        path = str(Path(folder, f"static-{make.__name__}.onnx"))
        onnx.save(model, path)
        yield make.__name__, path, [port.name for port in model.graph.input], feeds


def written(name, make, feeds):
    """The model that a tool writes, or None where it fails to, or where its file breaks the rules of operators so that onnxruntime does not run it."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model = make()
    except Exception as error:  # whatever the tool raises
        told = f"the tool says: {str(error).strip() or type(error).__name__}"
    else:
        try:
            onnxruntime_runner(model)(feeds[0])
            return model
        except Exception as error:  # whatever onnxruntime raises
            told = f"onnxruntime does not run it: {str(error).strip()}"
    print(f"left out {name}: {told.splitlines()[0][:240]}", flush=True)
    return None


# onnxruntime


def static_files(folder):
    """What quantize_static writes: operators and pairs, all widths, ranges from all methods, and what it makes for other devices."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize, quantize_static
    from onnxruntime.quantization.execution_providers.qnn import get_qnn_qdq_config
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self, names, feeds):
            self.feeds = iter([dict(zip(names, feed, strict=True)) for feed in feeds])

        def get_next(self):
            return next(self.feeds, None)

    types = QuantType
    plans = [
        ("operators", dict(quant_format=QuantFormat.QOperator, per_channel=True)),
        ("operators u8u8", dict(quant_format=QuantFormat.QOperator, weight_type=types.QUInt8)),
        ("operators s8s8 symmetric", dict(quant_format=QuantFormat.QOperator, activation_type=types.QInt8, extra_options={"ActivationSymmetric": True})),
        ("pairs", dict(per_channel=True)),
        ("pairs u8u8", dict(weight_type=types.QUInt8)),
        ("pairs s8s8 symmetric", dict(activation_type=types.QInt8, per_channel=True, extra_options={"ActivationSymmetric": True, "WeightSymmetric": True})),
        ("pairs u16s8", dict(activation_type=types.QUInt16)),
        ("pairs s16s16", dict(activation_type=types.QInt16, weight_type=types.QInt16)),
        ("pairs u8s4", dict(weight_type=types.QInt4, per_channel=True)),
        ("pairs u8u4", dict(weight_type=types.QUInt4)),
        ("pairs of com.microsoft u16u8", dict(activation_type=types.QUInt16, weight_type=types.QUInt8, extra_options={"UseQDQContribOps": True})),
        ("pairs, entropy", dict(calibrate_method=CalibrationMethod.Entropy)),
        ("pairs, percentile, reduced range", dict(calibrate_method=CalibrationMethod.Percentile, reduce_range=True)),
        ("pairs of one user each", dict(extra_options={"DedicatedQDQPair": True})),
        ("pairs and weights in f32", dict(per_channel=True, extra_options={"AddQDQPairToWeight": True})),
        ("pairs behind results alone", dict(extra_options={"QDQOpTypePerChannelSupportToAxis": {"MatMul": 1}, "QuantizeBias": False, "ForceQuantizeNoInputCheck": True})),
    ]
    source, target = str(Path(folder, "source.onnx")), str(Path(folder, "target.onnx"))

    def static(path, names, feeds, options):
        wide = any(str(kind).endswith(("16", "4")) for kind in options.values())
        onnx.save(convert_version(onnx.load(path), 21) if wide else onnx.load(path), source)
        quant_pre_process(source, source, skip_symbolic_shape=True)
        options = {"quant_format": QuantFormat.QDQ, "activation_type": types.QUInt8, "weight_type": types.QInt8, **options}
        data = feeds[-1:] if "calibrate_method" in options else feeds  # histograms want samples of one size
        quantize_static(source, target, Reader(names, data), **options)
        return onnx.load(target)

    def for_qnn(path, names, feeds, activation):
        quantize(path, target, get_qnn_qdq_config(path, Reader(names, feeds), activation_type=activation))
        return onnx.load(target)

    for name, path, names, feeds in saved(folder):
        for plan, options in plans:
            # onnxruntime's QLinearSoftmax makes 0 of one element, whose softmax is 1.
            several = feeds[1:] if name in ("gated", "encoder") and "operators" in plan else feeds
            yield f"static {name}, {plan}", lambda: static(path, names, several, options), several
        for activation in (types.QUInt8, types.QUInt16):
            yield f"for QNN, {name}, {activation}", lambda: for_qnn(path, names, feeds, activation), feeds


def block_files(folder):
    """Weights of products and of tables in 4 and 8 bits, as onnxruntime's quantizers for language models write them."""
    from onnxruntime.quantization import QuantFormat, matmul_nbits_quantizer as nbits

    def quantized(path, **options):
        quantizer = nbits.MatMulNBitsQuantizer(onnx.load(path), **options)
        quantizer.process()
        return quantizer.model.model

    plans = {
        f"{bits} bits of {block}, {form.name}{', symmetric' * symmetric}": dict(
            bits=bits, block_size=block, is_symmetric=symmetric, quant_format=form,
            op_types_to_quantize=("MatMul", "Gather") if bits == 4 else ("MatMul",))
        for bits, form, symmetric, block in itertools.product((4, 8), QuantFormat, (False, True), (16, 32))
        if bits == 4 or form == QuantFormat.QOperator  # of 8 bits there are no pairs
    }
    plans["HQQ"] = dict(algo_config=nbits.HQQWeightOnlyQuantConfig(block_size=16, bits=4))
    plans["k-quant"] = dict(algo_config=nbits.KQuantWeightOnlyQuantConfig())
    plans["RTN"] = dict(algo_config=nbits.RTNWeightOnlyQuantConfig())
    for name, path, _, feeds in saved(folder):
        if name in ("encoder", "sequence", "gated"):
            for plan, options in plans.items():
                yield f"blocks {name}, {plan}", lambda: quantized(path, **options), feeds


# NNCF


def nncf_files(folder):
    """Post-training quantization, and weights in 8 and 4 bits, of files."""
    import nncf

    nncf.set_log_level(50)
    target, mode = nncf.TargetDevice, nncf.CompressWeightsMode
    plans = {
        "performance": dict(preset=nncf.QuantizationPreset.PERFORMANCE), "mixed": dict(preset=nncf.QuantizationPreset.MIXED),
        "any device": dict(target_device=target.ANY), "transformer": dict(model_type=nncf.ModelType.TRANSFORMER),
        "slow correction": dict(fast_bias_correction=False),
    }
    weights = {
        mode.INT8_ASYM: {}, mode.INT8_SYM: {}, mode.INT4_ASYM: dict(group_size=8, all_layers=True), mode.INT4_SYM: dict(group_size=-1, all_layers=True)}

    def compressed(path, kind, options):
        model = onnx.load(path)
        return nncf.compress_weights(convert_version(model, 21) if "INT4" in kind.name else model, mode=kind, **options)

    for name, path, names, feeds in saved(folder):
        data = nncf.Dataset(feeds, lambda feed: dict(zip(names, feed, strict=True)))
        for plan, options in plans.items():
            if plan != "transformer" or name == "encoder":
                yield f"NNCF {name}, {plan}", lambda: nncf.quantize(onnx.load(path), data, subset_size=len(feeds), **options), feeds
        for kind, options in weights.items():
            yield f"NNCF {name}, weights {kind.value}", lambda: compressed(path, kind, options), feeds


# Intel Neural Compressor


def neural_compressor_files(folder):
    """Static and dynamic quantization, smoothed activations, and weights in 4 and 8 bits, of files."""
    from onnx_neural_compressor import data_reader
    from onnx_neural_compressor.quantization import CalibrationMethod, QuantFormat, QuantType, algorithm_entry, config, quantize

    class Reader(data_reader.CalibrationDataReader):
        def __init__(self, names, feeds):
            self.all = [dict(zip(names, feed, strict=True)) for feed in feeds]
            self.rewind()

        def get_next(self):
            return next(self.feeds, None)

        def rewind(self):
            self.feeds = iter(self.all)

    target = str(Path(folder, "compressed.onnx"))
    plans = {
        "operators": dict(quant_format=QuantFormat.QOperator), "pairs": dict(quant_format=QuantFormat.QDQ, per_channel=True),
        "s8": dict(quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax),
        "smooth": dict(quant_format=QuantFormat.QDQ, extra_options={"SmoothQuant": True, "SmoothQuantAlpha": 0.5, "SmoothQuantFolding": False}),
        "dynamic": None,
    }
    weights = {f"{bits} bits of {block}": dict(weight_bits=bits, weight_group_size=block) for bits, block in ((4, 16), (4, 32), (8, 32))}

    def quantized(path, names, feeds, options):
        # Smoothing wants samples of one size.
        data = feeds[-1:] if options and "extra_options" in options else feeds
        options = config.DynamicQuantConfig() if options is None else config.StaticQuantConfig(Reader(names, data), **options)
        quantize(path, target, options)
        return onnx.load(target)

    for name, path, names, feeds in saved(folder):
        for plan, options in plans.items():
            several = feeds[1:] if name in ("gated", "encoder") and plan == "operators" else feeds  # as in static_files
            yield f"Neural Compressor {name}, {plan}", lambda: quantized(path, names, feeds, options), several
        if name in ("encoder", "sequence", "gated"):
            for plan, options in weights.items():
                yield f"Neural Compressor {name}, {plan}", lambda: algorithm_entry.rtn_quantize_entry(path, config.RTNConfig(**options)), feeds


# PyTorch


def torch_networks():
    """A name, a module, its inputs, and how others like them are made for a number of samples."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Images(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
            self.depthwise, self.pointwise = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = F.relu(self.norm(self.stem(x)))
            x = F.relu(x + self.pointwise(F.relu(self.depthwise(x))))
            x = F.max_pool2d(x, 2)
            x = torch.cat([x, x * 0.5], 1)[:, 3:11]
            return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))

    class Recurrence(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.layer, self.last = nn.Linear(8, 16), nn.LSTM(16, 16, batch_first=True), nn.Linear(16, 3)

        def forward(self, x):
            return self.last(self.layer(torch.relu(self.first(x)))[0])

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(30, 32), nn.Linear(32, 7)
            self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")

        def forward(self, ids):
            return self.head(self.layer(self.table(ids)))

    torch.manual_seed(3)
    yield "images", Images(), lambda n: torch.randn(n, 3, 13, 12)
    yield "recurrence", Recurrence(), lambda n: torch.randn(n, 6, 8)
    yield "encoder", Encoder(), lambda n: torch.randint(0, 30, (n, 7))
    yield "transposed", nn.Sequential(nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, 2, 1, 1, groups=2), nn.Sigmoid()), lambda n: torch.randn(n, 6, 5, 4)
    yield "sequence", nn.Sequential(nn.Conv1d(5, 8, 3, padding=2, dilation=2), nn.ReLU(), nn.Conv1d(8, 8, 3), nn.Hardswish(), nn.AvgPool1d(3)), lambda n: torch.randn(n, 5, 24)
    yield "volume", nn.Sequential(nn.Conv3d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv3d(6, 4, (1, 3, 2), stride=2), nn.AvgPool3d(2)), lambda n: torch.randn(n, 2, 5, 6, 7)


def exported(module, x, path):
    """What PyTorch's exporter writes of a module, its batch open."""
    import torch

    with torch.no_grad():
        torch.onnx.export(module, (x,), path, dynamo=True, dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=4096)},), opset_version=21, external_data=False)
    return onnx.load(path)


def pt2e_files(folder):
    """Quantization of exported programs: PyTorch's pt2e, with its quantizers for x86, Arm and XNNPACK, and as trained on."""
    import torch
    from torchao.quantization.pt2e import move_exported_model_to_eval
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer import arm_inductor_quantizer as arm, x86_inductor_quantizer as x86
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config as symmetric

    plans = {
        "x86": lambda: x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config()),
        "Arm": lambda: arm.ArmInductorQuantizer().set_global(arm.get_default_arm_inductor_quantization_config()),
        "XNNPACK": lambda: XNNPACKQuantizer().set_global(symmetric(is_per_channel=True)),
        "XNNPACK, trained": lambda: XNNPACKQuantizer().set_global(symmetric(is_per_channel=True, is_qat=True)),
    }
    path = str(Path(folder, "pt2e.onnx"))

    def quantized(module, make, plan):
        trained = "trained" in plan
        shapes = ({0: torch.export.Dim("batch", min=1, max=4096)},)
        program = torch.export.export(module.train(trained), (make(4),), dynamic_shapes=shapes).module()
        program = (prepare_qat_pt2e if trained else prepare_pt2e)(program, plans[plan]())
        for _ in range(3):
            program(make(4))
        if trained:
            move_exported_model_to_eval(program)
        return exported(convert_pt2e(program), make(4), path)

    for name, module, make in torch_networks():
        feeds = [[make(n).numpy()] for n in (1, 2, 5)]
        for plan in plans:
            yield f"pt2e {name}, {plan}", lambda: quantized(module, make, plan), feeds


def torchao_files(folder):
    """Weights of linear layers in 8 and fewer bits, and activations quantized as the model runs."""
    import copy

    import torch
    from torchao import quantization as ao
    from torchao.quantization.granularity import PerAxis, PerGroup

    group, path = PerGroup(8), str(Path(folder, "torchao.onnx"))
    plans = {
        "int8": lambda: ao.Int8WeightOnlyConfig(), "int8 in groups": lambda: ao.Int8WeightOnlyConfig(granularity=group),
        "int4 in groups": lambda: ao.IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=group),
        "int3 a channel": lambda: ao.IntxWeightOnlyConfig(weight_dtype=torch.int3, granularity=PerAxis(0)),
        "int8 by int4": lambda: ao.Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4, weight_granularity=group),
        "float8": lambda: ao.Float8WeightOnlyConfig(),
    }

    def quantized(module, make, plan):
        module = copy.deepcopy(module).eval()
        ao.quantize_(module, plans[plan]())
        return exported(module, make(4), path)

    for name, module, make in torch_networks():
        if name in ("images", "recurrence", "encoder"):
            feeds = [[make(n).numpy()] for n in (1, 2, 5)]
            for plan in plans:
                yield f"torchao {name}, {plan}", lambda: quantized(module, make, plan), feeds


# TensorFlow Lite


def lite_files(folder):
    """What tf2onnx makes of TensorFlow Lite's files: all in bytes, with bytes at the border, weights alone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import numpy as np
    import tensorflow as tf
    import tf2onnx

    layers, target = keras.layers, str(Path(folder, "model.tflite"))

    def mobile(x):
        x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, padding="same")(x)))
        y = layers.ReLU()(layers.DepthwiseConv2D(3, padding="same")(x))
        x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
        x = layers.Concatenate()([layers.MaxPooling2D()(x), layers.AveragePooling2D(2)(x)])
        return layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))

    def growing(x):
        x = layers.Conv2DTranspose(4, 4, strides=2, padding="same", activation="relu")(x)
        return layers.Conv2D(2, 3, padding="same", activation="sigmoid")(layers.UpSampling2D()(x))

    def sequence(x):
        x = layers.Conv1D(8, 3, padding="causal", activation="relu")(x)
        x = layers.Conv1D(8, 3, dilation_rate=2, activation="tanh")(x)
        return layers.Dense(3)(x)

    def attention(x):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
        return layers.Dense(6, activation="relu")(x)

    def recurrence(x):
        return layers.Dense(3)(layers.LSTM(8, return_sequences=True, unroll=True)(x))

    def volume(x):
        return layers.Dense(3)(layers.Flatten()(layers.Conv3D(4, 3, activation="relu")(x)))

    lite = tf.lite.OpsSet
    plans = {
        "bytes": dict(supported_ops=[lite.TFLITE_BUILTINS_INT8]),
        "bytes at the border": dict(supported_ops=[lite.TFLITE_BUILTINS_INT8], border=tf.int8),
        "weights": dict(data=False), "f16": dict(data=False, types=[tf.float16]),
    }
    keras.utils.set_random_seed(7)
    generator = np.random.default_rng(7)

    def converted(model, shape, plan, supported_ops=None, border=None, data=True, types=None):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if data:
            samples = [generator.standard_normal((1, *shape)).astype(np.float32) for _ in range(8)]
            converter.representative_dataset = lambda: ([sample] for sample in samples)
            converter.target_spec.supported_ops = supported_ops
        if border:
            converter.inference_input_type = converter.inference_output_type = border
        if types:
            converter.target_spec.supported_types = types
        Path(target).write_bytes(converter.convert())
        return tf2onnx.convert.from_tflite(target, opset=17)[0]

    for make, shape in ((mobile, (12, 12, 3)), (growing, (5, 4, 6)), (sequence, (16, 5)), (attention, (7, 8)), (recurrence, (5, 4)), (volume, (5, 6, 7, 2))):
        inputs = keras.Input(shape, batch_size=1)
        model = keras.Model(inputs, make(inputs))
        for plan, options in plans.items():
            draw = (lambda: generator.integers(-128, 128, (1, *shape)).astype(np.int8)) if "border" in options else (lambda: generator.standard_normal((1, *shape)).astype(np.float32))
            yield f"TensorFlow Lite {make.__name__}, {plan}", lambda: converted(model, shape, plan, **options), [[draw()] for _ in range(3)]


TOOLS = {
    "onnxruntime's static quantizer": static_files, "onnxruntime's quantizer of blocks": block_files, "NNCF": nncf_files,
    "Neural Compressor": neural_compressor_files, "pt2e": pt2e_files, "torchao": torchao_files, "TensorFlow Lite": lite_files,
}
