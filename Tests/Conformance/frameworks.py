#!/usr/bin/env python3
"""Compiles small models as the exporters of Keras, TensorFlow, JAX, Paddle and CatBoost write them, and as onnxruntime's converters do.

    frameworks.py --sinter .build/release/sinter                # all whose frameworks are installed
    frameworks.py --sinter .build/release/sinter keras jax      # those whose names hold one of these texts

What the framework computes is right; where onnxruntime, on the same file, differs from it as well, the exporter has written another model, and
the case counts for nobody. Files that the exporter refuses to write are left out, and frameworks that are missing are told and skipped.

A file may be refused by name with a remedy. It is a failure where it is computed wrongly, or refused with an internal error.
"""

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import onnx

import judging
from child import forked

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
GENERATOR = np.random.default_rng(23)


def normal(*shape):
    return GENERATOR.standard_normal(shape).astype(np.float32)


def arrays(value):
    return [np.asarray(item) for item in (value if isinstance(value, (list, tuple)) else [value])]


# Keras


def keras_cases(folder):
    """Keras's own export: models of layers, for any number of samples."""
    import keras
    from keras import layers as l

    def residual(x):
        y = l.Activation("silu")(l.BatchNormalization()(l.Conv2D(6, 3, padding="same")(x)))
        y = l.LayerNormalization()(l.DepthwiseConv2D(3, padding="same", depth_multiplier=1)(y))
        return l.GlobalAveragePooling2D()(l.Add()([x, y]))

    def squeeze(x):
        y = l.GlobalAveragePooling2D(keepdims=True)(x)
        return l.Multiply()([x, l.Dense(6, activation="hard_sigmoid")(l.Dense(3, activation="relu")(y))])

    def encoder(x):
        y = l.LayerNormalization()(x)
        x = l.Add()([x, l.MultiHeadAttention(2, 4)(y, y, use_causal_mask=True)])
        return l.Add()([x, l.Dense(8, activation="relu")(l.Dense(16, activation="gelu")(x))])

    image, steps, volume = (8, 9, 6), (7, 8), (4, 5, 6, 2)
    models = [
        ("dense", (6,), lambda x: l.Dense(3, activation="softmax")(l.Dense(8, activation="relu")(x))),
        ("residual", image, residual), ("squeeze and excite", image, squeeze), ("encoder", steps, encoder),
        ("convolution, strided and dilated", image, lambda x: l.Conv2D(3, 2, dilation_rate=2)(l.Conv2D(4, 3, strides=2, padding="same", groups=2)(x))),
        ("separable convolution", image, lambda x: l.SeparableConv2D(5, 3, padding="same", activation="tanh")(x)),
        ("transposed convolution", image, lambda x: l.Conv2DTranspose(3, 4, strides=2, padding="same")(x)),
        ("transposed convolution, valid", image, lambda x: l.Conv2DTranspose(3, 3, strides=2, padding="valid")(x)),
        ("causal convolution", steps, lambda x: l.Conv1D(4, 3, padding="causal", dilation_rate=2)(x)),
        ("convolution of volumes", volume, lambda x: l.MaxPooling3D(2)(l.Conv3D(3, 3, padding="same", activation="elu")(x))),
        ("LSTM", steps, lambda x: l.LSTM(5)(x)), ("LSTM, sequences", steps, lambda x: l.LSTM(5, return_sequences=True, go_backwards=True)(x)),
        ("GRU", steps, lambda x: l.GRU(5, return_sequences=True)(x)), ("GRU, reset before", steps, lambda x: l.GRU(5, reset_after=False)(x)),
        ("simple RNN", steps, lambda x: l.SimpleRNN(5)(x)), ("bidirectional", steps, lambda x: l.Bidirectional(l.LSTM(4, return_sequences=True))(x)),
        ("convolutional LSTM", (3, 5, 6, 2), lambda x: l.ConvLSTM2D(3, 3, padding="same")(x)),
        ("upsampling", image, lambda x: l.UpSampling2D(2, interpolation="bilinear")(l.UpSampling2D((2, 1))(x))),
        ("resizing", image, lambda x: l.Resizing(11, 7)(x)), ("rescaling", image, lambda x: l.Rescaling(1 / 127.5, offset=-1)(x)),
        ("padding and cropping", image, lambda x: l.Cropping2D(((1, 0), (2, 1)))(l.ZeroPadding2D((2, 3))(x))),
        ("pools", image, lambda x: l.Concatenate()([l.MaxPooling2D(2, padding="same")(x), l.AveragePooling2D(2, padding="same")(x)])),
        ("normalizations", image, lambda x: l.UnitNormalization()(l.GroupNormalization(3)(l.LayerNormalization(axis=[1, 2])(x)))),
        ("RMS normalization", steps, lambda x: l.RMSNormalization()(x)), ("spectral normalization", (6,), lambda x: l.SpectralNormalization(l.Dense(4))(x)),
        ("activations", steps, lambda x: l.Concatenate()([l.Activation(name)(x) for name in (
            "relu6", "selu", "softplus", "softsign", "mish", "leaky_relu", "exponential", "log_softmax", "hard_silu", "celu", "glu", "tanh_shrink")])),
        ("PReLU", image, lambda x: l.PReLU(shared_axes=[1, 2])(x)), ("permute and reshape", steps, lambda x: l.Reshape((4, -1))(l.Permute((2, 1))(x))),
        ("time distributed", (3, *image), lambda x: l.TimeDistributed(l.Conv2D(2, 3))(x)), ("repeat", (6,), lambda x: l.RepeatVector(3)(x)),
        ("merges", (6,), lambda x: l.Dot(1)([l.Maximum()([x, l.Dense(6)(x)]), l.Subtract()([x, l.Average()([x, l.Dense(6)(x)])])])),
        ("attention", steps, lambda x: l.Attention(use_scale=True)([x, l.Dense(8)(x)])), ("additive attention", steps, lambda x: l.AdditiveAttention()([x, l.Dense(8)(x)])),
        ("grouped attention", steps, lambda x: l.GroupQueryAttention(4, 4, 2)(x, x)), ("einsum", steps, lambda x: l.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(x)),
        ("functions", steps, lambda x: keras.ops.concatenate([
            keras.ops.cumsum(x, 1), keras.ops.sort(x, 1), keras.ops.roll(x, 2, 1), keras.ops.where(x > 0, x, keras.ops.square(x)), keras.ops.flip(x, 1)], -1)),
        ("reductions", steps, lambda x: keras.ops.stack([keras.ops.logsumexp(x, 1), keras.ops.var(x, 1), keras.ops.norm(x, axis=1), keras.ops.median(x, 1)], 1)),
        ("top k and one hot", (6,), lambda x: keras.ops.one_hot(keras.ops.top_k(x, 2)[1], 6) + keras.ops.expand_dims(keras.ops.top_k(x, 1)[0], -1)),
        ("depth to space", image, lambda x: keras.ops.reshape(keras.ops.transpose(x, (0, 3, 1, 2)), (-1, 3, 2, 72))),
    ]
    path = str(Path(folder, "keras.onnx"))
    backend = keras.backend.backend()
    for name, shape, build in models:
        def make():
            keras.utils.set_random_seed(5)
            inputs = keras.Input(shape)
            model = keras.Model(inputs, build(inputs))
            for weight in model.weights:  # statistics and scales that are not what they began as
                if "norm" in weight.path and "seed" not in weight.path:
                    weight.assign(keras.ops.abs(weight) + 0.1 * np.abs(normal(*weight.shape)))
            trials = [([x], arrays(keras.ops.convert_to_numpy(model(x, training=False)))) for x in (normal(2, *shape), normal(3, *shape), normal(1, *shape))]
            model.export(path, format="onnx", verbose=False)
            return onnx.load(path), trials
        yield f"keras, {name}, on {backend}", make
    for name, build in (
            ("MobileNetV2", lambda: keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=10)),
            ("MobileNetV3", lambda: keras.applications.MobileNetV3Small((32, 32, 3), weights=None, classes=10, minimalistic=True))):
        def make():
            keras.utils.set_random_seed(5)
            model, x = build(), normal(2, 32, 32, 3)
            trials = [([x], arrays(keras.ops.convert_to_numpy(model(x, training=False))))]
            model.export(path, format="onnx", verbose=False)
            return onnx.load(path), trials
        yield f"keras, {name}, on {backend}", make

    def two():
        words, numbers = keras.Input((5,), dtype="int32", name="a"), keras.Input((3,), name="b")
        y = l.Concatenate()([l.GlobalMaxPooling1D()(l.Embedding(11, 4)(words)), l.Dense(4)(numbers)])
        model = keras.Model([words, numbers], [l.Dense(2)(y), l.Dense(1, activation="sigmoid")(y)])
        feed = [GENERATOR.integers(0, 11, (3, 5)).astype(np.int32), normal(3, 3)]
        trials = [(feed, [keras.ops.convert_to_numpy(y) for y in model(feed, training=False)])]
        model.export(path, format="onnx", verbose=False)
        return onnx.load(path), trials

    yield f"keras, two inputs and results, on {backend}", two


