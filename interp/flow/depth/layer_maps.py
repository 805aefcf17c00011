"""The affine map nearest to what each layer adds: fitted on windows of text, and kept in a file for later runs."""

import io
import json
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Float

from interp.core.errors import CorpusError
from interp.core.folders import RunFile, write_whole
from interp.core.options import parse_options
from interp.core.paths import typed_path
from interp.core.prompts import Prompts
from interp.corpus.enough import require_tokens
from interp.corpus.gathering import gather
from interp.corpus.layer_sums import LayerSums
from interp.corpus.least_squares import affine_fit, moments_at
from interp.corpus.options import CorpusOptions, windows_of
from interp.models.hooked import HookedModel
from interp.models.sources import cache_folder

SKIP = 1  # initial positions that are not fitted
Map = tuple[Float[np.ndarray, "d_in d_out"], Float[np.ndarray, "width"]]


def layer_maps(
    model: HookedModel, *, windows: int = 16, length: int = 256, corpus: str = "stdlib", seed: int = 0
) -> str:
    """The file of every layer's affine map over windows of a corpus, without the first position of any.

    Made once, and kept in the cache. Raises: CorpusError, as the corpus does; OptionError for a number out of bounds.
    """
    values = {"windows": windows, "length": length, "corpus": corpus, "seed": seed}
    options: CorpusOptions = parse_options("layer-maps", CorpusOptions, values)
    there = windows_of(model, options)
    name = blake2b(json.dumps([model.weight_hash, there.hash, str(model.dtype)]).encode(), digest_size=8).hexdigest()
    path = cache_folder("layer-maps") / f"{name}.npz"
    try:
        opened_maps(model, str(path))
    except CorpusError:  # new, or damaged
        _save(path, model, fitted_maps(model, there, SKIP))
    return str(path)


def fitted_maps(model: HookedModel, windows: Prompts, skip: int) -> dict[int, Map]:
    """Matrix and shift of each layer's map. Raises: CorpusError where fewer than two tokens are left."""
    totals = gather(model, windows, LayerSums(skip)).totals
    tokens = int(totals["tokens"])
    require_tokens(tokens, skip, least=2)
    return {layer: affine_fit(moments_at(totals, layer), tokens)[:2] for layer in range(model.dims.layers)}


def opened_maps(model: HookedModel, text: str) -> dict[int, Map]:
    """What `layer_maps` kept. Raises: CorpusError for a file that is damaged or of another model."""
    path = typed_path(text)
    file = RunFile(path, CorpusError)
    if not path.is_file():
        raise CorpusError(f"there is no file of layer maps at {path}; give the path that `layer_maps` returned")
    with file.reading(path, "remove it, so that it is made anew"), np.load(path, allow_pickle=False) as arrays:
        owner, matrices, shifts = str(arrays["model"]), arrays["matrices"], arrays["shifts"]
    if owner != model.weight_hash:
        raise CorpusError(f"{path} has the maps of a model with other weights ({owner}); make them with `layer_maps`")
    return {layer: (matrix, shift) for layer, (matrix, shift) in enumerate(zip(matrices, shifts, strict=True))}


def _save(path: Path, model: HookedModel, maps: dict[int, Map]) -> None:
    buffer, (matrices, shifts) = io.BytesIO(), zip(*maps.values(), strict=True)
    np.savez(buffer, model=np.array(model.weight_hash), matrices=np.stack(matrices), shifts=np.stack(shifts))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getbuffer())
