"""A corpus cut into windows."""

import hashlib
import struct

import pytest

from interp.core.errors import CorpusError
from interp.corpus import Windows

TEXTS = {"long.txt": "When Mary and John went to the store, " * 12, "short.txt": "the keys", "empty.txt": " \n"}


@pytest.fixture
def folder(tmp_path):
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(("family", "before", "after"), [("llama", [], []), ("bert-masked", ["[CLS]"], ["[SEP]"])])
def test_windows_are_the_documents_tokens_in_pieces(family, before, after, folder, tiny):
    """No window across documents, what is left over is not used, special tokens stand around each."""
    model, length = tiny(family), 10
    ordinary = model.tokenizer(TEXTS["long.txt"], add_special_tokens=False)["input_ids"]
    before, after = (model.tokenizer.convert_tokens_to_ids(special) for special in (before, after))
    body = length - len(before) - len(after)
    starts = range(0, len(ordinary) - body + 1, body)
    expected = [[*before, *ordinary[start : start + body], *after] for start in starts]
    windows = Windows.cut(model, str(folder), length=length)
    assert windows.tokens.tolist() == expected
    assert set(windows.documents) == {"long.txt"}
    assert set(windows.topics) == {"long"}
    assert windows.dropped == 2
    assert windows.described == (
        f"{len(expected)} windows of 10 tokens from {folder} (2 documents shorter than a window skipped)"
    )
    assert not windows.is_padded


def test_the_hash_is_that_of_the_tokens(folder, tiny):
    windows = Windows.cut(tiny("llama"), str(folder), windows=3, length=10)
    digest = hashlib.blake2b(digest_size=8)
    for row in windows.tokens.tolist():
        digest.update(struct.pack("<10q", *row) + b"|")
    assert windows.hash == digest.hexdigest()
    assert Windows.cut(tiny("llama"), str(folder), windows=3, length=10).hash == windows.hash
    assert Windows.cut(tiny("llama"), str(folder), windows=4, length=10).hash != windows.hash


def test_reading_stops_or_goes_on(folder, tiny):
    (folder / "bytes.txt").write_bytes(b"\xff")
    with pytest.raises(CorpusError, match=r"^bytes.txt cannot be read"):
        Windows.cut(tiny("llama"), str(folder), length=10)
    windows = Windows.cut(tiny("llama"), str(folder), length=10, skip_unreadable=True)
    assert windows.unreadable == ("bytes.txt",)
    assert windows.described.endswith("skipped, 1 unreadable)")


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["short.txt"], {}, "contains 1 document, which is shorter than a window of 10 tokens; give a longer text"),
        (["rows.jsonl"], {}, "contains no document; give a longer text, or shorter windows"),
        (["bad.jsonl"], {"skip_unreadable": True}, r"contains no document \(1 could not be read\)"),
        (["long.txt"], {"length": 65}, "windows of 65 tokens exceed the context of 64 tokens of .*; make them shorter"),
    ],
)
def test_nothing_to_cut(names, options, message, folder, tiny):
    (folder / "rows.jsonl").write_text("\n\n")
    (folder / "bad.jsonl").write_text("{")
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    with pytest.raises(CorpusError, match=message):
        Windows.cut(tiny("llama"), str(folder), **{"length": 10} | options)


def test_windows_that_hold_special_tokens_only(tiny, folder):
    with pytest.raises(CorpusError, match="windows of 2 tokens contain only special tokens; make them longer"):
        Windows.cut(tiny("bert-masked"), str(folder), length=2)
