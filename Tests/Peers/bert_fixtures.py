"""Writes Tests/SinterTests/Fixtures/bert.safetensors: what a small BERT of transformers computes, and the losses of steps that train it.

    pip install torch==2.13.0 transformers safetensors && python Tests/Peers/bert_fixtures.py

Parameters have the names of the network in `NetworkTests.swift`, whose encoder is PyTorch's. The head's last weights are the words'. Some sentences are
shorter than the others; where a label is -100 nothing is predicted. The file is made again only where the test changes.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM

torch.manual_seed(123)
LAYERS = 2
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=32, max_position_embeddings=24,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3)
net = BertForMaskedLM(config).eval()
with torch.no_grad():
    for name, value in net.named_parameters():
        if name.endswith("bias") or "LayerNorm" in name:
            value.add_(torch.randn_like(value) * 0.2)


def renamed(state):
    result = {}
    for ours, theirs in {
        "words.weight": "bert.embeddings.word_embeddings.weight", "places.weight": "bert.embeddings.position_embeddings.weight",
        "segments.weight": "bert.embeddings.token_type_embeddings.weight", "norm.weight": "bert.embeddings.LayerNorm.weight",
        "norm.bias": "bert.embeddings.LayerNorm.bias", "dense.weight": "cls.predictions.transform.dense.weight",
        "dense.bias": "cls.predictions.transform.dense.bias", "headNorm.weight": "cls.predictions.transform.LayerNorm.weight",
        "headNorm.bias": "cls.predictions.transform.LayerNorm.bias", "bias": "cls.predictions.bias",
    }.items():
        result[ours] = state[theirs]
    for layer in range(LAYERS):
        ours, theirs = f"encoder.layers.{layer}.", f"bert.encoder.layer.{layer}."
        for kind in ("weight", "bias"):
            parts = [state[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            result[f"{ours}self_attn.in_proj_{kind}"] = torch.cat(parts)
            for own, other in {
                "self_attn.out_proj": "attention.output.dense", "norm1": "attention.output.LayerNorm", "linear1": "intermediate.dense",
                "linear2": "output.dense", "norm2": "output.LayerNorm",
            }.items():
                result[f"{ours}{own}.{kind}"] = state[f"{theirs}{other}.{kind}"]
    return {name: value.detach().clone().contiguous() for name, value in result.items()}


tensors = renamed(net.state_dict())
tokens, segments = torch.randint(0, 40, (3, 11)), (torch.arange(11) >= torch.tensor([[4], [6], [9]])).long()
lengths = torch.tensor([11, 8, 5])
mask = torch.arange(11) < lengths[:, None]
labels = torch.where(mask & (torch.rand(3, 11) < 0.4), torch.randint(0, 40, (3, 11)), -100)


def run():
    return net(input_ids=tokens, token_type_ids=segments, attention_mask=mask.long(), labels=labels)


with torch.no_grad():
    logits = run().logits
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
losses = []
for _ in range(5):
    loss = run().loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
tensors |= {
    "in.tokens": tokens, "in.segments": segments, "in.padding": ~mask, "in.labels": labels, "out.logits": logits.contiguous(),
    "out.losses": torch.tensor(losses, dtype=torch.float64)}
path = Path(__file__).parents[1] / "SinterTests" / "Fixtures" / "bert.safetensors"
save_file(tensors, path)
print(path, path.stat().st_size, losses)
