"""Writes Tests/SinterTests/Fixtures/layers.safetensors: what PyTorch's layers and functions compute, and their gradients.

    pip install torch==2.13.0 safetensors && python Tests/Peers/layer_fixtures.py

A case holds its inputs (`NAME/in0`), its parameters under the names of its state_dict (`NAME/param/weight`), its results (`NAME/out0`) and, of the sum
of all results times cos(0), cos(1), …, the gradients (`NAME/grad/in0`, `NAME/grad/weight`). The tests compare Sinter's layers with these numbers; the
file is made again only where a case is added.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

CASES = {}


def add(name, module, *inputs, grad=True, train=False):
    CASES[name] = (module, inputs, grad, train)


def r(*shape, scale=1.0):
    return torch.randn(*shape) * scale


def i(high, *shape):
    return torch.randint(0, high, shape)


torch.manual_seed(123)

# Linear and its kin
add("Linear", nn.Linear(3, 4), r(2, 3))
add("Linear.noBias", nn.Linear(3, 4, bias=False), r(2, 5, 3))
add("Bilinear", nn.Bilinear(3, 4, 2), r(5, 3), r(5, 4))
add("Embedding", nn.Embedding(7, 3), i(7, 2, 4))
add("Embedding.padding", nn.Embedding(7, 3, padding_idx=2), torch.tensor([[2, 1, 2, 6]]), train=True)
add("CosineSimilarity", nn.CosineSimilarity(), r(4, 5), r(4, 5))

# Convolutions
add("Conv1d", nn.Conv1d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2), r(2, 2, 11))
add("Conv2d", nn.Conv2d(2, 3, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), r(1, 2, 7, 12))
add("Conv2d.groups", nn.Conv2d(4, 8, 3, groups=4, bias=False), r(1, 4, 5, 5))
add("Conv2d.same", nn.Conv2d(2, 3, (4, 3), padding="same"), r(1, 2, 6, 5))
add("Conv2d.valid", nn.Conv2d(2, 3, 2, padding="valid"), r(1, 2, 4, 5))
add("Conv2d.reflect", nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="reflect"), r(1, 2, 5, 5))
add("Conv2d.replicate", nn.Conv2d(2, 3, 3, padding=2, padding_mode="replicate"), r(1, 2, 4, 5))
add("Conv2d.circular", nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="circular"), r(1, 2, 4, 5))
add("Conv2d.unbatched", nn.Conv2d(2, 3, 3), r(2, 4, 5))
add("Conv3d", nn.Conv3d(2, 3, (2, 3, 3), stride=(1, 2, 1), padding=(0, 1, 1)), r(1, 2, 3, 5, 4))
add("ConvTranspose1d", nn.ConvTranspose1d(3, 4, 3, stride=2, padding=1, output_padding=1), r(2, 3, 5))
add("ConvTranspose2d", nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2), r(1, 4, 3, 3))
add("ConvTranspose2d.dilation", nn.ConvTranspose2d(2, 3, 3, dilation=2, bias=False), r(1, 2, 3, 4))
add("ConvTranspose3d", nn.ConvTranspose3d(2, 3, 2, stride=2), r(1, 2, 2, 2, 3))

# Pools
add("MaxPool1d", nn.MaxPool1d(3, stride=2, padding=1), r(2, 3, 9))
add("MaxPool2d", nn.MaxPool2d((2, 3), stride=(2, 1), padding=(1, 1)), r(1, 2, 6, 7))
add("MaxPool2d.ceil", nn.MaxPool2d(3, stride=2, ceil_mode=True), r(1, 2, 6, 8))
add("MaxPool2d.dilation", nn.MaxPool2d(2, stride=1, dilation=2), r(1, 2, 5, 6))
add("MaxPool2d.indices", nn.MaxPool2d(2, return_indices=True), r(1, 2, 4, 6), grad=False)
add("MaxPool3d", nn.MaxPool3d(2), r(1, 2, 4, 4, 4))
add("AvgPool1d", nn.AvgPool1d(3, stride=2, padding=1), r(2, 3, 9))
add("AvgPool2d", nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False), r(1, 2, 6, 7))
add("AvgPool2d.ceil", nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), r(1, 2, 6, 8))
add("AvgPool2d.divisor", nn.AvgPool2d(2, divisor_override=3), r(1, 2, 4, 6))
add("AvgPool3d", nn.AvgPool3d((1, 2, 2)), r(1, 2, 3, 4, 4))
add("LPPool2d", nn.LPPool2d(2, 2), r(1, 2, 4, 6))
add("AdaptiveAvgPool1d", nn.AdaptiveAvgPool1d(4), r(2, 3, 10))
add("AdaptiveAvgPool2d", nn.AdaptiveAvgPool2d((3, 5)), r(1, 2, 7, 4))
add("AdaptiveAvgPool2d.none", nn.AdaptiveAvgPool2d((None, 2)), r(1, 2, 3, 6))
add("AdaptiveAvgPool2d.one", nn.AdaptiveAvgPool2d(1), r(2, 3, 4, 5))
add("AdaptiveAvgPool3d", nn.AdaptiveAvgPool3d((2, 1, 2)), r(1, 2, 4, 3, 5))
add("AdaptiveMaxPool2d", nn.AdaptiveMaxPool2d((3, 2)), r(1, 2, 7, 6))
add("AdaptiveMaxPool1d", nn.AdaptiveMaxPool1d(2), r(1, 2, 8))

# Activations, at values far out as well
far = torch.cat([r(3, 8, scale=2), torch.tensor([[-1e4, 1e4, -30.0, 30.0, -1.0, 1.0, 0.25, -0.25]])])
for name, module in {
    "ReLU": nn.ReLU(), "ReLU6": nn.ReLU6(), "LeakyReLU": nn.LeakyReLU(0.2), "Sigmoid": nn.Sigmoid(),
    "LogSigmoid": nn.LogSigmoid(), "Hardsigmoid": nn.Hardsigmoid(), "Tanh": nn.Tanh(), "Hardtanh": nn.Hardtanh(-2, 1.5),
    "Tanhshrink": nn.Tanhshrink(), "Softsign": nn.Softsign(), "Softplus": nn.Softplus(), "Softplus.beta": nn.Softplus(2, 3),
    "Softshrink": nn.Softshrink(0.7), "Hardshrink": nn.Hardshrink(), "Threshold": nn.Threshold(0.1, -3), "GELU": nn.GELU(),
    "GELU.tanh": nn.GELU("tanh"), "SiLU": nn.SiLU(), "Mish": nn.Mish(), "Hardswish": nn.Hardswish(), "ELU": nn.ELU(0.7),
    "CELU": nn.CELU(1.3), "SELU": nn.SELU(), "GLU": nn.GLU(), "Softmax": nn.Softmax(1), "LogSoftmax": nn.LogSoftmax(0),
    "Softmin": nn.Softmin(1), "PReLU": nn.PReLU(),
}.items():
    add(name, module, far.clone())
add("PReLU.channels", nn.PReLU(3), r(2, 3, 4))

# Norms
def stirred(module):
    for key, value in module.state_dict().items():
        if value.dtype == torch.float32:
            value.copy_(torch.rand_like(value) + 0.5)
    return module


add("BatchNorm1d", stirred(nn.BatchNorm1d(3)), r(4, 3))
add("BatchNorm1d.length", stirred(nn.BatchNorm1d(3)), r(4, 3, 5))
add("BatchNorm2d", stirred(nn.BatchNorm2d(3, eps=1e-3)), r(2, 3, 4, 4))
add("BatchNorm2d.train", stirred(nn.BatchNorm2d(3)), r(2, 3, 4, 4), train=True)
add("BatchNorm2d.plain", nn.BatchNorm2d(3, affine=False, track_running_stats=False), r(2, 3, 4, 4))
add("BatchNorm3d", stirred(nn.BatchNorm3d(2)), r(2, 2, 2, 3, 3))
add("InstanceNorm1d", nn.InstanceNorm1d(3), r(2, 3, 6))
add("InstanceNorm2d", stirred(nn.InstanceNorm2d(3, affine=True)), r(2, 3, 4, 4))
add("InstanceNorm3d", nn.InstanceNorm3d(2), r(1, 2, 2, 3, 4))
add("LayerNorm", stirred(nn.LayerNorm((3, 4))), r(2, 3, 4))
add("LayerNorm.noBias", stirred(nn.LayerNorm(4, bias=False)), r(2, 3, 4))
add("LayerNorm.plain", nn.LayerNorm(4, elementwise_affine=False), r(2, 3, 4))
add("RMSNorm", stirred(nn.RMSNorm(4)), r(2, 3, 4))
add("RMSNorm.epsilon", nn.RMSNorm((3, 4), eps=1e-2, elementwise_affine=False), r(2, 3, 4))
add("GroupNorm", stirred(nn.GroupNorm(2, 4)), r(2, 4, 3, 3))
add("GroupNorm.plain", nn.GroupNorm(2, 4, affine=False), r(2, 4, 5))
add("LocalResponseNorm", nn.LocalResponseNorm(3, alpha=0.1), r(2, 5, 3, 3), grad=False)
add("LocalResponseNorm.train", nn.LocalResponseNorm(3, alpha=0.1), r(2, 5, 3, 3), train=True)
add("LocalResponseNorm.even", nn.LocalResponseNorm(4, alpha=0.1, beta=0.5, k=2.0), r(2, 5, 3))

# Padding and resampling
add("ReflectionPad1d", nn.ReflectionPad1d((1, 2)), r(1, 2, 5))
add("ReflectionPad2d", nn.ReflectionPad2d((1, 2, 0, 1)), r(1, 2, 4, 5))
add("ReplicationPad2d", nn.ReplicationPad2d(2), r(1, 2, 4, 5))
add("ReplicationPad3d", nn.ReplicationPad3d((1, 0, 0, 1, 1, 1)), r(1, 1, 2, 3, 4))
add("CircularPad2d", nn.CircularPad2d((1, 2, 2, 0)), r(1, 2, 4, 5))
add("ZeroPad2d", nn.ZeroPad2d((1, 2, 0, 3)), r(1, 2, 4, 5))
add("ConstantPad1d", nn.ConstantPad1d((1, -2), 0.5), r(1, 2, 5))
add("Upsample.nearest", nn.Upsample(scale_factor=2), r(1, 2, 3, 4))
add("Upsample.size", nn.Upsample(size=(5, 3)), r(1, 2, 3, 4))
add("Upsample.bilinear", nn.Upsample(scale_factor=2.5, mode="bilinear"), r(1, 2, 3, 4))
add("Upsample.corners", nn.Upsample(size=(5, 7), mode="bilinear", align_corners=True), r(1, 2, 3, 4))
add("Upsample.linear", nn.Upsample(scale_factor=2, mode="linear"), r(1, 2, 5))
add("Upsample.bicubic", nn.Upsample(scale_factor=2, mode="bicubic"), r(1, 2, 4, 4))
add("interpolate.exact", lambda x: F.interpolate(x, size=(5, 3), mode="nearest-exact"), r(1, 2, 3, 4))
add("interpolate.area", lambda x: F.interpolate(x, size=(2, 3), mode="area"), r(1, 2, 5, 6))
add("interpolate.antialias", lambda x: F.interpolate(x, size=(3, 2), mode="bilinear", antialias=True), r(1, 2, 7, 5))
add("PixelShuffle", nn.PixelShuffle(2), r(1, 8, 2, 3))
add("PixelUnshuffle", nn.PixelUnshuffle(2), r(1, 2, 4, 6))
add("grid_sample", lambda x, g: F.grid_sample(x, g, align_corners=False), r(1, 2, 4, 5), r(1, 3, 3, 2, scale=0.6))
add("grid_sample.border", lambda x, g: F.grid_sample(x, g, mode="nearest", padding_mode="border", align_corners=True), r(1, 2, 4, 5), r(1, 3, 3, 2))
add("Flatten", nn.Flatten(2, 3), r(2, 3, 4, 5, 2))
add("Unflatten", nn.Unflatten(1, (2, 3)), r(2, 6, 4))

# Recurrent layers
class Lengths(nn.Module):
    """A recurrent layer on packed sequences."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, state = self.rnn(packed)
        return nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0], state


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [leaf for part in result for leaf in flat(part)]


