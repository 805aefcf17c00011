"""Reading feature cards: one card, a search, and the text around a feature's contexts, straight from the files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from interp.core.errors import CorpusError, InterpError, OptionError
from interp.core.folders import RunFolder
from interp.dictionaries.cards.harvesting import TEXT, Harvest

if TYPE_CHECKING:
    import duckdb

CARDS, CONTEXTS, ABOUT = "cards.parquet", "contexts.parquet", "cards.json"
Order = Literal["feature", "density", "active", "mean", "max", "head_weight"]
_ALONE = "remove it and run again"  # of a file that is written anew without the others
_FACTS = {"shards", "all_shards", "windows", "tokens_read", "features"}
_SHORT = (
    "feature", "density", "active", "dead", "mean", "max", "top_token", "promoted", "suppressed", "head", "head_weight",
)  # fmt: skip


@contextmanager
def connected(
    files: Sequence[Path], database: "duckdb.DuckDBPyConnection | None" = None
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A database in memory to ask these files, or a cursor of one that there is: threads never share it.

    Raises: CorpusError in one line, naming the file that cannot be read.
    """
    import duckdb  # takes a while to import

    connection = duckdb.connect() if database is None else database.cursor()
    try:
        yield connection
    except duckdb.Error as error:
        raise _unreadable(files, error) from error
    finally:
        connection.close()


def _unreadable(files: Sequence[Path], error: Exception) -> InterpError:
    folder = RunFolder(files[0].parent, CorpusError)
    for path in files:
        if not _is_whole(path):  # the windows are written with their folder
            return folder.damaged(path, error, None if path.name == TEXT else _ALONE)
    reason = " ".join(str(error).split())
    return CorpusError(f"{folder.path} cannot be read ({reason}); free some memory and run again")


def _is_whole(path: Path) -> bool:
    try:
        with pq.ParquetFile(path) as file:
            for _ in file.iter_batches():
                pass
    except (OSError, pa.ArrowException):
        return False
    return True


