"""Results that were opened from files, and those of this process: read, listed, found again."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from werkzeug.utils import secure_filename

from interp import Circuit, circuits
from interp.core.errors import InterpError, ResultError
from interp.core.result import Provenance, Result

UNPACKED = 512 * 2**20  # bytes that its numbers may take
LISTED = 60  # results


def read(content: bytes, name: str) -> Result:
    """A result file, or a circuit's JSON as scores of its edges; nothing stays on the disk.

    Raises: ResultError in one line that names the file.
    """
    is_circuit = content[:200].lstrip()[:1] == b"{"
    plain = secure_filename(name) or "file"
    with tempfile.TemporaryDirectory() as folder:
        path = (Path(folder) / plain).with_suffix(".json" if is_circuit else ".nc")
        path.write_bytes(content)
        try:
            return scores(Circuit.load(path)) if is_circuit else _result(path)
        except InterpError as error:
            raise ResultError(str(error).replace(str(path), plain)) from None


def _result(path: Path) -> Result:
    """Refused before it is loaded where its numbers would fill the memory: files are compressed."""
    try:
        with xr.open_dataset(path, engine="h5netcdf") as data:
            size = data.nbytes
    except Exception:  # `Result.load` says what is wrong with it
        size = 0
    if size > UNPACKED:
        raise ResultError(
            f"{path} holds {size / 2**20:,.0f} MiB of data, more than this page opens; use Result.load in Python"
        )
    return Result.load(path)


def scores(circuit: Circuit) -> Result:
    """A circuit as scores of the edges that it has."""
    senders, receivers, values, places = zip(*circuit.edges, strict=True) if circuit.edges else ((), (), (), ())
    labels = {"sender": np.array(senders, dtype=object), "receiver": np.array(receivers, dtype=object)}
    if circuit.by_position:
        labels["pos"] = np.array([-1 if place is None else place for place in places])
    data = xr.Dataset(
        {"score": (("batch", "edge"), np.array([values], dtype=float), {"unit": ""})},
        coords={"batch": [0], "prompt": ("batch", np.array(["".join(circuit.tokens)], dtype=object))}
        | {name: ("edge", label) for name, label in labels.items()},
        attrs={  # as `Circuit.of` reads them
            "graph": json.dumps(asdict(circuit.graph)),
            "tokens": json.dumps(circuit.tokens),
            "how": circuit.how,
            "sign": "",
            "measured": f"scores of a circuit's edges, found by {circuit.method or 'hand'}",
        },
    )
    origin = Provenance(circuit.method, {"how": circuit.how}, circuit.model, circuit.weight_hash, metric=circuit.metric)
    return circuits.eap.result(data, origin)


def key(content: bytes) -> tuple[str, str]:
    """What an opened file's result is kept by."""
    return "file", blake2b(content, digest_size=16).hexdigest()


def recent(answers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results among a process's answers, the newest first."""
    results = [about(name, answer) for name, answer in answers.items() if isinstance(answer, Result)]
    return sorted(results, key=lambda entry: entry["created"], reverse=True)[:LISTED]


def about(name: str, result: Result) -> dict[str, Any]:
    """One line of the list."""
    origin, data = result.provenance, result.data
    prompts = data["prompt"].values.ravel().tolist() if "prompt" in data.coords else []
    return {
        "name": name,
        "kind": type(result).__name__,
        "engine": origin.engine,
        "model": origin.model,
        "options": json.loads(json.dumps(dict(origin.options), default=str)),
        "prompt": str(prompts[0]) if prompts else "",
        "prompts": len(prompts),
        "created": origin.created,
        "seconds": origin.seconds,
    }
