#!/usr/bin/env python3
"""Compiles small PyTorch modules as both of PyTorch's exporters write them, and runs them beside PyTorch itself.

    exporters.py --sinter .build/release/sinter               # all, about 10 minutes
    exporters.py --sinter .build/release/sinter lstm attention # those whose names hold one of these texts

Each module is exported by `torch.onnx.export` with `dynamo=False` and `dynamo=True`, its first axis open where it can be, and run at the size that it
was exported with and at another one. What PyTorch computes is right; where onnxruntime, on the same file, differs from it as well, the
exporter has written another model, and the case counts for nobody. Files that the exporter refuses to write are left out.

A file may be refused by name with a remedy. It is a failure where it is computed wrongly, or refused with an internal error.
"""

import contextlib
import io
import os
import tempfile

import onnx
import torch
import torch.nn.functional as F
from torch import nn

import judging


class Function(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.layer = kind(5, 7, batch_first=True, **options)

    def forward(self, x):
        return self.layer(x)[0]


class SelfAttention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.layer = nn.MultiheadAttention(16, 4, batch_first=True, **options)

    def forward(self, x):
        return self.layer(x, x, x, need_weights=True)


class Gru(nn.Module):
    """A cell in a loop over a length that is known."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(5, 7)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], 7)
        for step in range(x.shape[1]):
            h = self.cell(x[:, step], h)
        return h


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4))

    def forward(self, x):
        return torch.relu(x + self.body(x))


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.silu(self.down(x.mean((2, 3), keepdim=True)))))


def real(*shape):
    return torch.randn(*shape)


def whole(high, *shape):
    return torch.randint(0, high, shape)


def modules():
    """A name, a module and its inputs, whose first axis is the batch where `batch` is not False."""
    image, rows, sequence = (lambda: real(2, 4, 9, 8)), (lambda: real(3, 6)), (lambda: real(2, 5, 16))

    def case(name, module, *inputs, batch=True):
        if not isinstance(module, nn.Module):
            module = Function(module)
        return name, module.eval(), inputs, batch

    # Layers
    yield case("linear", nn.Linear(6, 4), rows())
    yield case("linear of three axes", nn.Linear(16, 4, bias=False), sequence())
    yield case("bilinear", nn.Bilinear(6, 5, 3), rows(), real(3, 5))
    yield case("embedding", nn.Embedding(11, 5), whole(11, 3, 4))
    yield case("embedding bag", nn.EmbeddingBag(11, 5, mode="sum"), whole(11, 3, 4))
    for groups in (1, 2, 4):
        yield case(f"conv2d in {groups} groups", nn.Conv2d(4, 8, 3, padding=1, stride=2, groups=groups), image())
    yield case("conv2d same", nn.Conv2d(4, 3, 4, padding="same", dilation=2), image())
    yield case("conv2d padded by reflection", nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), image())
    yield case("conv2d padded around", nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), image())
    yield case("conv1d", nn.Conv1d(4, 6, 3, dilation=2), real(2, 4, 12))
    yield case("conv3d", nn.Conv3d(2, 3, (1, 3, 2)), real(2, 2, 4, 5, 6))
    yield case("transposed conv2d", nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), image())
    yield case("transposed conv1d in groups", nn.ConvTranspose1d(4, 6, 4, stride=2, groups=2), real(2, 4, 7))
    for pool in (nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True), nn.AvgPool2d(3, 2, padding=1), nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
                 nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((3, 4)), nn.AdaptiveMaxPool2d(1), nn.LPPool2d(2, 2), nn.MaxPool1d(2)):
        x = real(2, 4, 9, 8) if "2d" in type(pool).__name__ else real(2, 4, 9)
        yield case(repr(pool), pool, x)
    for norm in (nn.BatchNorm2d(4), nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.LayerNorm([9, 8]), nn.LocalResponseNorm(3)):
        yield case(repr(norm), norm, image())
    yield case("rms norm", nn.RMSNorm(16), sequence())
    yield case("weight norm", nn.utils.parametrizations.weight_norm(nn.Linear(6, 4)), rows())
    for activation in (nn.ReLU6(), nn.LeakyReLU(0.2), nn.ELU(0.7), nn.SELU(), nn.CELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(),
                       nn.Hardtanh(-0.5, 0.5), nn.Softplus(2, 1), nn.Softsign(), nn.Tanhshrink(), nn.Softshrink(0.3), nn.Hardshrink(0.3), nn.Threshold(0.1, 2), nn.PReLU(4),
                       nn.LogSigmoid(), nn.GLU(1), nn.Softmax2d(), nn.LogSoftmax(1), nn.Softmin(-1)):
        yield case(repr(activation), activation, image())
    yield case("pixel shuffle", nn.PixelShuffle(2), image())
    yield case("pixel unshuffle", nn.PixelUnshuffle(2), real(2, 3, 8, 6))
    yield case("channel shuffle", nn.ChannelShuffle(2), image())
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        yield case(f"upsample {mode} to a size", lambda x, mode=mode: F.interpolate(x, size=(13, 11), mode=mode), image())
    for mode in ("nearest", "nearest-exact", "bilinear"):
        yield case(f"upsample {mode} by a factor", lambda x, mode=mode: F.interpolate(x, scale_factor=1.7, mode=mode), image())
    yield case("upsample with aligned corners", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True), image())
    for mode in ("constant", "reflect", "replicate", "circular"):
        yield case(f"pad {mode}", lambda x, mode=mode: F.pad(x, (1, 2, 3, 1), mode=mode), image())
    yield case("fold", nn.Fold((6, 5), (2, 2)), real(2, 12, 20))
    yield case("unfold", nn.Unfold((2, 3), stride=2), image())
    yield case("grid sample", lambda x, g: F.grid_sample(x, g, align_corners=False), image(), torch.rand(2, 5, 6, 2) * 2 - 1)
    yield case("affine grid", lambda theta: F.affine_grid(theta, (2, 3, 5, 6), align_corners=False), real(2, 2, 3), batch=False)
    # Recurrences and attention
    for kind in (nn.RNN, nn.LSTM, nn.GRU):
        yield case(f"{kind.__name__} of two layers", Recurrent(kind, num_layers=2), real(2, 6, 5))
        yield case(f"{kind.__name__} both ways", Recurrent(kind, bidirectional=True), real(2, 6, 5))
    yield case("LSTM with a projection", Recurrent(nn.LSTM, proj_size=3), real(2, 6, 5))
    yield case("GRU cell in a loop", Gru(), real(2, 4, 5))
    yield case("multihead attention", SelfAttention(), sequence())
    yield case("attention with bias keys", SelfAttention(add_bias_kv=True, add_zero_attn=True), sequence())
    yield case("transformer encoder", nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2), sequence())
    yield case("transformer decoder", nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 32, batch_first=True, activation="gelu", norm_first=True), 1), sequence(), real(2, 7, 16))
    yield case("scaled dot product attention", lambda q: F.scaled_dot_product_attention(q, q, q), real(2, 4, 5, 8))
    yield case("causal attention", lambda q: F.scaled_dot_product_attention(q, q, q, is_causal=True), real(2, 4, 5, 8))
    yield case("attention with a mask", lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m), real(2, 4, 5, 8), real(2, 1, 5, 5))
    # Blocks
    yield case("residual block", Residual(), image())
    yield case("squeeze and excite", SqueezeExcite(), real(2, 8, 7, 7))
    yield case("mlp", nn.Sequential(nn.Flatten(), nn.Linear(288, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)), image())
    # Functions
    yield case("arithmetic with broadcasting", lambda x, y: (x * 2 - y) / (y.abs() + 1), rows(), real(3, 1))
    yield case("floor division and remainder", lambda x: (torch.floor_divide(x, 0.7), torch.remainder(x, 0.7), torch.fmod(x, 0.7)), rows())
    yield case("integer division", lambda x: (x // 3, x % 3, torch.div(x, 3, rounding_mode="trunc")), whole(20, 3, 6) - 10)
    yield case("powers", lambda x: (x**2, x**3, x.abs() ** 0.5, 2.0**x), rows())
    yield case("comparisons", lambda x, y: ((x > y) & (x != 0) | ~(y <= 0)).float(), rows(), rows())
    yield case("where and masked fill", lambda x: torch.where(x > 0, x, -x).masked_fill(x.abs() < 0.3, 7), rows())
    yield case("clamp", lambda x: (x.clamp(-0.5, 0.5), x.clamp(min=0.1), x.clamp_max(0.2)), rows())
    yield case("reductions", lambda x: (x.sum(1), x.mean((2, 3)), x.amax(1, keepdim=True), x.prod(3), x.norm(dim=1), x.logsumexp(2)), image())
    yield case("variance", lambda x: (x.var(1), x.std((2, 3), correction=0), torch.var_mean(x, 1)[1]), image())
    yield case("argmax and max", lambda x: (x.argmax(1), x.max(2).values, x.min(2).indices), image())
    yield case("topk and sort", lambda x: (x.topk(3, 1).values, x.sort(1, descending=True).values, x.argsort(1)), rows())
    yield case("kth value and median", lambda x: (x.kthvalue(2, 1).values, x.median(1).values), rows())
    yield case("cumulative", lambda x: (x.cumsum(1), x.abs().cumprod(1)), rows())
    yield case("matrix products", lambda x, y: (x @ y.transpose(1, 2), torch.einsum("bik,bjk->bij", x, y), torch.bmm(x, y.mT)), sequence(), real(2, 7, 16))
    yield case("baddbmm and addmm", lambda x: torch.baddbmm(x, x, x, beta=0.5, alpha=2), real(2, 5, 5))
    yield case("outer, dot and trace", lambda x: (torch.outer(x[0], x[1]), x[0] @ x[1], torch.diagonal(x)), real(4, 4), batch=False)
    yield case("triangles", lambda x: (x.tril(), x.triu(1)), real(2, 5, 5))
    yield case("views", lambda x: (x.view(x.shape[0], -1), x.permute(0, 2, 3, 1), x.flatten(2), x.unflatten(1, (2, 2)), x.squeeze(), x[..., None]), image())
    yield case("slices", lambda x: (x[:, 1:3], x[:, :, ::2], x[..., -1], x[:, :, -3:], x.narrow(2, 1, 4), x[:, [0, 3, 1]]), image())
    yield case("advanced indexing", lambda x, i: (x[:, i], x[torch.arange(x.shape[0]), i[: x.shape[0]]], x.index_select(1, i)), rows(), whole(6, 4), batch=False)
    yield case("gather and scatter", lambda x, i: (x.gather(1, i), torch.zeros_like(x).scatter(1, i, x), torch.zeros_like(x).scatter_add(1, i, x)), real(3, 4), whole(4, 3, 4))
    yield case("index put", lambda x: x.index_put((torch.tensor([0, 2]),), torch.ones(2, 6)), rows())
    yield case("slice assignment", lambda x: torch.cat([x[:, :1] * 0, x[:, 1:]], 1), rows())
    yield case("cat, stack, split, chunk", lambda x: (torch.cat([x, x], 1), torch.stack([x, x * 2], 1), *x.split([1, 3], 1), *x.chunk(2, 2)), image())
    yield case("repeat and expand", lambda x: (x.repeat(1, 2), x[:, None].expand(-1, 3, -1), x.repeat_interleave(2, 1), x.tile(2)), rows())
    yield case("roll and flip", lambda x: (x.roll(2, 1), x.flip(1), torch.rot90(x, 1, (2, 3))), image())
    yield case("meshgrid", lambda x: torch.meshgrid(x[0], x[1], indexing="ij"), rows())
    yield case("one hot", lambda i: F.one_hot(i, 7).float(), whole(7, 3, 4))
    yield case("arange of a size", lambda x: x + torch.arange(x.shape[1], dtype=x.dtype), rows())
    yield case("full like, zeros, ones", lambda x: x + torch.full_like(x, 2) + x.new_zeros(x.shape) + torch.ones(x.shape[1]), rows())
    yield case("casts", lambda x: (x.int(), x.bool(), (x * 10).to(torch.uint8 if False else torch.int8), x.half().float(), x.double()), rows())
    yield case("bucketize and searchsorted", lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])), rows())
    yield case("cosine similarity and distances", lambda x, y: (F.cosine_similarity(x, y), F.pairwise_distance(x, y), torch.cdist(x[None], y[None])), rows(), rows(), batch=False)
    yield case("normalize", lambda x: (F.normalize(x), F.normalize(x, p=1, dim=0)), rows(), batch=False)
    yield case("losses", lambda x, y: (F.mse_loss(x, y), F.l1_loss(x, y, reduction="sum"), F.smooth_l1_loss(x, y), F.huber_loss(x, y), F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean")), rows(), rows())
    yield case("cross entropy", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.0), rows(), whole(6, 3))
    yield case("binary cross entropy with logits", lambda x, y: F.binary_cross_entropy_with_logits(x, y), rows(), torch.rand(3, 6))
    yield case("erf, special functions", lambda x: (x.erf(), x.exp(), x.log1p() if False else (x.abs() + 1).log(), x.expm1(), x.sinh(), x.atan(), torch.atan2(x, x + 0.3)), rows())
    yield case("rounding", lambda x: (x.round(), x.floor(), x.ceil(), x.trunc(), x.frac(), x.sign()), rows())
    yield case("nan and infinities", lambda x: (torch.isnan(x / 0 * 0).float(), torch.isinf(x / 0).float(), torch.nan_to_num(x / 0)), rows())
    yield case("masks of nonzero places", lambda x: x[x > 0], rows())
    yield case("unique", lambda i: torch.unique(i), whole(5, 3, 4))
    yield case("nonzero", lambda x: torch.nonzero(x > 0), rows())


def exported(module, inputs, dynamo, batch, path):
    """The file that an exporter writes; its error where it refuses."""
    options = {}
    if batch and dynamo:
        axis = torch.export.Dim("batch", min=1, max=4096)
        options["dynamic_shapes"] = ([{0: axis} for _ in inputs],) if isinstance(module, Function) else [{0: axis} for _ in inputs]
        if isinstance(module, Function):
            options["dynamic_shapes"] = (tuple({0: axis} for _ in inputs),)
    elif batch:
        names = [f"x{index}" for index in range(len(inputs))]
        options = {"input_names": names, "dynamic_axes": {name: {0: "batch"} for name in names}}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(module, inputs, path, dynamo=dynamo, opset_version=20 if dynamo else 17, **options)


def flat(value):
    values = value if isinstance(value, (tuple, list)) else [value]
    return [item.detach().numpy() for item in values]


def resized(inputs, batch):
    """Other numbers, with one sample more where the batch is open."""
    def other(x):
        shape = [x.shape[0] + 1, *x.shape[1:]] if batch else list(x.shape)
        if x.dtype.is_floating_point:
            return torch.randn(shape) if x.min() < 0 else torch.rand(shape)
        return torch.randint(int(x.min()), int(x.max()) + 1, shape)

    return tuple(map(other, inputs))


def verdict(sinter, module, inputs, dynamo, batch, folder):
    """What came of one file, and a text: see judging.verdict."""
    path = os.path.join(folder, "model.onnx")
    try:
        exported(module, inputs, dynamo, batch, path)
        model = onnx.load(path)
    except Exception as error:  # whatever the exporter raises
        return "left out", f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    trials = []
    for trial in (inputs, resized(inputs, batch)):
        with contextlib.suppress(Exception):  # the module itself does not take such
            trials.append(([x.numpy() for x in trial], flat(module(*trial))))
    return judging.verdict(sinter, model, trials, folder)


def main():
    def files(folder):
        torch.manual_seed(11)
        with torch.no_grad():
            for name, module, inputs, batch in modules():
                for dynamo in (False, True):
                    case = f"{name}, {'torch.export' if dynamo else 'TorchScript'}"
                    yield case, lambda sinter: verdict(sinter, module, inputs, dynamo, batch, tempfile.mkdtemp(dir=folder))

    judging.tally(__doc__, files)


if __name__ == "__main__":
    main()
