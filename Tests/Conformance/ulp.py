"""How far results are from the values that the suite stores, in units in the last place (ULP).

A unit is the distance between neighbouring floats of the type, at the stored value. Two numbers tell of each operator and type the worst over all
elements of all its tests: in units at the element itself, and in units at the greatest magnitude of the whole result. The first grows without bound
where a sum cancels to nearly nothing, the second does not. Infinities and NaN, which must agree, count for nothing. The stored values are themselves
rounded results of NumPy, so that a unit or two may be theirs.

The file of these numbers has a line for each operator and type: `Erf f32 1 1`.
"""

import math

import ml_dtypes
import numpy as np

NAMES = {
    np.dtype(np.float16): "f16", np.dtype(ml_dtypes.bfloat16): "bf16", np.dtype(np.float32): "f32",
    np.dtype(np.float64): "f64",
}


def error(expected, actual):
    """The name of the element type and the worst errors, at elements and at the greatest; None of what has no such type."""
    name = NAMES.get(expected.dtype)
    if name is None or expected.size == 0:
        return None
    info = ml_dtypes.finfo(expected.dtype)
    wide, results = expected.astype(np.float64).ravel(), actual.astype(np.float64).ravel()
    finite = np.isfinite(wide) & np.isfinite(results)
    if not finite.any():
        return name, 0.0, 0.0
    wide, results = wide[finite], results[finite]
    exponents = np.frexp(np.maximum(np.abs(wide), float(info.tiny)))[1] - 1
    units = np.ldexp(float(info.eps), exponents)
    distances = np.abs(results - wide)
    return name, float(np.max(distances / units)), float(np.max(distances) / np.max(units))


def worst(results):
    """The worst errors of each pair of operator and type in the results of tests."""
    found = {}
    for result in results:
        for name, *errors in result.get("ulp", []):
            key = (result["operator"], name)
            found[key] = [max(pair) for pair in zip(errors, found.get(key, errors))]
    return found


def write(results, path):
    """Writes the file of errors anew, each rounded up to two digits."""
    path.write_text("".join(
        f"{operator} {name} {_text(at_element)} {_text(at_greatest)}\n"
        for (operator, name), (at_element, at_greatest) in sorted(worst(results).items())))


def _text(number):
    if number == 0:
        return "0"
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    rounded = math.ceil(number / step - 1e-9) * step
    return f"{rounded:.0f}" if 10 <= rounded < 1e5 else f"{rounded:.2g}"
