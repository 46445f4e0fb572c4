"""The networks of Networks.swift in PyTorch, with the same names of parameters, and how each of them is trained."""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.checkpoint import checkpoint


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 32, 3)
        self.fc1, self.fc2 = nn.Linear(32 * 14 * 14, 128), nn.Linear(128, 10)

    def forward(self, x):
        h = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(x)))), 2)
        return self.fc2(F.relu(self.fc1(h.flatten(1))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, dropout):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        h = F.relu(self.norm1(self.conv1(x)))
        return self.drop(F.max_pool2d(F.relu(self.norm2(self.conv2(h))), 2))


class DeepCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1, self.block2, self.block3 = Block(3, 32, 0.2), Block(32, 64, 0.3), Block(64, 128, 0.4)
        self.fc1, self.fc2 = nn.Linear(128 * 4 * 4, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.block3(self.block2(self.block1(x))).flatten(1))))


class RowLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(28, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10000, 400)
        self.lstm, self.fc = nn.LSTM(400, 256, 2, batch_first=True), nn.Linear(256, 1)

    def forward(self, x):
        return self.fc(self.lstm(self.embedding(x))[0][:, -1]).squeeze(1)


class GPTBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(128), nn.MultiheadAttention(128, 4, batch_first=True)
        self.norm2, self.fc1, self.fc2 = nn.LayerNorm(128), nn.Linear(128, 512), nn.Linear(512, 128)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(64), persistent=False)

    def forward(self, x):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, attn_mask=self.mask, is_causal=True, need_weights=False)[0]
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class GPT(nn.Module):
    def __init__(self, recomputes=False):
        super().__init__()
        self.recomputes = recomputes
        self.tokens, self.places = nn.Embedding(65, 128), nn.Parameter(torch.zeros(64, 128))
        self.blocks = nn.ModuleList(GPTBlock() for _ in range(4))
        self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, 65, bias=False)

    def forward(self, x):
        h = self.tokens(x) + self.places
        for block in self.blocks:
            h = checkpoint(block, h, use_reentrant=False) if self.recomputes else block(h)
        return self.head(self.norm(h))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches, self.places = nn.Conv2d(1, 64, 4, stride=4), nn.Parameter(torch.zeros(49, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, x):
        h = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.encoder(h)).mean(1))


def resnet18():
    sys.path.append(str(Path(__file__).parent.parent / "models"))
    from torchvision_import import torchvision

    return torchvision.models.resnet18(num_classes=10)


def sgd(parameters):
    return optim.SGD(parameters, lr=0.01)


def adam(parameters):
    return optim.Adam(parameters, lr=1e-3)


def tokens_loss(scores, target):
    return F.cross_entropy(scores.flatten(0, 1), target.flatten())


# The module, its optimizer, its loss, and the norm that gradients are clipped to.
CASES = {
    "mlp50": (MLP, sgd, F.cross_entropy, None),
    "mlp100": (MLP, sgd, F.cross_entropy, None),
    "mlp500": (MLP, sgd, F.cross_entropy, None),
    "cnn": (SmallCNN, sgd, F.cross_entropy, None),
    "cnn6": (DeepCNN, adam, F.cross_entropy, None),
    "resnet18": (resnet18, lambda p: optim.SGD(p, lr=0.01, momentum=0.9), F.cross_entropy, None),
    "lstm": (RowLSTM, adam, F.cross_entropy, None),
    "sentiment": (Sentiment, adam, F.binary_cross_entropy_with_logits, 5),
    "gpt12": (GPT, lambda p: optim.AdamW(p, lr=1e-3, weight_decay=0.1), tokens_loss, None),
    "gpt12r": (lambda: GPT(True), lambda p: optim.AdamW(p, lr=1e-3, weight_decay=0.1), tokens_loss, None),
    "gpt1": (GPT, lambda p: optim.AdamW(p, lr=1e-3, weight_decay=0.1), tokens_loss, None),
    "vit": (ViT, adam, F.cross_entropy, None),
}

# Drops elements at random, other ones than Sinter does: losses cannot be compared.
RANDOM = {"cnn6"}
