"""The tests' own tables of cases."""

from asking import covering, some


def always(mark):
    return [row.values for row in mark.args[1] if not row.marks]


def test_every_value_is_in_a_row_that_always_runs():
    mark = covering(
        ("family", "abcde"), ("how, size", [("zero", 1), ("mean", 2), ("mean", 3)]), ("flag", [True, False])
    )
    assert mark.args[0] == "family, how, size, flag"
    assert len({row.values for row in mark.args[1]}) == len(mark.args[1]) == 5 * 3 * 2
    rows = always(mark)
    assert len(rows) == 5
    assert [set(column) for column in zip(*rows, strict=True)] == [
        set("abcde"), {"zero", "mean"}, {1, 2, 3}, {True, False},
    ]  # fmt: skip


def test_some_always_run():
    mark = some("family", "abc", always="b")
    assert [row.values for row in mark.args[1]] == [("a",), ("b",), ("c",)]
    assert always(mark) == [("b",)]
