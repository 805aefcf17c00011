"""Feature cards: what a harvest says of every feature, in two parquet files that are queried without loading them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from interp.core.errors import CorpusError, DictionaryError
from interp.core.progress import track
from interp.dictionaries.cards.harvesting import Harvest
from interp.dictionaries.cards.queries import ABOUT, CARDS, CONTEXTS, Cards, connected
from interp.dictionaries.features.logit_weights import Promoted, head_weights, promoted
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.hashing import dictionary_hash

BINS = 20  # of a histogram, of equal width from 0 to the feature's maximum
QUANTILES = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
GROUP = 2048  # rows of a group in the files of cards
ROWS = 2**22  # of the harvest that are in memory at once, but for one feature's own
_COUNTS = "SELECT feature, count(*) AS n FROM read_parquet($files) GROUP BY feature ORDER BY feature"
_BLOCK = """
    SELECT feature, value, "window", pos FROM read_parquet($files) WHERE feature BETWEEN $low AND $high
    ORDER BY feature, value, "window", pos
"""
Columns = Mapping[str, np.ndarray]


def write_cards(dictionary: Attached, harvest: Harvest, *, contexts: int = 10, tokens: int = 10) -> Cards:
    """Cards of every feature from the shards that are there.

    Cards of the same shards, with as many contexts at least, are taken as they stand; those of a damaged `cards.json`
    are made anew. No other process can write to the folder meanwhile, and whoever reads takes no lock.
    A top context is the feature's highest place in a window, at most one of each window; a context at quantile q is
    the place number ⌊q (n − 1)⌋ of the n active ones, from the lowest up, and `quantiles` holds their values.
    Unit: densities are shares of the tokens read; logit weights as in `promoted`.
    Raises: CorpusError where no shard is there yet, one is damaged, another process writes there, or the disk is full;
    DictionaryError for another dictionary than was harvested.
    """
    if harvest.about.dictionary != dictionary_hash(dictionary):
        raise DictionaryError(
            f"{harvest.folder} contains features of {harvest.about.dictionary_name}, not of {dictionary.name}; give "
            "another folder"
        )
    settings = {"tokens": tokens, "bins": BINS, "quantiles": list(QUANTILES)}
    cards = _existing(harvest, settings, contexts)
    if cards is not None:
        return cards
    with harvest.files.locked():
        cards = _existing(harvest, settings, contexts)  # another process may have written them meanwhile
        return _write(dictionary, harvest, settings, contexts) if cards is None else cards


def _existing(harvest: Harvest, settings: Mapping[str, Any], contexts: int) -> Cards | None:
    """The cards that are there, if they are of all shards and hold as much; None too where they are damaged."""
    if not harvest.shards:
        raise CorpusError(f"{harvest.folder} contains no complete shard yet; continue the harvest")
    if not all((harvest.folder / name).is_file() for name in (ABOUT, CARDS, CONTEXTS)):
        return None
    try:
        cards = Cards.open(harvest.folder)
    except CorpusError:
        return None
    is_complete = cards.facts.get("contexts", 0) >= contexts and cards.facts["shards"] == harvest.shards
    return cards if is_complete and settings.items() <= cards.facts.items() else None


def _write(dictionary: Attached, harvest: Harvest, settings: Mapping[str, Any], contexts: int) -> Cards:
    """Write the cards of the shards that are there, in place of older ones."""
    shards, folder, about = harvest.shards, harvest.folder, harvest.about
    (folder / ABOUT).unlink(missing_ok=True)  # what it says holds no more from here on
    text, labels = harvest.tokens(), harvest.labels()
    there = np.isin(np.arange(about.windows) // about.shard, shards)
    tokens_read = sum(max(0, len(row) - about.skip) for row, is_there in zip(text, there, strict=True) if is_there)
    parts = list(_blocks([harvest.path(shard) for shard in shards], contexts))
    active = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    places = {name: np.concatenate([part[1][name] for part in parts]) for name in parts[0][1]}
    at = zip(places["window"], places["pos"], strict=True)
    token = np.array([text[window][pos] for window, pos in at], dtype=int)
    places |= {"token": token.astype(np.int32), "label": np.array([labels[each] for each in token.tolist()], object)}
    harvest.write(CONTEXTS, pa.table(places), rows=GROUP)
    harvest.write(CARDS, pa.table(_cards(dictionary, active, places, tokens_read, settings["tokens"])), rows=GROUP)
    facts = {
        "shards": shards, "contexts": contexts, "features": about.features, "windows": int(there.sum()),
        "tokens_read": tokens_read, "all_shards": harvest.all_shards,
    }  # fmt: skip
    harvest.files.write_record(ABOUT, {**settings, **facts})
    return Cards.open(folder)


def _blocks(files: Sequence[Path], contexts: int) -> Iterator[tuple[Columns, Columns]]:
    """The numbers and the contexts of the features, some features at a time."""
    with connected(files) as database:
        values: dict[str, Any] = {"files": [str(path) for path in files]}
        counts = database.execute(_COUNTS, values).fetchnumpy()
        cuts = _cuts(np.asarray(counts["n"]))
        for first, last in track(cuts, total=len(cuts), label="feature cards: blocks of features"):
            low, high = (int(counts["feature"][at]) for at in (first, last - 1)) if last > first else (0, -1)
            columns = database.execute(_BLOCK, {**values, "low": low, "high": high}).fetchnumpy()
            block = {name: np.asarray(column) for name, column in columns.items()}
            yield _numbers(block), _contexts(block, contexts)


def _cuts(counts: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of features with few enough rows together; one empty range where nothing was active."""
    cuts, first, rows = [], 0, 0
    for at, count in enumerate(counts.tolist()):
        if rows and rows + count > ROWS:
            cuts.append((first, at))
            first, rows = at, 0
        rows += count
    return [*cuts, (first, len(counts))]


