# %% [markdown]
# @en
# # 6. Quantization
#
# The page of this lesson is [here](../../en/06-quantization.md). The digits are those of `models/digits/data`; link that folder as `digits` beside this notebook, or
# change the path.
# @ko
# # 6. 양자화
#
# 설명은 [6장](../../ko/06-quantization.md)에 있습니다. 숫자 데이터는 `models/digits/data`에 있습니다. 이 노트북 옆에 `digits`라는 이름으로 링크하거나 경로를 바꾸세요.
# %%
import numpy as np
import onnx
import sinter
from onnx import numpy_helper


def read_idx(name):
    data = np.fromfile(f"digits/{name}", np.uint8)
    axes = data[3]
    return data[4 + 4 * axes:].reshape(data[4:4 + 4 * axes].view(">u4"))


def images(part):
    return read_idx(f"{part}-images-idx3-ubyte").reshape(-1, 64) / np.float32(16)


labels = read_idx("train-labels-idx1-ubyte")
images("train").shape
# %% [markdown]
# @en
# A network of two layers, trained by hand: the gradients of lesson 1, written out.
# @ko
# 두 층으로 된 신경망을 손으로 학습시킵니다. 1장의 미분을 풀어 쓴 것입니다.
# %%
random = np.random.default_rng(1)
w1, b1 = random.normal(0, 0.15, (64, 32)), np.zeros(32)
w2, b2 = random.normal(0, 0.2, (32, 10)), np.zeros(10)
x, target = images("train").astype(np.float64), np.eye(10)[labels]
for step in range(400):
    hidden = np.maximum(x @ w1 + b1, 0)
    scores = hidden @ w2 + b2
    exponentials = np.exp(scores - scores.max(1, keepdims=True))
    error = (exponentials / exponentials.sum(1, keepdims=True) - target) / len(x)
    back = (error @ w2.T) * (hidden > 0)
    w2 -= 1.0 * hidden.T @ error
    b2 -= 1.0 * error.sum(0)
    w1 -= 1.0 * x.T @ back
    b1 -= 1.0 * back.sum(0)
# %% [markdown]
# @en
# As an ONNX file:
# @ko
# ONNX 파일로 저장합니다.
# %%
net = onnx.parser.parse_model("""
  <ir_version: 10, opset_import: ["": 20]>
  digits (float[n, 64] image) => (float[n, 10] scores) {
    product = MatMul (image, w1)
    sum = Add (product, b1)
    hidden = Relu (sum)
    last = MatMul (hidden, w2)
    scores = Add (last, b2)
  }""")
for name, value in {"w1": w1, "b1": b1, "w2": w2, "b2": b2}.items():
    net.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
onnx.save(net, "digits.onnx")


def right(path):
    scores = np.asarray(sinter.compile(path)(images("heldout")))
    return int((scores.argmax(1) == read_idx("heldout-labels-idx1-ubyte")).sum())


print(right("digits.onnx"), "of", len(images("heldout")))
# %% [markdown]
# @en
# In bytes, with ranges from 200 samples:
# @ko
# 표본 200개로 범위를 재어 바이트로 바꿉니다.
# %%
report = sinter.quantize("digits.onnx", "digits-int8.onnx", {"image": images("train")[:200]})
print(right("digits-int8.onnx"), "of", len(images("heldout")))
for layer in report["layers"]:
    print(layer["op"], round(layer["signalToNoise"]), "dB")
# %%
sinter.graph("digits-int8.onnx", "optimized")
# %% [markdown]
# @en
# Weights of four bits, which take no samples:
# @ko
# 4비트 가중치에는 표본이 필요 없습니다.
# %%
sinter.quantize("digits.onnx", "digits-int4.onnx", weights="int4")
print(right("digits-int4.onnx"), "of", len(images("heldout")))
