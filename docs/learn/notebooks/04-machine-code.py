# %% [markdown]
# @en
# # 4. From a model to a library
#
# The page of this lesson is [here](../../en/04-machine-code.md). The model is y = max(0, 2x + 1).
# @ko
# # 4. 모델에서 라이브러리까지
#
# 설명은 [4장](../../ko/04-machine-code.md)에 있습니다. 모델은 y = max(0, 2x + 1)입니다.
# %%
import numpy as np
import onnx
import sinter

line = onnx.parser.parse_model("""
  <ir_version: 10, opset_import: ["": 20]>
  line (float[n] x) => (float[n] y) {
    two = Constant <value = float {2}> ()
    one = Constant <value = float {1}> ()
    double = Mul (two, x)
    sum = Add (double, one)
    y = Relu (sum)
  }""")
onnx.save(line, "line.onnx")
sinter.graph(line)
# %% [markdown]
# @en
# As a form: what one element is.
# @ko
# 형식: 원소 하나가 무엇인지를 말합니다.
# %%
!sinter compile line.onnx --emit forms -o line.forms && grep '\$' line.forms
# %% [markdown]
# @en
# As machine code, for processors with vectors of eight floats:
# @ko
# 기계어: 벡터에 float 값이 여덟 개 들어가는 프로세서를 위한 코드입니다.
# %%
!sinter compile line.onnx --cpu x86-64-v3 -o line.s && grep -m 1 -A 6 'LBB0_3:' line.s
# %% [markdown]
# @en
# And the library, used from Python:
# @ko
# 그리고 라이브러리를 Python에서 씁니다.
# %%
model = sinter.compile(line, "libline.so", header=True)
np.asarray(model(np.array([-3, -0.5, 0, 2], np.float32)))
# %%
!nm -D --defined-only libline.so | cut -c 18-