# TensorFlow


def tensorflow_cases(folder):
    """Functions of TensorFlow through tf2onnx, each axis of the first input open."""
    import tensorflow as tf
    import tf2onnx

    def loop(x):
        return tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, tf.tanh(y) + x), [tf.constant(0), x])[1]

    def collected(x):
        parts = tf.TensorArray(tf.float32, 3)
        for step in range(3):
            parts = parts.write(step, x[:, step] * float(step))
        return parts.stack()

    matrix, image = (3, 6), (2, 6, 8, 3)
    functions = [
        ("einsum", matrix, lambda x: tf.einsum("ij,kj->ik", x, x)), ("strided slices", matrix, lambda x: (x[:, 1:5:2], x[:, ::-1], x[..., tf.newaxis], x[-1])),
        ("gather by positions", matrix, lambda x: (tf.gather_nd(x, [[0, 1], [2, 3]]), tf.gather(x, [2, 0], axis=1), tf.gather(x, [[1], [2], [0]], batch_dims=1))),
        ("scatter by positions", matrix, lambda x: tf.scatter_nd([[0], [4], [0]], x, (5, 6)) if x.shape[0] == 3 else tf.tensor_scatter_nd_update(x, [[0, 1]], [9.0])),
        ("update of places", matrix, lambda x: (tf.tensor_scatter_nd_update(x, [[0, 1], [1, 0]], [9.0, 8.0]), tf.tensor_scatter_nd_add(x, [[0, 1], [0, 1]], [1.0, 2.0]))),
        ("where", matrix, lambda x: tf.where(x > 0, x, -x * 2)), ("positions of true ones", matrix, lambda x: tf.cast(tf.where(x > 0), tf.int32)),
        ("mask", matrix, lambda x: tf.boolean_mask(x, x > 0)), ("cumulative sums", matrix, lambda x: (tf.cumsum(x, 1), tf.cumsum(x, 1, exclusive=True, reverse=True))),
        ("top k", matrix, lambda x: tf.math.top_k(x, 3)[0]), ("sort", matrix, lambda x: (tf.sort(x, direction="DESCENDING"), tf.argsort(x))),
        ("segments", matrix, lambda x: tf.math.unsorted_segment_sum(tf.transpose(x), [0, 1, 0, 2, 2, 1], 3)), ("one hot", matrix, lambda x: tf.one_hot(tf.argmax(x, 1), 6)),
        ("band", matrix, lambda x: tf.linalg.band_part(x, 1, 2)), ("diagonal", matrix, lambda x: tf.linalg.diag(x)), ("reverse sequence", matrix, lambda x: tf.reverse(x, [1])),
        ("resize", image, lambda x: (tf.image.resize(x, (9, 5)), tf.image.resize(x, (12, 16), method="nearest"))), ("cubic resize", image, lambda x: tf.image.resize(x, (9, 5), method="bicubic")),
        ("blocks of space", image, lambda x: (tf.nn.space_to_depth(x, 2), tf.nn.depth_to_space(tf.tile(x, [1, 1, 1, 4]), 2))), ("batches of space", image, lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]])),
        ("patches", image, lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")),
        ("crop and resize", image, lambda x: tf.image.crop_and_resize(x, [[0.1, 0.1, 0.8, 0.9]], [0], (4, 4))), ("pooled with places", image, lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME")),
        ("local response", image, lambda x: tf.nn.local_response_normalization(x, 2, 1.0, 0.1, 0.75)), ("moments", image, lambda x: tf.nn.moments(x, [1, 2])),
        ("mirror padding", image, lambda x: (tf.pad(x, [[0, 0], [1, 2], [2, 1], [0, 0]], "REFLECT"), tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC"))),
        ("branch", matrix, lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1)), ("loop", matrix, loop), ("array of tensors", matrix, collected),
        ("map", matrix, lambda x: tf.map_fn(lambda row: tf.reduce_max(row) * row, x)), ("scan", matrix, lambda x: tf.scan(lambda a, b: a * 0.5 + b, x)),
        ("floor and mod", matrix, lambda x: (x // 0.7, x % 0.7, tf.math.floordiv(tf.cast(x * 5, tf.int32), 3), tf.math.floormod(tf.cast(x * 5, tf.int32), 3), tf.truncatediv(tf.cast(x * 5, tf.int32), 3))),
        ("special functions", matrix, lambda x: (tf.math.erf(x), tf.math.softplus(x), tf.math.asinh(x), tf.math.rsqrt(tf.abs(x) + 1), tf.math.xlogy(tf.abs(x), tf.abs(x) + 1), tf.round(x * 3))),
        ("reductions", matrix, lambda x: (tf.reduce_logsumexp(x, 1), tf.reduce_prod(x, 1), tf.reduce_any(x > 1, 1), tf.norm(x), tf.math.reduce_std(x, 1))),
        ("unique", matrix, lambda x: tf.unique(tf.reshape(tf.cast(x * 2, tf.int32), [-1]))), ("bits", matrix, lambda x: tf.bitwise.bitwise_and(tf.cast(x * 9, tf.int32), 5)),
        ("softmax", matrix, lambda x: (tf.nn.softmax(x, 0), tf.nn.log_softmax(x), tf.nn.l2_normalize(x, 1))), ("broadcast", matrix, lambda x: (tf.broadcast_to(x, (2, 3, 6)) if x.shape[0] == 3 else x, tf.tile(x, [2, 1]))),
        ("transform", (2, 16), lambda x: tf.abs(tf.signal.rfft(x))), ("suppression", (5, 4), lambda x: tf.image.non_max_suppression(tf.abs(x), tf.reduce_sum(x, 1), 3)),
        ("dynamic shapes", matrix, lambda x: tf.reshape(x, [tf.shape(x)[1], tf.shape(x)[0]]) + tf.cast(tf.range(tf.shape(x)[0]), tf.float32)),
        ("integers", matrix, lambda x: tf.cast(tf.saturate_cast(x * 300, tf.uint8), tf.int32)), ("clip", matrix, lambda x: (tf.clip_by_value(x, -0.5, 0.5), tf.nn.relu6(x * 9), tf.clip_by_norm(x, 1.0))),
    ]
    for name, shape, function in functions:
        def make():
            spec = [tf.TensorSpec((None, *shape[1:]), tf.float32, name="x")]
            traced = tf.function(function, input_signature=spec)
            model, _ = tf2onnx.convert.from_function(traced, input_signature=spec, opset=18)
            return model, [([x], arrays(tf.nest.map_structure(lambda y: y.numpy(), traced(x)))) for x in (normal(*shape), normal(shape[0], *shape[1:]))]
        yield f"tensorflow, {name}", make


# JAX


def jax_cases(folder):
    """Functions and modules of JAX through jax2onnx."""
    import jax
    from jax import lax, nn
    from jax import numpy as jnp
    from jax2onnx import to_onnx

    kernel, weights = normal(4, 3, 3, 3), normal(6, 5)
    image, matrix, cube = (2, 3, 8, 7), (4, 6), (2, 4, 6)
    functions = [
        ("mlp", matrix, lambda x: nn.softmax(nn.gelu(x @ weights) @ weights.T)), ("exact gelu", matrix, lambda x: nn.gelu(x, approximate=False)),
        ("convolution", image, lambda x: lax.conv_general_dilated(x, kernel, (2, 1), "SAME", rhs_dilation=(1, 2))),
        ("transposed convolution", (2, 8, 7, 3), lambda x: lax.conv_transpose(x, kernel.transpose(2, 3, 1, 0), (2, 2), "SAME")),
        ("pools", image, lambda x: (lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID"), lax.reduce_window(x, 0.0, lax.add, (1, 1, 3, 3), (1, 1, 1, 1), "VALID"))),
        ("attention", (2, 5, 2, 4), lambda x: nn.dot_product_attention(x, x, x)), ("causal attention", (2, 5, 2, 4), lambda x: nn.dot_product_attention(x, x, x, is_causal=True)),
        ("layer normalization", cube, lambda x: (x - x.mean(-1, keepdims=True)) * lax.rsqrt(x.var(-1, keepdims=True) + 1e-5)),
        ("einsum", cube, lambda x: jnp.einsum("bij,bkj->bik", x, x)), ("mapped", cube, lambda x: jax.vmap(lambda a: a @ a.T)(x)), ("dot general", cube, lambda x: lax.dot_general(x, x, (((1,), (1,)), ((0,), (0,))))),
        ("scan", matrix, lambda x: lax.scan(lambda c, r: (c * 0.5 + r, c.sum()), jnp.zeros(6), x)), ("loop", matrix, lambda x: lax.fori_loop(0, 4, lambda i, y: jnp.tanh(y) + x, x)),
        ("while", matrix, lambda x: lax.while_loop(lambda s: s.sum() < 100, lambda s: s + jnp.abs(x) + 1, x)), ("branch", matrix, lambda x: lax.cond(x.sum() > 0, lambda a: a * 2, lambda a: a - 1, x)),
        ("switch", matrix, lambda x: lax.switch((x[0, 0] > 0).astype(jnp.int32) + 1, [lambda a: a, lambda a: a * 2, lambda a: -a], x)),
        ("gather", matrix, lambda x: (x[:, jnp.array([2, 0, 5])], x[jnp.array([0, 3]), jnp.array([1, 2])], jnp.take_along_axis(x, jnp.argsort(x, 1), 1))),
        ("scatter", matrix, lambda x: (x.at[jnp.array([0, 2])].set(7.0), x.at[jnp.array([0, 0]), 1].add(2.0), x.at[:, 2].multiply(3.0), x.at[1].max(0.1))),
        ("slices", matrix, lambda x: (x[1:3, ::2], lax.dynamic_slice(x, (1, 2), (2, 3)), lax.dynamic_update_slice(x, x[:2, :2] * 9, (1, 1)), x[::-1])),
        ("cumulative", matrix, lambda x: (jnp.cumsum(x, axis=1), jnp.cumprod(x, axis=0), lax.cummax(x, 1))), ("sort", matrix, lambda x: (jnp.sort(x, 1), jnp.argsort(x, 0), lax.top_k(x, 2)[0])),
        ("reductions", matrix, lambda x: (x.sum(), x.max(1), x.prod(0), jnp.argmin(x, 1), nn.logsumexp(x, 1), x.std(1), jnp.linalg.norm(x, axis=1), (x > 0).any(1))),
        ("elementwise", matrix, lambda x: (jnp.sign(x), jnp.floor(x), jnp.round(x), jnp.expm1(x), jnp.log1p(jnp.abs(x)), jnp.arctan2(x, x + 1), jnp.cbrt(x), lax.erf(x), jnp.power(jnp.abs(x), x), lax.logistic(x))),
        ("division", matrix, lambda x: (x // 0.7, x % 0.7, (x * 9).astype(jnp.int32) // 4, (x * 9).astype(jnp.int32) % 4, jnp.fmod(x, 0.7))), ("special functions", matrix, lambda x: (lax.lgamma(jnp.abs(x) + 1), lax.erf_inv(x * 0.2))),
        ("clip and select", matrix, lambda x: (jnp.clip(x, -0.5, 0.5), jnp.where(x > 0, x, 0.1 * x), jnp.nan_to_num(x / 0), jnp.isfinite(x / 0))), ("activations", matrix, lambda x: (nn.silu(x), nn.relu6(x), nn.elu(x), nn.hard_swish(x), nn.mish(x), nn.softplus(x), nn.celu(x), nn.selu(x), nn.log_softmax(x))),
        ("shapes", cube, lambda x: (x.reshape(4, -1), x.transpose(2, 0, 1), jnp.concatenate([x, x], 1), jnp.stack([x, x], 1), jnp.tile(x, (1, 2, 1)), jnp.pad(x, ((0, 0), (1, 2), (0, 1))), jnp.squeeze(x[:1], 0), jnp.repeat(x, 2, 1), jnp.roll(x, 1, 2))),
        ("padding", cube, lambda x: (jnp.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"), jnp.pad(x, ((0, 0), (1, 1), (0, 0)), mode="edge"), lax.pad(x, 0.0, ((0, 0, 0), (1, -1, 1), (0, 0, 0))))),
        ("triangles and one hot", matrix, lambda x: (jnp.tril(x), jnp.triu(x, 1), nn.one_hot(jnp.argmax(x, 1), 6), jnp.eye(4) @ x)), ("resize", image, lambda x: jax.image.resize(x, (2, 3, 11, 14), "bilinear")),
        ("transform", (2, 16), lambda x: jnp.abs(jnp.fft.rfft(x))), ("bits", matrix, lambda x: ((x * 9).astype(jnp.int32) & 5) ^ 3), ("solve", (4, 4), lambda x: jnp.linalg.cholesky(x @ x.T + 4 * jnp.eye(4))),
        ("gradient", matrix, lambda x: jax.grad(lambda a: (nn.gelu(a @ weights) ** 2).sum())(x)),
    ]
    for name, shape, function in functions:
        def make():
            model = to_onnx(function, [shape], model_name="main")
            return model, [([x], arrays(jax.tree.leaves(function(jnp.asarray(x))))) for x in (normal(*shape), normal(*shape))]
        yield f"jax, {name}", make

    def modules():
        from flax import nnx

        class Block(nnx.Module):
            def __init__(self, rngs):
                self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)
                self.norm, self.first, self.second = nnx.LayerNorm(8, rngs=rngs), nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)

            def __call__(self, x):
                x = x + self.attention(self.norm(x))
                return x + self.second(nnx.gelu(self.first(x)))

        class Images(nnx.Module):
            def __init__(self, rngs):
                self.conv, self.norm = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, use_running_average=True, rngs=rngs)
                self.head = nnx.Linear(4, 5, rngs=rngs)

            def __call__(self, x):
                return self.head(nnx.avg_pool(nnx.relu(self.norm(self.conv(x))), window_shape=(2, 2), strides=(2, 2)).mean((1, 2)))

        yield "transformer block", Block, (2, 5, 8)
        yield "images", Images, (2, 8, 8, 3)

    with contextlib.suppress(ImportError):
        for name, kind, shape in modules():
            def make():
                from flax import nnx

                module = kind(nnx.Rngs(0))
                model = to_onnx(module, [("B", *shape[1:])])
                return model, [([x], arrays(module(x))) for x in (normal(*shape), normal(3, *shape[1:]))]
            yield f"flax, {name}", make


# Paddle


def isolated(make):
    """The same in a process of its own, since paddle2onnx ends the process where it fails."""
    def work(send):
        model, trials = make()
        send((model.SerializeToString(), trials))

    with forked(work, 300) as messages:
        data, trials = next(messages)
        next(messages, None)
    return onnx.load_from_string(data), trials


def paddle_cases(folder):
    """Layers of Paddle through paddle.onnx."""
    import paddle
    import paddle2onnx  # noqa: F401, which paddle.onnx needs
    from paddle import nn
    from paddle.nn import functional as F

    class Function(nn.Layer):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def forward(self, x):
            return self.function(x)

    class Recurrence(nn.Layer):
        def __init__(self, kind):
            super().__init__()
            self.layer = kind(6, 5)

        def forward(self, x):
            return self.layer(x)[0]

    class Block(nn.Layer):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2D(4, 4, 3, padding=1, groups=2), nn.BatchNorm2D(4)
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            x = F.hardswish(self.norm(self.conv(x)) + x)
            return self.head(paddle.flatten(F.adaptive_avg_pool2d(x, 1), 1))

    paddle.seed(3)
    image, steps, matrix = (2, 4, 8, 9), (2, 5, 6), (3, 6)
    models = [
        ("linear", nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax()), matrix), ("block", Block(), image), ("transposed convolution", nn.Conv2DTranspose(4, 3, 4, stride=2, padding=1), image),
        ("LSTM", Recurrence(nn.LSTM), steps), ("GRU", Recurrence(nn.GRU), steps), ("simple RNN", Recurrence(nn.SimpleRNN), steps),
        ("encoder", nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), steps), ("pools", Function(lambda x: (F.max_pool2d(x, 2), F.avg_pool2d(x, 3, 2, 1))), image),
        ("normalizations", nn.Sequential(nn.GroupNorm(2, 4), nn.InstanceNorm2D(4), nn.LayerNorm([8, 9])), image), ("upsampling", Function(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear")), image),
        ("nearest upsampling", Function(lambda x: F.interpolate(x, size=[12, 7], mode="nearest")), image), ("pixel shuffle", nn.PixelShuffle(2), image),
        ("activations", Function(lambda x: paddle.concat([F.silu(x), F.gelu(x), F.elu(x), F.swish(x), F.hardsigmoid(x), F.leaky_relu(x, 0.2), F.softplus(x), F.mish(x), F.relu6(x)], 1)), matrix),
        ("reductions", Function(lambda x: (x.sum(1), x.mean(0), x.max(1), x.argmax(1), paddle.logsumexp(x, 1), x.std(1))), matrix), ("slices", Function(lambda x: (x[:, 1:4], x[:, ::2], x[:, -2:])), matrix),
        ("gather", Function(lambda x: (paddle.gather(x, paddle.to_tensor([2, 0]), axis=1), paddle.index_select(x, paddle.to_tensor([1, 1]), axis=1))), matrix), ("where", Function(lambda x: paddle.where(x > 0, x, x * 0.1)), matrix),
        ("top k", Function(lambda x: paddle.topk(x, 3, axis=1)[0]), matrix), ("cumulative sums", Function(lambda x: paddle.cumsum(x, 1)), matrix), ("padding", Function(lambda x: F.pad(x, [1, 2, 0, 1], mode="reflect")), image),
        ("grid", Function(lambda x: F.grid_sample(x, paddle.tanh(x[:, :2].transpose([0, 2, 3, 1])))), image),
    ]
    for name, layer, shape in models:
        def make():
            layer.eval()
            spec = [paddle.static.InputSpec([None, *shape[1:]], "float32", "x")]
            path = os.path.join(tempfile.mkdtemp(dir=folder), "paddle")
            paddle.onnx.export(layer, path, input_spec=spec, opset_version=17)
            trials = []
            for x in (normal(*shape), normal(shape[0] + 1, *shape[1:])):
                y = layer(paddle.to_tensor(x))
                trials.append(([x], [item.numpy() for item in (y if isinstance(y, (list, tuple)) else [y])]))
            return onnx.load(path + ".onnx"), trials
        yield f"paddle, {name}", lambda: isolated(make)


# CatBoost


def catboost_cases(folder):
    import catboost

    x = normal(200, 6)
    score = x[:, 0] - x[:, 1] * x[:, 2]
    two, four = (score > 0).astype(int), np.digitize(score, [-1, 0, 1])
    path = str(Path(folder, "catboost.onnx"))
    options = dict(iterations=20, depth=5, verbose=False, allow_writing_files=False, thread_count=1)
    models = [
        ("regressor", catboost.CatBoostRegressor, score, {}), ("classifier", catboost.CatBoostClassifier, two, {}), ("four classes", catboost.CatBoostClassifier, four, {}),
        ("quantile", catboost.CatBoostRegressor, score, dict(loss_function="Quantile:alpha=0.3")), ("deep", catboost.CatBoostRegressor, score, dict(depth=9, iterations=5)),
        ("lossguide", catboost.CatBoostRegressor, score, dict(grow_policy="Lossguide")), ("two results", catboost.CatBoostRegressor, np.stack([score, -score], 1), dict(loss_function="MultiRMSE")),
        ("classes of text", catboost.CatBoostClassifier, np.array(["no", "yes"])[two], {}),
    ]
    for name, kind, y, more in models:
        def make():
            model = kind(**{**options, **more}).fit(x, y)
            model.save_model(path, format="onnx")
            file, trials = onnx.load(path), []
            for rows in (normal(1, 6), normal(17, 6)):
                results = []
                for port in file.graph.output:
                    if port.type.WhichOneof("value") != "tensor_type":
                        results.append([dict(zip(model.classes_.tolist(), map(float, row))) for row in model.predict_proba(rows)])
                    else:
                        value = model.predict(rows)
                        real = port.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
                        results.append(value.reshape(len(rows), -1).astype(np.float32) if real else value.reshape(-1))
                trials.append(([rows], results))
            return file, trials
        yield f"catboost, {name}", make


# onnxruntime's converters


def converter_cases(folder):
    """Halves, and what the optimizer for transformers finds: beside the files before, in onnxruntime."""
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.optimizer import optimize_model

    import networks
    from sizes import onnxruntime_runner

    path = str(Path(folder, "source.onnx"))
    for make_network in (networks.dense, networks.images, networks.residual, networks.transposed, networks.sequence, networks.volume, networks.gated, networks.lstm, networks.encoder):
        model, feeds = make_network()
        judge = onnxruntime_runner(model)
        trials = [(feed, judge(feed)) for feed in feeds]
        for kept in (True, False):
            def make():
                half = float16.convert_float_to_float16(model, keep_io_types=kept)
                if kept:
                    return half, trials
                narrow = lambda values: [value.astype(np.float16) if value.dtype == np.float32 else value for value in values]
                return half, [(narrow(feed), narrow(result)) for feed, result in trials]
            yield f"halves of {make_network.__name__}{', types at the border kept' * kept}", make
    model, feeds = networks.encoder()
    onnx.save(model, path)
    judge = onnxruntime_runner(model)
    for kind in ("bert", "gpt2", "t5", "bart", "conformer", "clip"):
        for level in (0, 1):
            yield f"optimizer for {kind}, level {level}", lambda: (
                optimize_model(path, kind, num_heads=4, hidden_size=32, opt_level=level).model, [(feed, judge(feed)) for feed in feeds])


def judged(make, folder, tolerance):
    """The verdict on a case, as a function of the compiler's path."""
    def run(sinter):
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                model, trials = make()
        except Exception as error:  # whatever the exporter or the framework raises
            return "left out", f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0]}"
        return judging.verdict(sinter, model, trials, tempfile.mkdtemp(dir=folder), tolerance)
    return run


def files(folder):
    for source in (keras_cases, tensorflow_cases, jax_cases, paddle_cases, catboost_cases, converter_cases):
        try:
            for name, make in source(folder):
                yield name, judged(make, folder, 3e-2 if name.startswith("halves") else 1e-3)
        except ImportError as error:
            print(f"skipped   {source.__name__.split('_')[0]}: {error}", flush=True)


if __name__ == "__main__":
    judging.tally(__doc__, files)