add("RNN", nn.RNN(3, 4, num_layers=2), r(5, 2, 3))
add("RNN.relu", nn.RNN(3, 4, nonlinearity="relu", bidirectional=True, batch_first=True, bias=False), r(2, 5, 3))
add("LSTM", nn.LSTM(3, 4), r(5, 2, 3))
add("LSTM.deep", nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True), r(2, 5, 3))
add("LSTM.states", nn.LSTM(3, 4, num_layers=2), r(5, 2, 3), r(2, 2, 4), r(2, 2, 4))
add("LSTM.unbatched", nn.LSTM(3, 4), r(5, 3))
add("LSTM.lengths", Lengths(nn.LSTM(3, 4, bidirectional=True, batch_first=True)), r(3, 5, 3), torch.tensor([3, 5, 1]))
add("GRU", nn.GRU(3, 4, num_layers=2), r(5, 2, 3), r(2, 2, 4))
add("GRU.bidirectional", nn.GRU(3, 4, bidirectional=True, batch_first=True, bias=False), r(2, 5, 3))
add("GRU.lengths", Lengths(nn.GRU(3, 4, batch_first=True)), r(3, 5, 3), torch.tensor([2, 5, 4]))
add("RNNCell", nn.RNNCell(3, 4), r(2, 3), r(2, 4))
add("RNNCell.relu", nn.RNNCell(3, 4, nonlinearity="relu", bias=False), r(2, 3))
add("LSTMCell", nn.LSTMCell(3, 4), r(2, 3), r(2, 4), r(2, 4))
add("LSTMCell.first", nn.LSTMCell(3, 4), r(2, 3))
add("GRUCell", nn.GRUCell(3, 4), r(2, 3), r(2, 4))