def _groups(block: Columns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features of a block, where the rows of each start, and how many they are."""
    return np.unique(block["feature"], return_index=True, return_counts=True)


def _numbers(block: Columns) -> Columns:
    feature, start, count = _groups(block)
    value = block["value"].astype(np.float64)
    top = value[start + count - 1]
    group = np.repeat(np.arange(len(feature)), count)
    cell = np.minimum((value / top[group] * BINS).astype(int), BINS - 1)
    histogram = np.bincount(group * BINS + cell, minlength=len(feature) * BINS).reshape(-1, BINS)
    return {
        "feature": feature,
        "active": count,
        "mean": np.add.reduceat(value, start) / count if len(feature) else value,
        "max": top,
        "histogram": histogram,
        "quantiles": value[_at_quantiles(start, count)],
    }


def _at_quantiles(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Rows at the quantiles: features × quantiles."""
    return start[:, None] + np.floor(np.array(QUANTILES) * (count - 1)[:, None] + 1e-9).astype(int)


def _contexts(block: Columns, most: int) -> dict[str, np.ndarray]:
    """Top contexts of every feature, then those at its quantiles."""
    feature, start, count = _groups(block)
    order = np.lexsort((block["pos"], -block["value"], block["window"], block["feature"]))
    in_order = {name: values[order] for name, values in block.items()}
    same = (np.diff(in_order["feature"]) == 0) & (np.diff(in_order["window"]) == 0)
    best = order[np.concatenate([[True], ~same])[: len(order)]]  # the highest place of every window
    best = best[np.lexsort((block["window"][best], -block["value"][best], block["feature"][best]))]
    _, first, windows = np.unique(block["feature"][best], return_index=True, return_counts=True)
    rank = np.arange(len(best)) - np.repeat(first, windows)
    top, rank = best[rank < most], rank[rank < most]
    at = _at_quantiles(start, count)
    rows = np.concatenate([top, at.reshape(-1)])
    table = {
        "feature": block["feature"][rows],
        "kind": np.array(["top"] * len(top) + ["quantile"] * at.size, object),
        "rank": np.concatenate([rank, np.tile(np.arange(len(QUANTILES)), len(feature))]).astype(np.int32),
        "quantile": np.concatenate([np.full(len(top), np.nan), np.tile(QUANTILES, len(feature))]),
        "window": block["window"][rows],
        "pos": block["pos"][rows],
        "value": block["value"][rows],
    }
    by_feature = np.argsort(table["feature"], kind="stable")
    return {name: values[by_feature] for name, values in table.items()}


def _cards(dictionary: Attached, active: Columns, places: Columns, tokens_read: int, tokens: int) -> dict[str, Any]:
    """One row a feature, dead ones too."""
    features = dictionary.sae.cfg.d_sae
    at = active["feature"].astype(int)

    def spread(name: str, rest: float) -> np.ndarray:
        values = np.full((features, *active[name].shape[1:]), rest, dtype=active[name].dtype)
        values[at] = active[name]
        return values

    count = spread("active", 0)
    table: dict[str, Any] = {
        "feature": np.arange(features, dtype=np.int32),
        "density": count / max(1, tokens_read),
        "active": count,
        "dead": count == 0,
        "mean": spread("mean", np.nan),
        "max": spread("max", np.nan),
        "histogram": list(spread("histogram", 0)),
        "quantiles": list(spread("quantiles", np.nan)),
        "top_token": _top_tokens(features, places),
    }
    weights = head_weights(dictionary)
    if weights is not None:
        share = weights.double().cpu().numpy()
        table |= {"head_weights": list(share), "head": share.argmax(1).astype(np.int32), "head_weight": share.max(1)}
    both = promoted(dictionary, tokens)
    for name, side in zip(("promoted", "suppressed"), both or (), strict=False):
        table |= _token_columns(dictionary, name, side)
    return table


def _top_tokens(features: int, places: Columns) -> list[str | None]:
    labels: list[str | None] = [None] * features
    first = (places["kind"] == "top") & (places["rank"] == 0)
    for feature, label in zip(places["feature"][first].tolist(), places["label"][first].tolist(), strict=True):
        labels[feature] = label
    return labels


def _token_columns(dictionary: Attached, name: str, side: Promoted) -> dict[str, list[Any]]:
    labels: dict[int, str] = {token: dictionary.model.token_label(token) for token in side.token.unique().tolist()}
    return {
        name: [[labels[token] for token in row] for row in side.token.tolist()],
        f"{name}_token": side.token.tolist(),
        f"{name}_weight": side.weight.double().tolist(),
    }
