"""The networks of networks.py as functions of JAX: parameters come as a dictionary under PyTorch's names, and layouts are PyTorch's.

`CASES` has, for each name, the function, its optimizer, its loss, and the norm that gradients are clipped to. What has running statistics gives
their next values beside its result.
"""

import math

import jax
import jax.numpy as jnp
import optax


def linear(p, name, x):
    y = x @ p[f"{name}.weight"].T
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def conv(p, name, x, stride=1, padding=0):
    y = jax.lax.conv_general_dilated(
        x, p[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2, dimension_numbers=("NCHW", "OIHW", "NCHW"))
    return y + p[f"{name}.bias"][:, None, None] if f"{name}.bias" in p else y


def max_pool(x, window, stride, padding=0):
    return jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (1, 1, window, window), (1, 1, stride, stride), [(0, 0), (0, 0)] + [(padding, padding)] * 2)


def batch_norm(p, name, x, statistics):
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    count = x.size // x.shape[1]
    for part, value in (("mean", mean), ("var", variance * count / (count - 1))):
        key = f"{name}.running_{part}"
        statistics[key] = 0.9 * p[key] + 0.1 * value
    scale = p[f"{name}.weight"] / jnp.sqrt(variance + 1e-5)
    return (x - mean[:, None, None]) * scale[:, None, None] + p[f"{name}.bias"][:, None, None]


