"""A harvest: every place of a corpus where a feature is active, kept shard by shard in parquet files."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pydantic import dataclasses as pydantic
from torch import Tensor

from interp.core.errors import CorpusError, DictionaryError
from interp.core.folders import RunFolder
from interp.core.paths import typed_path
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.corpus.batches import step_of
from interp.corpus.enough import require_width
from interp.corpus.shards import rows_of
from interp.corpus.windows import Windows
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.hashing import dictionary_hash
from interp.models.sources import cache_folder

ROWS = 8192  # of a row group: a query for one feature reads few of them
CELLS = 2**25  # numbers that are encoded at once
_ABOUT, TEXT = "about.json", "windows.parquet"


@pydantic.dataclass(frozen=True, config={"extra": "forbid"})
class About:
    """What a folder holds features of; `content` is the hash of the windows' tokens."""

    model: str
    model_name: str
    dictionary: str
    dictionary_name: str
    site: str
    features: int
    content: str
    corpus: str
    windows: int
    width: int
    skip: int
    shard: int

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it the same harvest."""
        return {
            "model": self.model, "dictionary": self.dictionary, "site": self.site, "text": self.content,
            "skip": self.skip, "shard": self.shard,
        }  # fmt: skip


@dataclass(frozen=True)
class Harvest:
    """A folder of a harvest, finished or not: its shards that are whole can be read at any time."""

    folder: Path
    about: About

    @classmethod
    def open(cls, folder: str | Path) -> "Harvest":
        """What a folder holds. Raises: CorpusError if it holds no harvest, or a damaged one."""
        files = RunFolder(Path(folder), CorpusError)
        about = files.record(_ABOUT, About)
        if about is None:
            raise files.missing("features", f"interp run feature-cards --folder {folder}")
        return cls(files.path, about)

    @property
    def files(self) -> RunFolder:
        """The folder as what is written and resumed."""
        return RunFolder(self.folder, CorpusError)

    @property
    def shards(self) -> list[int]:
        """The shards that are there, whole."""
        return sorted(int(path.stem.partition("-")[2]) for path in self.folder.glob("shard-*.parquet"))

    @property
    def all_shards(self) -> int:
        """How many there will be."""
        return ceil(self.about.windows / self.about.shard)

    @property
    def missing(self) -> list[int]:
        """The shards that are not there yet."""
        there = set(self.shards)
        return [index for index in range(self.all_shards) if index not in there]

    def path(self, shard: int) -> Path:
        """The file of a shard: window, pos, feature and value of everything active, ordered by feature."""
        return self.folder / f"shard-{shard:06}.parquet"

    @property
    def text(self) -> Path:
        """The file of the windows: number, document, tokens and their labels, a row a window."""
        return self.folder / TEXT

    def tokens(self) -> list[np.ndarray]:
        """The tokens of every window."""
        return [np.asarray(row, dtype=np.int64) for row in self._column("tokens")]

    def labels(self) -> dict[int, str]:
        """How every token that stands in the windows is read."""
        by_token: dict[int, str] = {}
        for tokens, labels in zip(self._column("tokens"), self._column("labels"), strict=True):
            by_token.update(zip(tokens, labels, strict=True))
        return by_token

    def write(self, name: str, table: pa.Table, *, rows: int = ROWS) -> None:
        """Write a parquet file in groups of `rows`."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=rows, compression="zstd", compression_level=1)
        self.files.write(name, buffer.getbuffer())

    def _column(self, name: str) -> list[Any]:
        with self.files.reading(self.text):
            return pq.read_table(self.text, columns=[name])[name].to_pylist()


def harvest(
    dictionary: Attached, windows: Prompts, folder: str | Path | None = None, *, skip: int = 1, shard: int = 32
) -> Harvest:
    """Keep every (window, pos, feature, value) with a value above zero, in one pass over the windows.

    A window that comes twice counts once. Each finished `shard` of windows is a file, written whole: a harvest that was
    stopped goes on from them. The first `skip` positions of every window are left out. Without a folder, one in the
    cache is taken, named after the dictionary, the model and the text. At most one shard is in memory.
    Unit: values are the features', in float32.
    Raises: CorpusError for a folder of another harvest or that another process writes, text of which nothing is left,
    or a full disk; DictionaryError for a dictionary whose features go below zero.
    """
    if dictionary.sae.cfg.architecture() == "abstopk":
        raise DictionaryError(
            f"{dictionary.name} is an abstopk dictionary, whose activations can be negative; feature "
            "cards support non-negative features only"
        )
    corpus, documents = _origin(windows)
    distinct = windows.distinct()
    windows, documents = windows[distinct], [documents[index] for index in distinct]
    require_width(windows, skip)
    about = _about(dictionary, windows, corpus, skip, shard)
    result = Harvest(typed_path(folder or harvest_folder(dictionary, windows, skip=skip, shard=shard)), about)
    with result.files.locked():
        _begin(result, windows, documents)
        for index, table in _shards(dictionary, windows, result):
            result.write(result.path(index).name, table)
    return result


