"""Writes Tests/SinterTests/Fixtures/losses.safetensors: what PyTorch's losses, optimizers and learning rate schedules give.

    pip install torch==2.13.0 safetensors && python Tests/Peers/loss_fixtures.py

Losses: inputs, results, and the gradient in the first input of the sum of results times cos(0), cos(1), … Optimizers: twenty steps on a small linear
regression. Schedules: the rates of thirty epochs. The file is made again only where a case is added.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn, optim
from torch.nn import functional as F

torch.manual_seed(123)
LOSSES = {}


def add(name, loss, *inputs):
    LOSSES[name] = (loss, inputs)


def r(*shape):
    return torch.randn(*shape)


scores, classes = r(5, 4), torch.tensor([0, 3, 1, -100, 2])
weight = torch.tensor([0.5, 2.0, 1.0, 0.25])
images, labels = r(2, 3, 2, 2), torch.randint(0, 3, (2, 2, 2))
shares = torch.softmax(r(5, 4), 1)
for reduction in ["none", "sum", "mean"]:
    add(f"cross_entropy.{reduction}", lambda x, t, reduction=reduction: F.cross_entropy(x, t, reduction=reduction), scores, classes)
    add(f"cross_entropy.smooth.{reduction}", lambda x, t, w, reduction=reduction: F.cross_entropy(x, t, weight=w, label_smoothing=0.1, reduction=reduction), scores, classes, weight)
    add(f"cross_entropy.weight.{reduction}", lambda x, t, w, reduction=reduction: F.cross_entropy(x, t, weight=w, ignore_index=1, reduction=reduction), scores, classes.clamp(min=0), weight)
    add(f"cross_entropy.shares.{reduction}", lambda x, t, w, reduction=reduction: F.cross_entropy(x, t, weight=w, label_smoothing=0.2, reduction=reduction), scores, shares, weight)
    add(f"kl_div.{'batchmean' if reduction == 'mean' else reduction}", lambda x, t, reduction=reduction: F.kl_div(x, t, reduction="batchmean" if reduction == "mean" else reduction), torch.log_softmax(r(4, 3), 1), torch.softmax(r(4, 3), 1))
add("cross_entropy.images", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), images, labels)
add("cross_entropy.one", lambda x, t: F.cross_entropy(x, t), r(4), torch.tensor(2))
add("cross_entropy.far", lambda x, t: F.cross_entropy(x, t), torch.tensor([[100.0, -100.0, 0.0], [-100.0, 100.0, 100.0]]), torch.tensor([1, 0]))
add("nll_loss", lambda x, t: F.nll_loss(x, t), torch.log_softmax(r(5, 4), 1), torch.tensor([0, 3, 1, 1, 2]))
add("multi_margin_loss", lambda x, t, w: F.multi_margin_loss(x, t, p=2, margin=0.7, weight=w), r(5, 4), torch.tensor([0, 3, 1, 1, 2]), weight)
add("mse_loss", lambda x, t: F.mse_loss(x, t), r(3, 4), r(3, 4))
add("l1_loss", lambda x, t: F.l1_loss(x, t, reduction="sum"), r(3, 4), r(3, 4))
add("smooth_l1_loss", lambda x, t: F.smooth_l1_loss(x, t, beta=0.5), r(3, 4), r(3, 4))
add("huber_loss", lambda x, t: F.huber_loss(x, t, delta=0.7, reduction="none"), r(3, 4), r(3, 4))
add("soft_margin_loss", lambda x, t: F.soft_margin_loss(x, t), r(3, 4) * 30, r(3, 4).sign())
add("poisson_nll_loss", lambda x, t: F.poisson_nll_loss(x, t), r(3, 4), r(3, 4).abs())
add("gaussian_nll_loss", lambda x, t, v: F.gaussian_nll_loss(x, t, v), r(3, 4), r(3, 4), r(3, 4).abs())
add("binary_cross_entropy", lambda x, t, w: F.binary_cross_entropy(x, t, weight=w), torch.rand(3, 4), torch.rand(3, 4), torch.rand(3, 4))
add("bce_with_logits", lambda x, t, w, p: F.binary_cross_entropy_with_logits(x, t, weight=w, pos_weight=p), torch.cat([r(3, 4), torch.full((1, 4), 100.0), torch.full((1, 4), -100.0)]), torch.rand(5, 4), torch.rand(5, 4), torch.rand(4) * 3)
add("bce_with_logits.plain", lambda x, t: F.binary_cross_entropy_with_logits(x, t), torch.cat([r(3, 4), torch.full((1, 4), 100.0), torch.full((1, 4), -100.0)]), torch.rand(5, 4))
add("kl_div.log", lambda x, t: F.kl_div(x, t, reduction="sum", log_target=True), torch.log_softmax(r(4, 3), 1), torch.log_softmax(r(4, 3), 1))
add("cosine_embedding_loss", lambda a, b, t: F.cosine_embedding_loss(a, b, t, margin=0.2), r(5, 4), r(5, 4), torch.tensor([1.0, -1, 1, -1, -1]))
add("triplet_margin_loss", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=1.5), r(5, 4), r(5, 4), r(5, 4))
add("triplet_margin_loss.swap", lambda a, b, c: F.triplet_margin_loss(a, b, c, p=1, swap=True, reduction="none"), r(5, 4), r(5, 4), r(5, 4))
add("margin_ranking_loss", lambda a, b, t: F.margin_ranking_loss(a, b, t, margin=0.3), r(6), r(6), r(6).sign())
add("hinge_embedding_loss", lambda x, t: F.hinge_embedding_loss(x, t), r(6), r(6).sign())

tensors = {}
for name, (loss, inputs) in LOSSES.items():
    inputs = [x.clone() for x in inputs]
    inputs[0].requires_grad_(True)
    for place, x in enumerate(inputs):
        tensors[f"loss/{name}/in{place}"] = x.detach().clone()
    result = loss(*inputs)
    tensors[f"loss/{name}/out"] = result.detach().clone()
    (result * torch.cos(torch.arange(result.numel(), dtype=torch.float64)).float().view(result.shape)).sum().backward()
    tensors[f"loss/{name}/grad"] = inputs[0].grad

OPTIMIZERS = {
    "sgd_maximize": lambda p: optim.SGD(p, lr=0.01, momentum=0.5, maximize=True),
    "adam_maximize": lambda p: optim.Adam(p, lr=0.01, maximize=True),
    "adamax": lambda p: optim.Adamax(p, lr=0.02, weight_decay=0.01),
    "radam": lambda p: optim.RAdam(p, lr=0.02, weight_decay=0.01),
    "rprop": lambda p: optim.Rprop(p, lr=0.01),
    "adagrad_initial": lambda p: optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.3),
    "sgd_all": lambda p: optim.SGD(p, lr=0.02, momentum=0.9, weight_decay=0.02, nesterov=True),
}
inputs, targets = r(8, 3), r(8, 2)
initial = nn.Linear(3, 2)
tensors |= {"optimizer/x": inputs, "optimizer/y": targets}
tensors |= {f"optimizer/initial/{key}": value.clone() for key, value in initial.state_dict().items()}
for name, make in OPTIMIZERS.items():
    net = nn.Linear(3, 2)
    net.load_state_dict(initial.state_dict())
    optimizer = make(net.parameters())
    for _ in range(20):
        optimizer.zero_grad()
        F.mse_loss(net(inputs), targets).backward()
        optimizer.step()
    tensors |= {f"optimizer/{name}/{key}": value.clone() for key, value in net.state_dict().items()}

# LBFGS on a network whose loss has curves, in f64: line searches make a rounding error ten to fifty times as large in each next step.
for name, options in {"plain": dict(lr=0.5, max_iter=6), "wolfe": dict(line_search_fn="strong_wolfe", max_iter=8, history_size=5)}.items():
    torch.manual_seed(7)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    tensors |= {f"lbfgs/{name}/initial/{key}": value.clone() for key, value in net.state_dict().items()}
    net.double()
    optimizer = optim.LBFGS(net.parameters(), **options)
    losses = []

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(net(inputs.double()), targets.double())
        loss.backward()
        return loss.detach()

    for _ in range(3):
        losses.append(float(optimizer.step(closure)))
    tensors[f"lbfgs/{name}/losses"] = torch.tensor(losses, dtype=torch.float64)

SCHEDULES = {
    "step": lambda o: optim.lr_scheduler.StepLR(o, 4, 0.5),
    "multistep": lambda o: optim.lr_scheduler.MultiStepLR(o, [3, 7], 0.2),
    "exponential": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.9),
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 30, 0.01),
    "linear": lambda o: optim.lr_scheduler.LinearLR(o, total_iters=6),
    "constant": lambda o: optim.lr_scheduler.ConstantLR(o, total_iters=6),
    "polynomial": lambda o: optim.lr_scheduler.PolynomialLR(o, 12, power=2),
    "restarts": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2, 0.001),
    "restarts_equal": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 7),
    "onecycle": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.5, total_steps=30),
    "onecycle_linear": lambda o: optim.lr_scheduler.OneCycleLR(o, 0.5, total_steps=30, anneal_strategy="linear", pct_start=0.4),
    "cyclic": lambda o: optim.lr_scheduler.CyclicLR(o, 0.1, 0.4, step_size_up=4, step_size_down=7),
    "lambda": lambda o: optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.95**epoch),
    "sequence": lambda o: optim.lr_scheduler.SequentialLR(o, [optim.lr_scheduler.ConstantLR(o, 0.1, 30), optim.lr_scheduler.ExponentialLR(o, 0.9)], [5]),
}
for name, make in SCHEDULES.items():
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(optimizer)
    rates = []
    for epoch in range(30):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if epoch < 29:
            scheduler.step()
    tensors[f"schedule/{name}"] = torch.tensor(rates, dtype=torch.float64)
measures = [1.0, 0.9, 0.9, 0.95, 0.91, 0.8999, 0.7, 0.7, 0.7, 0.7, 0.7, 0.69, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
tensors["plateau/measures"] = torch.tensor(measures, dtype=torch.float64)
for name, options in {"plain": dict(patience=2), "cooldown": dict(patience=1, factor=0.5, cooldown=2, threshold=0.05, threshold_mode="abs", min_lr=0.01), "max": dict(mode="max", patience=3)}.items():
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    rates = []
    for measure in measures:
        scheduler.step(measure)
        rates.append(optimizer.param_groups[0]["lr"])
    tensors[f"plateau/{name}"] = torch.tensor(rates, dtype=torch.float64)

target = Path(__file__).parents[1] / "SinterTests" / "Fixtures" / "losses.safetensors"
save_file({key: value.contiguous() for key, value in tensors.items()}, target, metadata={"torch": torch.__version__})
print(target.stat().st_size, "bytes")