def layer_norm(p, name, x):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def attention(p, name, x, heads, causal):
    n, t, d = x.shape
    q, k, v = jnp.split(x @ p[f"{name}.in_proj_weight"].T + p[f"{name}.in_proj_bias"], 3, -1)
    q, k, v = (a.reshape(n, t, heads, d // heads).transpose(0, 2, 1, 3) for a in (q, k, v))
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(d // heads)
    if causal:
        scores = jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -jnp.inf)
    y = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(n, t, d)
    return linear(p, f"{name}.out_proj", y)


def scan_lstm(inputs, recurrent, hidden):
    """The outputs of all steps, of inputs that are multiplied already; gates i, f, g, o."""

    def step(state, row):
        h, c = state
        i, f, g, o = jnp.split(row + h @ recurrent.T, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zeros = jnp.zeros((inputs.shape[1], hidden), inputs.dtype)
    return jax.lax.scan(step, (zeros, zeros), inputs)[1]


def lstm_layers(p, name, x, layers):
    for layer in range(layers):
        inputs = x @ p[f"{name}.weight_ih_l{layer}"].T + (p[f"{name}.bias_ih_l{layer}"] + p[f"{name}.bias_hh_l{layer}"])
        x = scan_lstm(inputs, p[f"{name}.weight_hh_l{layer}"], p[f"{name}.weight_hh_l{layer}"].shape[1])
    return x


def mlp(p, x, key):
    return linear(p, "fc2", jax.nn.relu(linear(p, "fc1", x))), {}


def cnn(p, x, key):
    h = jax.nn.relu(conv(p, "conv2", jax.nn.relu(conv(p, "conv1", x))))
    h = jax.nn.relu(linear(p, "fc1", max_pool(h, 2, 2).reshape(x.shape[0], -1)))
    return linear(p, "fc2", h), {}


def cnn6(p, x, key):
    statistics = {}
    for block, rate in (("block1", 0.2), ("block2", 0.3), ("block3", 0.4)):
        for part in "12":
            x = jax.nn.relu(batch_norm(p, f"{block}.norm{part}", conv(p, f"{block}.conv{part}", x, padding=1), statistics))
        x = max_pool(x, 2, 2)
        key, own = jax.random.split(key)
        x = jnp.where(jax.random.bernoulli(own, 1 - rate, x.shape), x / (1 - rate), 0)
    h = jax.nn.relu(linear(p, "fc1", x.reshape(x.shape[0], -1)))
    return linear(p, "fc2", h), statistics


def resnet18(p, x, key):
    s = {}
    x = jax.nn.relu(batch_norm(p, "bn1", conv(p, "conv1", x, 2, 3), s))
    x = max_pool(x, 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            h = jax.nn.relu(batch_norm(p, f"{name}.bn1", conv(p, f"{name}.conv1", x, stride, 1), s))
            h = batch_norm(p, f"{name}.bn2", conv(p, f"{name}.conv2", h, 1, 1), s)
            if f"{name}.downsample.0.weight" in p:
                x = batch_norm(p, f"{name}.downsample.1", conv(p, f"{name}.downsample.0", x, stride), s)
            x = jax.nn.relu(x + h)
    return linear(p, "fc", x.mean((2, 3))), s


def row_lstm(p, x, key):
    return linear(p, "fc", lstm_layers(p, "lstm", x.swapaxes(0, 1), 1)[-1]), {}


def sentiment(p, x, key):
    h = p["embedding.weight"][x].swapaxes(0, 1)
    return linear(p, "fc", lstm_layers(p, "lstm", h, 2)[-1])[:, 0], {}


def gpt(recomputes):
    def block(p, name, x):
        x = x + attention(p, f"{name}.attention", layer_norm(p, f"{name}.norm1", x), 4, True)
        h = jax.nn.gelu(linear(p, f"{name}.fc1", layer_norm(p, f"{name}.norm2", x)), approximate=False)
        return x + linear(p, f"{name}.fc2", h)

    def forward(p, x, key):
        h = p["tokens.weight"][x] + p["places"]
        for i in range(4):
            own = jax.checkpoint(block, static_argnums=1) if recomputes else block
            h = own(p, f"blocks.{i}", h)
        return linear(p, "head", layer_norm(p, "norm", h)), {}

    return forward


def vit(p, x, key):
    h = conv(p, "patches", x, 4)
    h = h.reshape(h.shape[0], 64, -1).swapaxes(1, 2) + p["places"]
    for i in range(4):
        name = f"encoder.layers.{i}"
        h = h + attention(p, f"{name}.self_attn", layer_norm(p, f"{name}.norm1", h), 4, False)
        inner = jax.nn.gelu(linear(p, f"{name}.linear1", layer_norm(p, f"{name}.norm2", h)), approximate=False)
        h = h + linear(p, f"{name}.linear2", inner)
    return linear(p, "head", layer_norm(p, "norm", h).mean(1)), {}


def classes(scores, target):
    return optax.softmax_cross_entropy_with_integer_labels(scores, target).mean()


def binary(scores, target):
    return optax.sigmoid_binary_cross_entropy(scores, target).mean()


SGD, ADAM, ADAMW = optax.sgd(0.01), optax.adam(1e-3), optax.adamw(1e-3, weight_decay=0.1)
CASES = {
    "mlp50": (mlp, SGD, classes, None),
    "mlp100": (mlp, SGD, classes, None),
    "mlp500": (mlp, SGD, classes, None),
    "cnn": (cnn, SGD, classes, None),
    "cnn6": (cnn6, ADAM, classes, None),
    "resnet18": (resnet18, optax.sgd(0.01, momentum=0.9), classes, None),
    "lstm": (row_lstm, ADAM, classes, None),
    "sentiment": (sentiment, ADAM, binary, 5),
    "gpt12": (gpt(False), ADAMW, classes, None),
    "gpt12r": (gpt(True), ADAMW, classes, None),
    "gpt1": (gpt(False), ADAMW, classes, None),
    "vit": (vit, ADAM, classes, None),
}


def make_step(name, tensors):
    """A compiled step, and the state that it starts with: step(state, x, y) gives the next state and the loss."""
    network, optimizer, loss_function, clip = CASES[name]
    if clip is not None:
        optimizer = optax.chain(optax.clip_by_global_norm(clip), optimizer)
    statistics = {key: value for key, value in tensors.items() if ".running_" in key}
    parameters = {key: value for key, value in tensors.items() if key not in statistics and "num_batches" not in key}

    def loss(parameters, statistics, x, y, key):
        scores, next_statistics = network({**parameters, **statistics}, x, key)
        return loss_function(scores, y), next_statistics

    def step(state, x, y):
        parameters, statistics, slots, key = state
        key, own = jax.random.split(key)
        (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(parameters, statistics, x, y, own)
        updates, slots = optimizer.update(gradients, slots, parameters)
        return (optax.apply_updates(parameters, updates), statistics, slots, key), value

    state = (parameters, statistics, optimizer.init(parameters), jax.random.key(1))
    return jax.jit(step, donate_argnums=0), state