# Attention
causal = nn.Transformer.generate_square_subsequent_mask(4)
padding = torch.tensor([[False, False, False, True], [False, False, False, False]])
add("MultiheadAttention", nn.MultiheadAttention(8, 2), r(3, 2, 8), r(4, 2, 8), r(4, 2, 8))
add("MultiheadAttention.masks", nn.MultiheadAttention(8, 2, batch_first=True, bias=False), r(2, 4, 8), r(2, 4, 8), r(2, 4, 8), causal, padding)
add("MultiheadAttention.widths", nn.MultiheadAttention(8, 4, kdim=5, vdim=6), r(3, 2, 8), r(4, 2, 5), r(4, 2, 6))
add("attention.causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), r(1, 2, 4, 3), r(1, 2, 4, 3), r(1, 2, 4, 3))
add("attention.mask", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=0.5), r(1, 2, 3, 3), r(1, 2, 4, 3), r(1, 2, 4, 3), torch.tensor([[True, False, True, True]] * 3))
add("TransformerEncoderLayer", nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), r(4, 2, 8))
add("TransformerEncoderLayer.normFirst", nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True), r(2, 4, 8), causal, padding)
add("TransformerDecoderLayer", nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0), r(4, 2, 8), r(3, 2, 8), causal)
add("TransformerEncoder", nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True), 2, nn.LayerNorm(8)), r(2, 4, 8))
add("TransformerDecoder", nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, norm_first=True), 2), r(4, 2, 8), r(3, 2, 8))
add("Transformer", nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True), r(2, 3, 8), r(2, 4, 8), causal)

