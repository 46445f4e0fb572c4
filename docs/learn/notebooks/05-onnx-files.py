# %% [markdown]
# @en
# # 5. ONNX in and out
#
# The page of this lesson is [here](../../en/05-onnx-files.md).
# @ko
# # 5. ONNX 읽고 쓰기
#
# 설명은 [5장](../../ko/05-onnx-files.md)에 있습니다.
# %%
import numpy as np
import onnx
import onnxruntime
import sinter

pair = onnx.parser.parse_model("""
  <ir_version: 10, opset_import: ["": 20]>
  pair (float[n, k] a, float[k, m] b) => (float[n, m] c) {
    turned = Transpose <perm = [1, 0]> (b)
    back = Transpose <perm = [1, 0]> (turned)
    product = MatMul (a, back)
    c = Softmax (product)
  }""")
onnx.save(pair, "pair.onnx")
model = sinter.compile("pair.onnx")
[str(port) for port in [*model.inputs, *model.outputs]]
# %% [markdown]
# @en
# The same file in ONNX Runtime, on random numbers:
# @ko
# 같은 파일을 ONNX Runtime에서 무작위 수로 계산해 봅니다.
# %%
random = np.random.default_rng(0)
a, b = random.random((2, 3), np.float32), random.random((3, 4), np.float32)
theirs = onnxruntime.InferenceSession("pair.onnx").run(None, {"a": a, "b": b})[0]
bool(np.abs(np.asarray(model(a, b)) - theirs).max() < 1e-6)
# %% [markdown]
# @en
# Sizes that do not fit are refused before anything is computed:
# @ko
# 맞지 않는 크기는 계산하기 전에 거절합니다.
# %%
try:
    model(a, random.random((5, 4), np.float32))
except sinter.ShapeMismatchError as error:
    print(error)
# %% [markdown]
# @en
# `export_onnx` writes what is left when all is done that can be done ahead of time. The two transposes undo one another:
# @ko
# `export_onnx`는 미리 할 수 있는 일을 다 하고 남은 것을 씁니다. 두 번의 전치는 서로를 없앱니다.
# %%
sinter.export_onnx("pair.onnx", "simple.onnx")
sinter.graph("simple.onnx")
# %% [markdown]
# @en
# Operators that are not known are told of all at once:
# @ko
# 모르는 연산자는 모두 한꺼번에 알려 줍니다.
# %%
pair.graph.node[2].op_type = "Blur"
pair.graph.node[3].op_type = "Sharpen"
for problem in sinter.check(pair):
    print(problem.message)
