"""Documents read one by one, from wherever their corpus is: the standard library, local files or a data set."""

from collections.abc import Iterator

from interp.core.errors import CorpusError
from interp.corpus.document import Document, Unreadable, refuse
from interp.corpus.files import local_files, located
from interp.corpus.hub import HUB, streamed
from interp.corpus.standard_library import standard_library

STDLIB = "stdlib"


def documents(corpus: str, *, seed: int = 0, unreadable: Unreadable = refuse) -> Iterator[Document]:
    """The documents of a corpus in an order that depends on `seed` alone.

    `corpus` is `stdlib` (the docstrings of the standard library and Python's language reference, which every
    installation has), a file or folder of .txt, .md, .jsonl or .parquet files, or `hf:NAME` with an optional
    `:CONFIG:SPLIT:COLUMN` (a Hugging Face data set, streamed). Rows have their text in the column `text`, or in the
    one named behind a file or folder (`PATH:COLUMN`). `unreadable(name, reason)` is told of what cannot be read; it
    may raise, and what it lets pass is left out.
    Raises: CorpusError for a corpus that does not exist, or holds nothing of these kinds.
    """
    if corpus == STDLIB:
        return standard_library(seed, unreadable)
    if corpus.startswith(HUB):
        return streamed(corpus, seed, unreadable)
    place = located(corpus)
    if place is None:
        raise CorpusError(f"there is no corpus {corpus!r}; give {STDLIB}, a file, a folder, or {HUB}NAME")
    return local_files(*place, seed, unreadable)
