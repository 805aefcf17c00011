"""Hugging Face data sets, streamed; one that is in the cache is read without a network."""

from collections.abc import Iterator
from typing import Any

from interp.core.errors import CorpusError
from interp.corpus.document import TEXT, TOPICS, Document, Unreadable

HUB = "hf:"
_BUFFER = 1000  # rows among which the order is drawn: a stream cannot be shuffled as a whole


def streamed(corpus: str, seed: int, unreadable: Unreadable) -> Iterator[Document]:
    """The rows of `hf:NAME[:CONFIG[:SPLIT[:COLUMN]]]`, by default the column `text` of the split `train`.

    Raises: CorpusError if the data set is unknown or cannot be reached.
    """
    name, *more = corpus.removeprefix(HUB).split(":")
    if not name or len(more) > 3:
        raise CorpusError(f"{corpus!r} does not name a data set; write {HUB}NAME, or {HUB}NAME:CONFIG:SPLIT:COLUMN")
    config, split, column = (part or None for part in (*more, "", "", "")[:3])
    try:
        for number, row in enumerate(_rows(name, config, split or "train", seed), start=1):
            place = f"{name}:{number}"
            try:
                document = Document.of_row(place, row, column or TEXT, name)
            except ValueError as error:
                unreadable(place, str(error))
                continue
            yield document
    except CorpusError:
        raise
    except Exception as error:  # the library, its network and its file formats raise many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CorpusError(
            f"cannot read the data set {name!r}: {reason} — check its name, configuration and split, and the network "
            "(nothing is downloaded while HF_HUB_OFFLINE is set)"
        ) from error


def _rows(name: str, config: str | None, split: str, seed: int) -> Iterator[Any]:
    """Rows in an order drawn with `seed`, the classes of their topics by name."""
    from datasets import ClassLabel, load_dataset

    rows = load_dataset(name, config, split=split, streaming=True).shuffle(seed=seed, buffer_size=_BUFFER)
    classes = {name: kind for name, kind in (rows.features or {}).items() if isinstance(kind, ClassLabel)}
    for row in rows:
        topics = {name: kind.names[row[name]] for name, kind in classes.items() if name in TOPICS and row[name] != -1}
        yield {**row, **topics}
