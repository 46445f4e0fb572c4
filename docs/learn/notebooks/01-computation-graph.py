# %% [markdown]
# @en
# # 1. What a computation graph is
#
# The page of this lesson is [here](../../en/01-computation-graph.md). Below, the same graph from Python: y = 2x² + 2, in ONNX's text form.
# @ko
# # 1. 계산 그래프란 무엇인가
#
# 설명은 [1장](../../ko/01-computation-graph.md)에 있습니다. 여기서는 같은 그래프 y = 2x² + 2를 Python에서, ONNX의 텍스트 형식으로 만들어 봅니다.
# %%
import numpy as np
import onnx
import sinter

square = onnx.parser.parse_model("""
  <ir_version: 10, opset_import: ["": 20]>
  square (float x) => (float y) {
    two = Constant <value = float {2}> ()
    double = Mul (two, x)
    product = Mul (double, x)
    y = Add (product, two)
  }""")
sinter.graph(square)
# %% [markdown]
# @en
# Each box is a node, each arrow a value. Compiled, the graph is a function:
# @ko
# 상자가 노드이고 화살표가 값입니다. 컴파일하면 함수가 됩니다.
# %%
y = sinter.compile(square)
float(y(np.float32(3)))
# %% [markdown]
# @en
# ## The derivative is a graph, too
#
# ONNX has a node `Gradient` that asks for a derivative. Sinter replaces it by the nodes that compute it:
# @ko
# ## 미분도 그래프입니다
#
# ONNX에는 미분을 요구하는 `Gradient`라는 노드가 있습니다. Sinter는 그것을 미분을 계산하는 노드들로 바꿉니다.
# %%
slope = onnx.parser.parse_model("""
  <ir_version: 10, opset_import: ["": 20, "ai.onnx.preview.training": 1]>
  slope (float x) => (float y, float dy_dx) {
    two = Constant <value = float {2}> ()
    double = Mul (two, x)
    product = Mul (double, x)
    y = Add (product, two)
    dy_dx = ai.onnx.preview.training.Gradient <xs = ["x"], y = "y"> (x)
  }""")
sinter.graph(slope)
# %%
[float(value) for value in sinter.compile(slope)(np.float32(3))]
# %% [markdown]
# @en
# 2·3² + 2 = 20, and 4·3 = 12. Follow the arrows from `x` to `dy_dx`: one path for each place where `x` is read.
# @ko
# 2·3² + 2 = 20이고 4·3 = 12입니다. `x`에서 `dy_dx`로 가는 화살표를 따라가 보세요. `x`를 읽는 자리마다 경로가 하나씩 있습니다.
# %% [markdown]
# @en
# ## Fused
#
# What runs is not the nodes one after another but kernels. Here a single one:
# @ko
# ## 융합
#
# 실제로 실행되는 것은 노드 하나하나가 아니라 커널입니다. 여기서는 하나뿐입니다.
# %%
sinter.graph(square, "fused")
