"""Writes Tests/SinterTrainingTests/Fixtures/torch: checkpoints as PyTorch saves them, and what they hold as safetensors.

    pip install torch==2.13.0 safetensors && python Tests/Peers/torch_fixtures.py

The tests compare what Sinter reads with these; the files are made again only where a case is added.
"""

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

folder = Path(__file__).resolve().parents[1] / "SinterTrainingTests" / "Fixtures" / "torch"
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(7)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).flatten(1))


def save(name, value, expected, **options):
    torch.save(value, folder / f"{name}.pt", **options)
    save_file({key: tensor.detach().clone().contiguous() for key, tensor in expected.items()}, folder / f"{name}.safetensors")


net = Net()
state = net.state_dict()
save("plain", state, state)
save("plain_legacy", state, state, _use_new_zipfile_serialization=False)
save("protocol5", state, state, pickle_protocol=5)
# Nested dictionaries, numbers, lists; an optimizer's state.
optimizer = torch.optim.Adam(net.parameters())
net(torch.randn(2, 1, 4, 3)).sum().backward()
optimizer.step()
nested = {"epoch": 3, "best": 0.25, "done": False, "model": net.state_dict(), "optimizer": optimizer.state_dict(), "note": "text", "big": 2**70}
flat = {"epoch": torch.tensor(3), "best": torch.tensor(0.25, dtype=torch.float64), "done": torch.tensor(False)}
flat |= {f"model.{k}": v for k, v in net.state_dict().items()}
for index, slots in optimizer.state_dict()["state"].items():
    flat |= {f"optimizer.state.{index}.{k}": v for k, v in slots.items()}
save("nested", nested, flat)
save("nested_legacy", nested, flat, _use_new_zipfile_serialization=False)
# Views: transposed, sliced, expanded, empty, without axes; two names for one storage; a parameter.
base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
views = OrderedDict(
    base=base, tied=base, transposed=base.t(), sliced=base[1:3, 2:5], stepped=base[::2, ::3], row=base[2],
    expanded=torch.tensor([1.0, 2.0, 3.0]).expand(4, 3), empty=torch.zeros(0, 3), scalar=torch.tensor(5.0),
    parameter=nn.Parameter(torch.ones(2)), permuted=torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
    channels_last=torch.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=torch.channels_last),
)
save("views", views, views)
save("views_legacy", views, views, _use_new_zipfile_serialization=False)
# Storages that no name leads to lie between those of tensors with names.
mixed = OrderedDict()
for place in range(6):
    mixed[f"t{place}"] = torch.arange(3, dtype=torch.float32) + place
    mixed[("no", "name", place)] = torch.arange(5, dtype=torch.float64)
save("unreached_legacy", mixed, {k: v for k, v in mixed.items() if isinstance(k, str)}, _use_new_zipfile_serialization=False)
# All types.
plain = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
types = {str(t)[6:]: torch.tensor([0, 1, 100], dtype=t) for t in plain}
types["bool"] = torch.tensor([True, False])
types["complex64"] = torch.tensor([1 + 2j, 3 - 4j])
types |= {str(t)[6:]: torch.tensor([0, 1, 100]).to(t) for t in (torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2)}
save("types", types, types)
# What is refused.
torch.save(net, folder / "module.pt")
torch.save(torch.eye(3).to_sparse(), folder / "sparse.pt")
torch.save(["only", "texts"], folder / "texts.pt")
# Another kind of archive.
torch.jit.save(torch.jit.trace(net, torch.randn(2, 1, 4, 3)), folder / "script.pt")
save_file({k: v.contiguous() for k, v in net.state_dict().items()}, folder / "script.safetensors")
print(sum(f.stat().st_size for f in folder.iterdir()), "bytes")
