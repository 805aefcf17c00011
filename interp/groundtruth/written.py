"""The simplified task of indirect objects as a transformer written by hand: `python -m interp.groundtruth.written`.

Three heads, each reading the one before. The duplicate token head says where the name at hand stood before; the
S-inhibition head reads the name there; the name mover head copies the name that is not inhibited.
Source: Wang et al. 2022; Gupta et al. 2024, InterpBench, simplified IOI. Differs: the answer is asked at the repeated
name, and attention selects instead of adding up logits.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from interp.groundtruth.build import require_program, write_json
from interp.groundtruth.effects import effects
from interp.groundtruth.transformer_programs.assembling import edges
from interp.models.load import load_files
from interp.models.sources import KNOWN_FOLDER
from interp.models.word_tokenizer import BOS, PAD, settings, tokenizer
from interp.tasks.programs import PROGRAMS, written

_PROGRAM = PROGRAMS["simple_ioi"]
_TOKENS = tuple(map(written, _PROGRAM.symbols))
_NAMES, _PLACES = _TOKENS[:-2], range(_PROGRAM.longest + 1)
_COLD = 100.0
_AXES = (
    *(f"tokens={token}" for token in (BOS, *_TOKENS)),
    *(f"indices={place}" for place in _PLACES),
    *(f"seen_at={place}" for place in _PLACES),
    *(f"inhibited={name}" for name in _NAMES),
    *(f"answer={name}" for name in _NAMES),
    "one",
)
_SIZE = max(len(_TOKENS) + 2, len(_PLACES) + 1)
_BOS_ROW = _SIZE - 1  # what nothing else claims is attended to


def build(out: Path) -> Path:
    """Write the model into `out`. Raises: ModelError if it does not answer as the program does."""
    folder = out / "simple_ioi"
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, weights = [BOS, PAD, *_TOKENS], _weights()
    config = {
        "architectures": ["CompiledForCausalLM"],
        "bos_token_id": 0,
        "head_dim": _SIZE,
        "hidden_size": len(_AXES),
        "intermediate_size": 1,
        "is_causal": True,
        "max_position_embeddings": len(_PLACES),
        "model_type": "compiled",
        "num_attention_heads": 1,
        "num_hidden_layers": 3,
        "pad_token_id": 1,
        "program": _PROGRAM.name,
        "vocab_size": len(vocabulary),
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", config)
    write_json(folder / "tokenizer.json", tokenizer(vocabulary))
    write_json(folder / "tokenizer_config.json", settings(_PROGRAM.longest))
    model = load_files(str(folder), "written/simple_ioi", torch.float64, torch.device("cpu"))
    require_program(model, _PROGRAM)
    static = edges(weights, config)
    effective = [" ".join(edge) for edge, moves in zip(static, effects(model, static), strict=True) if moves]
    write_json(
        folder / "truth.json", {"axes": _AXES, "static": [" ".join(edge) for edge in static], "effective": effective}
    )
    return folder


def _weights() -> dict[str, np.ndarray]:
    tokens, places = np.zeros((len(_TOKENS) + 2, len(_AXES))), np.zeros((len(_PLACES), len(_AXES)))
    for row, token in ((0, BOS), *enumerate(_TOKENS, 2)):
        tokens[row, _at(f"tokens={token}")] = 1
    for place in _PLACES:
        places[place, [_at(f"indices={place}"), _at("one")]] = 1
    unembedding = np.zeros((len(_TOKENS) + 2, len(_AXES)))
    for name in _NAMES:
        unembedding[2 + _TOKENS.index(name), _at(f"answer={name}")] = 10
    weights: dict[str, Any] = {
        "transformer.wte.weight": tokens,
        "transformer.wpe.weight": places,
        "lm_head.weight": unembedding,
        "lm_head.bias": np.zeros(len(_TOKENS) + 2),
    }
    for layer, (query, key, value, out) in enumerate((_duplicate_token(), _s_inhibition(), _name_mover())):
        part = f"transformer.h.{layer}"
        query[_BOS_ROW, _at("one")], key[_BOS_ROW, _at(f"tokens={BOS}")] = 1, _COLD / 2
        weights |= {
            f"{part}.attn.q_proj.weight": query,
            f"{part}.attn.k_proj.weight": key,
            f"{part}.attn.v_proj.weight": value,
            f"{part}.attn.out_proj.weight": out.T,
            f"{part}.mlp.c_fc.weight": np.zeros((1, len(_AXES))),
            f"{part}.mlp.c_proj.weight": np.zeros((len(_AXES), 1)),
        }
    return {name: np.ascontiguousarray(each, np.float32) for name, each in weights.items()}


def _duplicate_token() -> tuple[np.ndarray, ...]:
    """From a name to where it stood first; of that, the place is read."""
    query, key, value, out = _nothing()
    for row, name in enumerate(_NAMES):
        query[row, _at(f"tokens={name}")] = 2 * _COLD
        key[row, _at(f"tokens={name}")] = 1
    earlier = len(_TOKENS)
    query[earlier, _at("one")] = -_COLD / 5
    for place in _PLACES:
        key[earlier, _at(f"indices={place}")] = place
        value[place, _at(f"indices={place}")] = out[place, _at(f"seen_at={place}")] = 1
    return query, key, value, out


def _s_inhibition() -> tuple[np.ndarray, ...]:
    """To the place where the name stood first; the name there is read."""
    query, key, value, out = _nothing()
    for place in _PLACES[1:]:
        query[place, _at(f"seen_at={place}")] = _COLD
        key[place, _at(f"indices={place}")] = 1
    for row, name in enumerate(_NAMES):
        value[row, _at(f"tokens={name}")] = out[row, _at(f"inhibited={name}")] = 1
    return query, key, value, out


def _name_mover() -> tuple[np.ndarray, ...]:
    """To names that are not inhibited, which are copied."""
    query, key, value, out = _nothing()
    any_name = len(_TOKENS)
    query[any_name, _at("one")] = _COLD
    for row, name in enumerate(_NAMES):
        query[row, _at(f"inhibited={name}")] = -2 * _COLD
        key[[row, any_name], _at(f"tokens={name}")] = 1
        value[row, _at(f"tokens={name}")] = out[row, _at(f"answer={name}")] = 1
    return query, key, value, out


def _nothing() -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((_SIZE, len(_AXES))) for _ in range(4))


def _at(axis: str) -> int:
    return _AXES.index(axis)


if __name__ == "__main__":
    build(KNOWN_FOLDER / "written")