# Functions of tensors
index = torch.tensor([[0, 2, 1], [1, 1, 0]])
for name, function, inputs in [
    ("cat", lambda a, b: torch.cat([a, b], 1), (r(2, 3), r(2, 1))),
    ("stack", lambda a, b: torch.stack([a, b], -1), (r(2, 3), r(2, 3))),
    ("chunk", lambda a: torch.chunk(a, 3, 1), (r(2, 7),)),
    ("split", lambda a: torch.split(a, 2, 1), (r(2, 5),)),
    ("split.sizes", lambda a: torch.split(a, [1, 4], 1), (r(2, 5),)),
    ("unbind", lambda a: torch.unbind(a, 1), (r(2, 3),)),
    ("gather", lambda a: a.gather(1, index), (r(2, 3),)),
    ("index_select", lambda a: a.index_select(1, torch.tensor([2, 0])), (r(2, 3),)),
    ("scatter", lambda a, b: a.scatter(1, torch.tensor([[0, 2], [1, 0]]), b), (r(2, 3), r(2, 2))),
    ("scatter_value", lambda a: a.scatter(1, torch.tensor([[0, 2], [1, 0]]), 1.5), (r(2, 3),)),
    ("scatter_add", lambda a, b: a.scatter_add(1, index, b), (r(2, 3), r(2, 3))),
    ("index_add", lambda a, b: a.index_add(0, torch.tensor([1, 1, 0]), b), (r(2, 3), r(3, 3))),
    ("where", lambda a, b: torch.where(a > b, a, b * 2), (r(2, 3), r(2, 3))),
    ("topk", lambda a: torch.topk(a, 2, 1), (r(2, 5),)),
    ("topk.least", lambda a: torch.topk(a, 2, 0, largest=False), (r(4, 3),)),
    ("sort", lambda a: torch.sort(a, 1), (r(2, 5),)),
    ("sort.descending", lambda a: torch.sort(a, 0, descending=True), (r(4, 2),)),
    ("argmax", lambda a: (a.argmax(1), a.argmin(0), a.argmax()), (r(3, 4),)),
    ("cumsum", lambda a: (a.cumsum(1), a.cumprod(0)), (r(3, 4),)),
    ("einsum", lambda a, b: torch.einsum("bij,bjk->bik", a, b), (r(2, 3, 4), r(2, 4, 2))),
    ("bmm", lambda a, b: torch.bmm(a, b), (r(2, 3, 4), r(2, 4, 2))),
    ("outer", lambda a, b: (torch.outer(a, b), torch.dot(a, a)), (r(3), r(4))),
    ("masked_fill", lambda a: a.masked_fill(a < 0, 7.0), (r(2, 3),)),
    ("triangles", lambda a: (a.triu(1), a.tril(-1), a.diagonal(dim1=-2, dim2=-1)), (r(2, 3, 4),)),
    ("clamp", lambda a: (a.clamp(-0.5, 0.5), a.clamp(min=0.1), a.clamp(max=0.1)), (r(2, 3),)),
    ("norm", lambda a: (a.norm(), a.norm(1, 1), a.norm(3, 0), a.norm(float("inf"), 1), F.normalize(a)), (r(3, 4),)),
    ("deviation", lambda a: (a.std(), a.var(1), a.var((0, 2), correction=0), a.std(2, keepdim=True)), (r(3, 4, 2),)),
    ("reductions", lambda a: (a.sum(1), a.mean((0, 1)), a.prod(1), a.amax(0), a.amin(1), a.logsumexp(1)), (r(3, 4),)),
    ("max.indices", lambda a: a.max(1), (r(3, 4),)),
    ("one_hot", lambda a: F.one_hot(a, 4), (i(4, 2, 3),)),
    ("pad", lambda a: (F.pad(a, (1, 2)), F.pad(a, (1, 0, 2, 1), value=0.5), F.pad(a, (1, 1), mode="reflect")), (r(2, 3, 4),)),
    ("flip", lambda a: (a.flip(0), a.flip([0, 1]), a.roll(1, 1), a.roll(-2, 0)), (r(3, 4),)),
    ("repeat", lambda a: (a.repeat(2, 1, 3), a.repeat_interleave(2, 1), a.unsqueeze(0).expand(2, -1, -1)), (r(2, 3),)),
    ("axes", lambda a: (a.permute(2, 0, 1), a.transpose(0, -1), a.movedim(0, 2), a.flatten(1), a.unflatten(2, (2, 2)), a.squeeze()), (r(2, 1, 4),)),
    ("slices", lambda a: (a[1], a[1:3], a[:, ::2], a.narrow(1, 1, 3), a.select(1, -1)), (r(4, 5),)),
    ("arithmetic", lambda a, b: (a.detach() % b.detach(), torch.floor_divide(a.detach(), b.detach()), a.pow(2), a.lerp(b, 0.3), torch.maximum(a, b)), (r(2, 3), r(2, 3).abs() + 0.5)),
    ("integers", lambda a, b: (a % b, torch.floor_divide(a, b), a + b, a * 3), (i(9, 2, 3) - 4, i(3, 2, 3) + 1)),
    ("logic", lambda a, b: ((a > 0) & (b > 0), (a > 0) | (b > 0), ~(a > 0), (a > 0) ^ (b > 0), (a > 0).any(1), (a > -1).all(), a.isnan()), (r(2, 3), r(2, 3))),
    ("elementwise", lambda a: (a.abs(), a.sign(), a.exp(), a.expm1(), a.sin(), a.cos(), a.tan(), a.atan(), a.sinh(), a.cosh(), a.erf(), a.floor(), a.ceil(), a.round(), a.trunc()), (r(2, 5),)),
    ("positive", lambda a: (a.log(), a.log1p(), a.log2(), a.log10(), a.sqrt(), a.rsqrt(), a.reciprocal()), (r(2, 5).abs() + 0.1,)),
    ("creation", lambda a: (a + torch.arange(3), a * torch.linspace(-1, 1, 3), a @ torch.eye(3), torch.zeros_like(a), torch.full_like(a, 2.5), a + torch.arange(0.5, 2, 0.5)), (r(2, 3),)),
    ("meshgrid", lambda a, b: torch.meshgrid(a, b, indexing="ij"), (r(2), r(3))),
]:
    add(name, function, *inputs)