@dataclass(frozen=True)
class Cards:
    """The cards in a folder. Nothing is loaded until it is asked for, and then only the rows that are needed.

    `facts` says what they were made from: `shards` of `all_shards`, `windows`, `tokens_read`, `features`.
    """

    harvest: Harvest
    facts: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> "Cards":
        """The cards of a folder. Raises: CorpusError if there are none, or they are damaged."""
        harvest = Harvest.open(folder)
        facts = harvest.files.record(ABOUT, dict[str, Any], _ALONE)
        if facts is None:
            raise harvest.files.missing("cards", f"interp run feature-cards --folder {folder}")
        if lacks := _FACTS - facts.keys():
            raise harvest.files.damaged(
                harvest.folder / ABOUT, f"columns are missing: {', '.join(sorted(lacks))}", _ALONE
            )
        return cls(harvest, facts)

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self.harvest.folder

    @property
    def covers(self) -> str:
        """What they were made from, in words."""
        facts, about = self.facts, self.harvest.about
        part = "" if len(facts["shards"]) == facts["all_shards"] else (
            f", {len(facts['shards'])} of {facts['all_shards']} shards: the harvest is incomplete"
        )  # fmt: skip
        return f"{facts['tokens_read']:,} tokens of {facts['windows']:,} windows of {about.corpus}{part}"

    def card(self, feature: int) -> pd.Series:
        """Everything of one feature's card. Raises: OptionError for a feature that there is not."""
        self._require(feature)
        return self._frame("SELECT * FROM read_parquet($cards) WHERE feature = $feature", feature=feature).iloc[0]

    def cards(self, features: tuple[int, ...] = ()) -> pd.DataFrame:
        """The short rows of some features, in that order; of all where none is named."""
        for feature in features:
            self._require(feature)
        where = "WHERE feature IN (SELECT unnest($features))" if features else ""
        frame = self._frame(
            f"SELECT {self._short()} FROM read_parquet($cards) {where} ORDER BY feature",
            **({"features": list(features)} if features else {}),
        )
        return frame.set_index("feature").loc[list(features)].reset_index() if features else frame

    def search(
        self,
        token: str | None = None,
        *,
        min_density: float | None = None,
        max_density: float | None = None,
        head: int | None = None,
        alive: bool = True,
        order: Order = "density",
        limit: int = 50,
    ) -> pd.DataFrame:
        """Short rows of the features asked for, largest first (`order` "feature": in their own order).

        `token` keeps those that are active on it in one of their contexts, or that promote it, with or without a space
        before it; `head` those whose strongest head it is.
        Raises: OptionError for an order that there is not, a head where the site has none, or a token that is no text.
        """
        if order not in get_args(Order) or (order == "head_weight" and "head_weight" not in self._columns()):
            raise OptionError(f"order = {order!r}; choose one of {', '.join(get_args(Order))}")
        conditions, values = ["NOT dead"] if alive else [], {}
        if token is not None:
            if any("\ud800" <= letter <= "\udfff" for letter in token):
                raise OptionError(
                    f"token = {token!r} contains a lone surrogate, which is not valid Unicode; give the whole character"
                )
            values["token"] = token
            matches = ["feature IN (SELECT feature FROM read_parquet($contexts) WHERE trim(label) = trim($token))"]
            if "promoted" in self._columns():
                matches.append("list_contains([trim(x) for x in promoted], trim($token))")
            conditions.append(f"({' OR '.join(matches)})")
        if head is not None:
            if "head" not in self._columns():
                raise OptionError(f"head = {head}: {self.harvest.about.site} has no heads; leave head out")
            conditions.append("head = $head")
            values["head"] = head
        for name, bound, comparison in (("least", min_density, ">="), ("most", max_density, "<=")):
            if bound is not None:
                conditions.append(f"density {comparison} ${name}")
                values[name] = bound
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # Of a dead feature the mean and the maximum are NaN, which a database takes for the largest number.
        by = "feature" if order == "feature" else f"nullif(\"{order}\", 'NaN'::DOUBLE) DESC NULLS LAST, feature"
        query = f"SELECT {self._short()} FROM read_parquet($cards) {where} ORDER BY {by} LIMIT {int(limit)}"
        return self._frame(query, **values)

    def places(
        self, features: list[int] | None = None, kind: str | None = "top", *, most: int | None = None
    ) -> pd.DataFrame:
        """Where features are active: feature, kind, rank, quantile, window, pos, value, token, label.

        `most` is how many of each kind a feature has at most.
        """
        conditions, values = [], {}
        if features is not None:
            conditions.append("feature IN (SELECT unnest($features))")
            values["features"] = list(features)
        if kind is not None:
            conditions.append("kind = $kind")
            values["kind"] = kind
        if most is not None:
            conditions.append("rank < $most")
            values["most"] = most
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        query = f"SELECT * FROM read_parquet($contexts) {where} ORDER BY feature, kind DESC, rank"
        return self._frame(query, **values)

    def contexts(self, feature: int, *, around: int = 16, kind: str | None = None) -> pd.DataFrame:
        """A feature's contexts, with the text around each: `labels` of tokens, `values` of the feature on each of them.

        `start` is the position of the first of them, `document` where the window is from. Top contexts come first.
        """
        self._require(feature)
        places = self.places([feature], kind)
        windows = sorted({int(window) for window in places["window"]})
        texts = self._frame(
            'SELECT "window", document, labels FROM read_parquet($text) WHERE "window" IN (SELECT unnest($windows))',
            windows=windows,
        ).set_index("window")
        active = self._frame(
            'SELECT "window", pos, value FROM read_parquet($shards) WHERE feature = $feature '
            'AND "window" IN (SELECT unnest($windows))',
            feature=feature,
            windows=windows,
        )
        value = {(int(w), int(p)): float(v) for w, p, v in active.itertuples(index=False)}
        start, labels, values, documents = [], [], [], []
        for window, pos in zip(places["window"].tolist(), places["pos"].tolist(), strict=True):
            text = texts.loc[window]
            span = range(max(0, pos - around), min(len(text["labels"]), pos + around + 1))
            start.append(span.start)
            labels.append([str(text["labels"][at]) for at in span])
            values.append([value.get((window, at), 0.0) for at in span])
            documents.append(str(text["document"]))
        return places.assign(start=start, labels=labels, values=values, document=documents)

    @cached_property
    def _database(self) -> "duckdb.DuckDBPyConnection":
        """Opened once: that takes longer than most questions."""
        import duckdb

        return duckdb.connect()

    def _require(self, feature: int) -> None:
        last = self.facts["features"] - 1
        if not 0 <= feature <= last:
            raise OptionError(f"no feature {feature}; choose 0 to {last}")

    def _columns(self) -> set[str]:
        path = self.folder / CARDS
        try:
            return set(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable([path], error) from error

    def _short(self) -> str:
        there = self._columns()
        return ", ".join(f'"{name}"' for name in _SHORT if name in there)

    def _frame(self, query: str, **values: Any) -> pd.DataFrame:
        files = {
            "cards": [self.folder / CARDS], "contexts": [self.folder / CONTEXTS], "text": [self.harvest.text],
            "shards": [self.harvest.path(shard) for shard in self.facts["shards"]],
        }  # fmt: skip
        used_files = {name: paths for name, paths in files.items() if f"${name})" in query}
        values |= {name: [str(path) for path in paths] for name, paths in used_files.items()}
        with connected([path for paths in used_files.values() for path in paths], self._database) as database:
            return database.execute(query, values).df()