def harvest_folder(dictionary: Attached, windows: Prompts, *, skip: int = 1, shard: int = 32) -> Path:
    """Where a harvest of distinct windows is kept unless a folder is named."""
    names = dictionary_hash(dictionary), dictionary.model.weight_hash, windows.hash
    return cache_folder("features") / "-".join(map(str, (*names, skip, shard)))


def _origin(windows: Prompts) -> tuple[str, list[str]]:
    """The corpus, and the document that every window is from."""
    if isinstance(windows, Windows):
        return windows.corpus, list(windows.documents)
    return "prompts", [f"prompt {index}" for index in range(len(windows))]


def _about(dictionary: Attached, windows: Prompts, corpus: str, skip: int, shard: int) -> About:
    model = dictionary.model
    return About(
        model=model.weight_hash,
        model_name=model.name,
        dictionary=dictionary_hash(dictionary),
        dictionary_name=Path(dictionary.name).name,
        site=str(dictionary.site),
        features=dictionary.sae.cfg.d_sae,
        content=windows.hash,
        corpus=corpus,
        windows=len(windows),
        width=windows.width,
        skip=skip,
        shard=shard,
    )


def _begin(result: Harvest, windows: Prompts, documents: list[str]) -> None:
    """Take a new folder, or find that it is of the same harvest."""
    there = result.files.record(_ABOUT, About)
    if there is not None:
        result.files.require_same(there.identity, result.about.identity)
        return
    lengths = windows.mask.sum(1).tolist()
    tokens = [row[:length] for row, length in zip(windows.tokens.tolist(), lengths, strict=True)]
    labels = [list(row[:length]) for row, length in zip(windows.labels, lengths, strict=True)]
    table = pa.table(
        {
            "window": pa.array(range(len(windows)), pa.int32()),
            "document": pa.array(documents, pa.string()),
            "tokens": pa.array(tokens, pa.list_(pa.int32())),
            "labels": pa.array(labels, pa.list_(pa.string())),
        }
    )
    result.write(TEXT, table, rows=64)
    result.files.write_record(_ABOUT, asdict(result.about))


def _shards(dictionary: Attached, windows: Prompts, result: Harvest) -> Iterator[tuple[int, pa.Table]]:
    """The missing shards, one after the other; progress is told batch by batch."""
    size, step = result.about.shard, step_of(windows)
    missing = result.missing
    batches: list[tuple[int, range]] = []
    for index in missing:
        first, last, _ = rows_of(index, size).indices(len(windows))
        starts = range(first, last, step)
        batches += [(index, range(start, min(start + step, last))) for start in starts]
    there = result.all_shards - len(missing)
    label = "features: batches of windows" + (f", after the {there} shards there" if there else "")
    rows: list[Mapping[str, np.ndarray]] = []
    for number, (index, batch) in enumerate(track(batches, total=len(batches), label=label), start=1):
        rows += _active(dictionary, windows[batch.start : batch.stop], batch.start, result.about.skip)
        if number == len(batches) or batches[number][0] != index:
            yield index, _by_feature(rows)
            rows = []


def _active(dictionary: Attached, windows: Prompts, first: int, skip: int) -> Iterator[Mapping[str, np.ndarray]]:
    """Where features are active in a batch whose first window is number `first`."""
    values = dictionary.model.vectors(windows, dictionary.site)
    mask = windows.mask.clone()
    mask[:, :skip] = False
    step = max(1, CELLS // (dictionary.sae.cfg.d_sae * windows.width))
    with torch.no_grad():
        for start in range(0, len(windows), step):
            features = dictionary.encode(values[start : start + step])
            features = features * mask[start : start + step, :, None].to(features.device)
            window, pos, feature = (features > 0).nonzero(as_tuple=True)
            yield {
                "window": _narrow(window + (first + start)),
                "pos": _narrow(pos),
                "feature": _narrow(feature),
                "value": features[window, pos, feature].float().cpu().numpy(),
            }


def _narrow(index: Tensor) -> np.ndarray:
    return index.to("cpu", torch.int32).numpy()


def _by_feature(rows: list[Mapping[str, np.ndarray]]) -> pa.Table:
    """A shard's rows by feature, then in the order of the text."""
    columns = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    order = np.argsort(columns["feature"], kind="stable")
    return pa.table({name: values[order] for name, values in columns.items()})
