"""The networks of the sets: PyTorch modules with random weights, and the inputs that they are exported with.

`NETWORKS` maps a name to a function without arguments, which gives (module, inputs by name).
"""

import torch
from torch import nn

from torchvision_import import torchvision  # before Transformers, which imports it too

import transformers


class Block(nn.Sequential):
    """Two 3×3 convolutions, each normalized and rectified."""

    def __init__(self, channels, results):
        super().__init__(*(
            layer for own in (channels, results)
            for layer in (nn.Conv2d(own, results, 3, padding=1), nn.BatchNorm2d(results), nn.ReLU())))


class UNet(nn.Module):
    """Four levels down and up, with the levels' results joined."""

    def __init__(self, widths=(32, 64, 128, 256, 512)):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.first = Block(3, widths[0])
        self.down = nn.ModuleList(Block(a, b) for a, b in pairs)
        self.grow = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(pairs))
        self.up = nn.ModuleList(Block(2 * a, a) for a, _ in reversed(pairs))
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image):
        levels = [self.first(image)]
        for block in self.down:
            levels.append(block(nn.functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for grow, block in zip(self.grow, self.up):
            x = block(torch.cat([levels.pop(), grow(x)], 1))
        return self.last(x)


def upward(channels, results, *shape):
    return nn.Sequential(nn.ConvTranspose2d(channels, results, *shape, bias=False), nn.BatchNorm2d(results), nn.ReLU())


class Unit(nn.Sequential):
    """A convolution, normalized, and a SiLU."""

    def __init__(self, channels, results, window=1, stride=1):
        super().__init__(
            nn.Conv2d(channels, results, window, stride, window // 2, bias=False), nn.BatchNorm2d(results), nn.SiLU())


class SplitStage(nn.Module):
    """Half of the channels pass `depth` residual pairs of 3×3 convolutions; what each pair leaves is joined (C2f)."""

    def __init__(self, channels, results, depth, residual=True):
        super().__init__()
        self.half, self.residual = results // 2, residual
        self.enter = Unit(channels, results)
        self.pairs = nn.ModuleList(
            nn.Sequential(Unit(self.half, self.half, 3), Unit(self.half, self.half, 3)) for _ in range(depth))
        self.leave = Unit((2 + depth) * self.half, results)

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        for pair in self.pairs:
            y = pair(parts[-1])
            parts.append(parts[-1] + y if self.residual else y)
        return self.leave(torch.cat(parts, 1))


class Detector(nn.Module):
    """A detector of the YOLOv8 family at its smallest: three scales, each with a head for boxes, whose sides are expectations over 16 distances,
    and one for classes."""

    def __init__(self, widths=(16, 32, 64, 128, 256), depths=(1, 2, 2, 1), classes=80, distances=16):
        super().__init__()
        a, b, c, d, e = widths
        self.distances = distances
        self.stem = nn.Sequential(Unit(3, a, 3, 2), Unit(a, b, 3, 2), SplitStage(b, b, depths[0]))
        self.third = nn.Sequential(Unit(b, c, 3, 2), SplitStage(c, c, depths[1]))
        self.fourth = nn.Sequential(Unit(c, d, 3, 2), SplitStage(d, d, depths[2]))
        self.fifth = nn.Sequential(Unit(d, e, 3, 2), SplitStage(e, e, depths[3]))
        self.narrow, self.pooled = Unit(e, e // 2), Unit(2 * e, e)
        self.down_fourth = SplitStage(d + e, d, 1, residual=False)
        self.down_third = SplitStage(c + d, c, 1, residual=False)
        self.up_third, self.up_fourth = Unit(c, c, 3, 2), Unit(d, d, 3, 2)
        self.join_fourth = SplitStage(c + d, d, 1, residual=False)
        self.join_fifth = SplitStage(d + e, e, 1, residual=False)
        middle = max(c, min(classes, 100))
        self.boxes = nn.ModuleList(self.head(width, max(16, c // 4, 4 * distances), 4 * distances) for width in (c, d, e))
        self.scores = nn.ModuleList(self.head(width, middle, classes) for width in (c, d, e))

    @staticmethod
    def head(channels, middle, results):
        return nn.Sequential(Unit(channels, middle, 3), Unit(middle, middle, 3), nn.Conv2d(middle, results, 1))

    def pyramid(self, x):
        parts = [self.narrow(x)]
        for _ in range(3):
            parts.append(nn.functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.pooled(torch.cat(parts, 1))

    def forward(self, image):
        third = self.third(self.stem(image))
        fourth = self.fourth(third)
        fifth = self.pyramid(self.fifth(fourth))
        double = lambda x: nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        fourth = self.down_fourth(torch.cat([double(fifth), fourth], 1))
        third = self.down_third(torch.cat([double(fourth), third], 1))
        fourth = self.join_fourth(torch.cat([self.up_third(third), fourth], 1))
        fifth = self.join_fifth(torch.cat([self.up_fourth(fourth), fifth], 1))
        boxes, scores, centres, strides = [], [], [], []
        for level, (x, box, score) in enumerate(zip((third, fourth, fifth), self.boxes, self.scores)):
            rows, columns = x.shape[2:]
            boxes.append(box(x).flatten(2))
            scores.append(score(x).flatten(2))
            y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
            centres.append(torch.stack([x.flatten(), y.flatten()]))
            strides.append(torch.full((1, rows * columns), 8.0 * 2**level))
        sides = torch.cat(boxes, 2).unflatten(1, (4, self.distances)).softmax(2)
        sides = (sides * torch.arange(float(self.distances))[:, None]).sum(2)
        centre, stride = torch.cat(centres, 1), torch.cat(strides, 1)
        low, high = centre - sides[:, :2], centre + sides[:, 2:]
        return torch.cat([(low + high) / 2 * stride, (high - low) * stride, torch.cat(scores, 2).sigmoid()], 1)


class VAE(nn.Module):
    """Convolutions down to a distribution of 128 numbers, and up again from a sample of it."""

    def __init__(self, widths=(3, 32, 64, 128, 256), size=128):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.encoder = nn.Sequential(*(
            layer for a, b in pairs for layer in (nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))))
        self.mean, self.spread = nn.Linear(4096, size), nn.Linear(4096, size)
        self.widen = nn.Linear(size, 4096)
        self.decoder = nn.Sequential(
            *(upward(b, a, 4, 2, 1) for a, b in reversed(pairs[1:])), nn.ConvTranspose2d(widths[1], 3, 4, 2, 1),
            nn.Sigmoid())

    def forward(self, image, noise):
        features = self.encoder(image).flatten(1)
        mean, spread = self.mean(features), self.spread(features)
        sample = mean + noise * (0.5 * spread).exp()
        return self.decoder(self.widen(sample).view(-1, 256, 4, 4)), mean, spread


class Normalized(nn.Sequential):
    """A convolution behind a border of mirrored pixels, with each channel of an image normalized alone."""

    def __init__(self, channels, results, kernel, stride=1):
        super().__init__(
            nn.ReflectionPad2d(kernel // 2), nn.Conv2d(channels, results, kernel, stride),
            nn.InstanceNorm2d(results, affine=True))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.second = Normalized(channels, channels, 3), Normalized(channels, channels, 3)

    def forward(self, x):
        return x + self.second(self.first(x).relu())


class StyleTransfer(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList([Normalized(3, 32, 9), Normalized(32, 64, 3, 2), Normalized(64, 128, 3, 2)])
        self.middle = nn.Sequential(*(Residual(128) for _ in range(5)))
        self.up = nn.ModuleList([Normalized(128, 64, 3), Normalized(64, 32, 3)])
        self.last = nn.Sequential(nn.ReflectionPad2d(4), nn.Conv2d(32, 3, 9))

    def forward(self, x):
        for layer in self.down:
            x = layer(x).relu()
        x = self.middle(x)
        for layer in self.up:
            x = layer(nn.functional.interpolate(x, scale_factor=2, mode="nearest")).relu()
        return self.last(x)


class Recurrent(nn.Module):
    """A recurrent layer's sequence, without its last state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, sequence):
        return self.layer(sequence)[0]


class Encoder(nn.Module):
    """The last hidden state of a language model."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]


class Decoder(nn.Module):
    """The logits of a decoder, and the keys and values of each layer with the given ones before them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, position_ids, *past):
        cache = transformers.DynamicCache()
        for layer in range(len(past) // 2):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        result = self.model(input_ids=input_ids, position_ids=position_ids, past_key_values=cache, use_cache=True)
        return (result.logits, *(part for layer in result.past_key_values.layers for part in (layer.keys, layer.values)))


def vision(make, batch=1, size=224, **options):
    return lambda: (make(weights=None, **options), {"image": torch.randn(batch, 3, size, size)})


def encoder(batch=1, **shape):
    def make():
        model = transformers.BertModel(transformers.BertConfig(**shape), add_pooling_layer=False)
        ids = torch.randint(0, 30000, (batch, 128))
        return Encoder(model), {
            "input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    return make


def decoder(tokens, past):
    def make():
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config())
        inputs = {"input_ids": torch.randint(0, 50000, (1, tokens)), "position_ids": torch.arange(past, past + tokens)[None]}
        for layer in range(12 if past else 0):
            for part in ("key", "value"):
                inputs[f"past_{part}_{layer}"] = torch.randn(1, 12, past, 64)
        return Decoder(model), inputs
    return make


def perceptron(batch):
    return lambda: (
        nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)),
        {"pixels": torch.randn(batch, 784)})


def lenet(batch):
    return lambda: (
        nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        {"image": torch.randn(batch, 1, 28, 28)})


def dcgan():
    widths = (512, 256, 128, 64)
    layers = [upward(100, widths[0], 4), *(upward(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:]))]
    return nn.Sequential(*layers, nn.ConvTranspose2d(64, 3, 4, 2, 1), nn.Tanh()), {"latent": torch.randn(1, 100, 1, 1)}


MINILM = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
models = torchvision.models

NETWORKS = {
    "resnet18": vision(models.resnet18),
    "resnet50": vision(models.resnet50),
    "resnet50_b16": vision(models.resnet50, batch=16),
    "vgg16": vision(models.vgg16),
    "mobilenet_v2": vision(models.mobilenet_v2),
    "mobilenet_v3_small": vision(models.mobilenet_v3_small),
    "efficientnet_b0": vision(models.efficientnet_b0),
    "densenet121": vision(models.densenet121),
    "googlenet": vision(models.googlenet, init_weights=False, aux_logits=False),
    "inception_v3": vision(models.inception_v3, size=299, init_weights=False, aux_logits=False),
    "convnext_tiny": vision(models.convnext_tiny),
    "vit_b_16": vision(models.vit_b_16),
    "swin_t": vision(models.swin_t),
    "unet": lambda: (UNet(), {"image": torch.randn(1, 3, 256, 256)}),
    "yolov8n": lambda: (Detector(), {"image": torch.randn(1, 3, 640, 640)}),
    "bert_base": encoder(),
    "bert_base_b16": encoder(batch=16),
    "minilm": encoder(**MINILM),
    "gpt2_prefill": decoder(64, 0),
    "gpt2_decode": decoder(1, 256),
    "lstm": lambda: (Recurrent(nn.LSTM(512, 512, num_layers=2)), {"sequence": torch.randn(64, 1, 512)}),
    "gru": lambda: (Recurrent(nn.GRU(512, 512, num_layers=2)), {"sequence": torch.randn(64, 1, 512)}),
    "dcgan": dcgan,
    "vae": lambda: (VAE(), {"image": torch.randn(1, 3, 64, 64), "noise": torch.randn(1, 128)}),
    "mlp_mnist": perceptron(1),
    "mlp_mnist_b64": perceptron(64),
    "lenet": lenet(1),
    "lenet_b64": lenet(64),
    "style_transfer": lambda: (StyleTransfer(), {"image": torch.randn(1, 3, 224, 224)}),
}

# For other sets than f32.
MORE_NETWORKS = {
    "gpt2_prefill_128": decoder(128, 0),
}