add("LSTM.projected", nn.LSTM(3, 5, num_layers=2, bidirectional=True, proj_size=2), r(4, 2, 3))
add("LSTM.projectedStates", nn.LSTM(3, 5, proj_size=3, bias=False, batch_first=True), r(2, 4, 3), r(1, 2, 3), r(1, 2, 5))
add("LSTM.projectedLengths", Lengths(nn.LSTM(3, 4, proj_size=2, bidirectional=True, batch_first=True)), r(3, 5, 3), torch.tensor([3, 5, 1]))


def differentiable(tensor):
    return tensor.dtype == torch.float32


tensors = {}

for name, (module, inputs, grad, train) in CASES.items():
    if isinstance(module, nn.Module):
        module.train(train)
        for key, value in module.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                tensors[f"{name}/param/{key}"] = value.clone()
    inputs = [x.clone().requires_grad_(grad) if differentiable(x) else x.clone() for x in inputs]
    for place, x in enumerate(inputs):
        tensors[f"{name}/in{place}"] = x.detach().clone()
    if name == "MultiheadAttention.masks":
        result = module(*inputs[:3], attn_mask=inputs[3], key_padding_mask=inputs[4])
    elif name == "TransformerEncoderLayer.normFirst":
        result = module(inputs[0], src_mask=inputs[1], src_key_padding_mask=inputs[2])
    elif name == "Transformer":
        result = module(inputs[0], inputs[1], tgt_mask=inputs[2])
    elif name in ("LSTM.states", "LSTM.projectedStates"):
        result = module(inputs[0], (inputs[1], inputs[2]))
    elif name == "LSTMCell":
        result = module(inputs[0], (inputs[1], inputs[2]))
    else:
        result = module(*inputs)
    results = flat(result)
    for place, x in enumerate(results):
        tensors[f"{name}/out{place}"] = x.detach().clone()
    if not grad:
        continue
    loss = sum(
        (x * torch.cos(torch.arange(x.numel(), dtype=torch.float64)).float().view(x.shape)).sum()
        for x in results
        if differentiable(x) and x.requires_grad
    )
    if isinstance(loss, int):
        continue
    loss.backward()
    for place, x in enumerate(inputs):
        if x.grad is not None:
            tensors[f"{name}/grad/in{place}"] = x.grad
    if isinstance(module, nn.Module):
        for key, value in module.named_parameters():
            if value.grad is not None:
                tensors[f"{name}/grad/{key}"] = value.grad

tensors = {key: value.contiguous() for key, value in tensors.items()}
target = Path(__file__).parents[1] / "SinterTests" / "Fixtures" / "layers.safetensors"
target.parent.mkdir(exist_ok=True)
save_file(tensors, target, metadata={"torch": torch.__version__})
print(len(CASES), "cases,", target.stat().st_size, "bytes")
