"""Writes Tests/SinterGradientTests/Fixtures/gradients.safetensors: gradients of operators by PyTorch, in f64 and in ONNX's layouts.

    pip install torch==2.13.0 safetensors && python Tests/Peers/gradient_fixtures.py

For each case the inputs of an ONNX node (NAME.0, NAME.1, …), its results (NAME.y0, …), what their gradients are (NAME.g0, …) and what comes of
them for the inputs (NAME.d0, …). The file is made again only where a case is added.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
tensors = {}


def save(name, inputs, outputs):
    """Inputs may be None; those without `requires_grad` have no gradient."""
    seeds = [torch.randn_like(y) for y in outputs]
    total = sum((y * g).sum() for y, g in zip(outputs, seeds))
    wanted = [(i, x) for i, x in enumerate(inputs) if x is not None and x.requires_grad]
    for (i, _), d in zip(wanted, torch.autograd.grad(total, [x for _, x in wanted])):
        tensors[f"{name}.d{i}"] = d.contiguous()
    for i, x in enumerate(inputs):
        if x is not None:
            tensors[f"{name}.{i}"] = x.detach().clone().contiguous()
    for i, (y, g) in enumerate(zip(outputs, seeds)):
        tensors[f"{name}.y{i}"], tensors[f"{name}.g{i}"] = y.detach().contiguous(), g.contiguous()


def leaf(*shape, low=-1.0, high=1.0):
    return (torch.rand(*shape) * (high - low) + low).requires_grad_()


def recurrence(name, kind, order, bidirectional, states):
    """ONNX has the gates in another order: `order` gives PyTorch's places of ONNX's."""
    steps, batch, size, hidden = 4, 3, 3, 2
    gates, directions = len(order), 2 if bidirectional else 1
    x, w, r = leaf(steps, batch, size), leaf(directions, gates * hidden, size), leaf(directions, gates * hidden, hidden)
    b = leaf(directions, 2 * gates * hidden)
    initial = [leaf(directions, batch, hidden) for _ in range(states)]
    back = [order.index(gate) for gate in range(gates)]

    def rows(matrix):  # ONNX's blocks of rows in PyTorch's order
        return torch.cat([matrix.split(hidden)[gate] for gate in back])

    module = getattr(nn, kind)(size, hidden, bidirectional=bidirectional)
    parameters = {}
    for d in range(directions):
        suffix = "_l0" + ("_reverse" if d else "")
        own, recurrent = b[d].chunk(2)
        parameters |= {
            f"weight_ih{suffix}": rows(w[d]), f"weight_hh{suffix}": rows(r[d]),
            f"bias_ih{suffix}": rows(own), f"bias_hh{suffix}": rows(recurrent),
        }
    given = tuple(initial) if states > 1 else initial[0]
    y, last = torch.func.functional_call(module, parameters, (x, given))
    y = y.reshape(steps, batch, directions, hidden).transpose(1, 2)
    save(name, [x, w, r, b, None, *initial], [y, *(last if states > 1 else [last])])


recurrence("rnn", "RNN", [0], False, 1)
recurrence("lstm", "LSTM", [0, 3, 1, 2], True, 2)  # i, o, f, c of i, f, g, o
recurrence("gru", "GRU", [1, 0, 2], True, 1)  # z, r, h of r, z, n

q, k, v = leaf(2, 4, 5, 3), leaf(2, 2, 6, 3), leaf(2, 2, 6, 3)
mask = leaf(5, 6)
save("attention", [q, k, v, mask], [F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)])

x, scale, bias = leaf(2, 4, 3, 2), leaf(4), leaf(4)
save("group_normalization", [x, scale, bias], [F.group_norm(x, 2, scale, bias)])
save("instance_normalization", [x, scale, bias], [F.instance_norm(x, weight=scale, bias=bias)])
x = leaf(2, 5, 3)
save("lrn", [x], [F.local_response_norm(x, 3, alpha=0.5, beta=0.75, k=1.5)])

x, grid = leaf(2, 2, 4, 5), leaf(2, 3, 2, 2, low=-1.3, high=1.3)
for mode in ["bilinear", "bicubic"]:
    save(f"grid_sample_{mode}", [x, grid], [F.grid_sample(x, grid, mode, "reflection", align_corners=False)])
x = leaf(1, 2, 4, 5)
for mode in ["bilinear", "bicubic"]:
    save(f"resize_{mode}", [x], [F.interpolate(x, size=(7, 3), mode=mode, align_corners=False)])
x = leaf(1, 2, 6, 5)
save("lp_pool", [x], [F.lp_pool2d(x.abs(), 3, (2, 3), (2, 1))])

target = Path(__file__).parents[1] / "SinterGradientTests" / "Fixtures" / "gradients.safetensors"
target.parent.mkdir(exist_ok=True)
save_file(tensors, target, metadata={"torch": torch.__version__})
