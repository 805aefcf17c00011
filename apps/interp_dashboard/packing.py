"""Numbers as the browser reads them: compact, precise enough to draw, with what they measure."""

import base64
from typing import Any

import numpy as np

from interp.core.result import Result


def meaning(result: Result, variable: str) -> dict[str, Any]:
    """What the numbers are, what their sign means, and which sign supports."""
    return {
        "measured": result.measured,
        "sign": result.sign,
        "supports": result.supports(variable),
        "unit": str(result.data[variable].attrs.get("unit", "")),
    }


def numbers(values: Any, digits: int = 6) -> Any:
    """Nested lists of numbers; NaN becomes None, which JSON has."""
    array = np.asarray(values, dtype=float)
    rounded = np.round(array, digits).astype(object)
    rounded[~np.isfinite(array)] = None
    return rounded.tolist()


def encode(values: np.ndarray, kind: str) -> str:
    """Probabilities as unsigned integers (`uint8` or `uint16`, the largest stands for one), in base64."""
    top = np.iinfo(kind).max
    scaled = np.nan_to_num(np.asarray(values, dtype=np.float32)) * top
    return base64.b64encode(np.rint(np.clip(scaled, 0, top)).astype(kind).tobytes()).decode()


def encode_floats(values: np.ndarray) -> str:
    """Numbers of either sign as float32, in base64."""
    return base64.b64encode(np.asarray(values, dtype="<f4").tobytes()).decode()
