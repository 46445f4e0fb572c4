#!/bin/bash
# LLVM (22.1.0, in llvmlite 0.50.0; 19.1 and 20.1 too), x86-64 with AVX2: a masked load of 16 floats loads what its mask leaves out.
#
# The mask is a truth value for all lanes, and a constant that keeps the first four. AVX2 takes the load in two halves of eight. The mask of the
# upper half is false throughout, so that it should be the value given for lanes left out; it becomes a plain load. A load of eight floats is
# right, and so is one of 16 on processors with mask registers (AVX-512). Code generators whose vectors are wider than a processor's meet it.
#
# Seen: 1 + 2 + … + 16 less 5 + 6 + 7 + 8 = 110 as the sum of what was loaded, where 1 + 2 + 3 + 4 = 10 is meant.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install llvmlite==0.50.0 numpy
"$work/venv/bin/python" - <<'PYTHON'
import ctypes

import llvmlite.binding as llvm
import numpy as np


def sum_of_four(lanes):
    """The sum of `lanes` floats 1, 2, 3, … as a masked load has them that keeps the first four, compiled for AVX2."""
    vector = f'<{lanes} x float>'
    kept = ', '.join(f'i1 {"true" if lane < 4 else "false"}' for lane in range(lanes))
    module = llvm.parse_assembly(f'''
        declare {vector} @llvm.masked.load.v{lanes}f32.p0(ptr, i32, <{lanes} x i1>, {vector})
        declare float @llvm.vector.reduce.fadd.v{lanes}f32(float, {vector})
        define float @sum(ptr %x, i1 %all) {{
          %one = insertelement <{lanes} x i1> poison, i1 %all, i64 0
          %same = shufflevector <{lanes} x i1> %one, <{lanes} x i1> poison, <{lanes} x i32> zeroinitializer
          %mask = and <{lanes} x i1> %same, <{kept}>
          %loaded = call {vector} @llvm.masked.load.v{lanes}f32.p0(ptr %x, i32 4, <{lanes} x i1> %mask, {vector} zeroinitializer)
          %sum = call float @llvm.vector.reduce.fadd.v{lanes}f32(float 0.0, {vector} %loaded)
          ret float %sum
        }}''')
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu='x86-64-v3', opt=2)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    x = np.arange(1, lanes + 1, dtype=np.float32)
    kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_void_p, ctypes.c_bool)
    return kind(engine.get_function_address('sum'))(x.ctypes.data, True)


llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
eight, sixteen = sum_of_four(8), sum_of_four(16)
print('LLVM', '.'.join(map(str, llvm.llvm_version_info)), ' of 8 floats:', eight, ' of 16 floats:', sixteen)
assert eight == 10, 'the load of eight has changed'
assert sixteen == 110, 'LLVM has changed'
PYTHON
