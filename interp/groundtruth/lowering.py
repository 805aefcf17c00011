"""From what a RASP program means to tracr's expressions. Needs the extra `groundtruth`.

tracr only lays the program out: each value is known by its text, and every function is a table over what its sequences
can hold. tracr's own inference misses averages such as 2/3, so that what a sequence holds is taken from the program.
"""

import itertools
from threading import Lock
from typing import Any

from tracr.compiler import nodes, rasp_to_graph  # pyright: ignore[reportMissingImports]
from tracr.craft import bases  # pyright: ignore[reportMissingImports]
from tracr.rasp import rasp  # pyright: ignore[reportMissingImports]

from interp.groundtruth.compiling import Compiled, assembled
from interp.tasks.rasp import Meaning, RaspError
from interp.tasks.rasp.sequences import Aggregate, Each, Indices, Selector, SOp, Tokens, Width, text_of_value

_ONE_AT_A_TIME = Lock()


def compile_meaning(meaning: Meaning) -> Compiled:
    """Compile what a program in RASP means. Raises: RaspError for what the weights cannot compute."""
    with _ONE_AT_A_TIME:
        rasp.RASPExpr._ids = itertools.count(1)  # they name axes: the same whatever was compiled before
        return _compiled(meaning)


def _compiled(meaning: Meaning) -> Compiled:
    lowering = _Lowering()
    output = meaning.output
    numerical = isinstance(output, Aggregate) and output.is_mean
    expression = lowering.share(output) if numerical else lowering.categorical(output)
    graph = rasp_to_graph.extract_rasp_graph(expression)
    for node in graph.graph.nodes.values():
        each = node[nodes.EXPR]
        if isinstance(each, rasp.SOp):
            values = lowering.values[each.label]
            node[nodes.VALUE_SET] = set(values)
            space = (
                bases.VectorSpaceWithBasis.from_names([each.label])
                if rasp.is_numerical(each)
                else bases.VectorSpaceWithBasis.from_values(each.label, values)
            )
            node[nodes.OUTPUT_BASIS] = space.basis
    return assembled(meaning.program, list(map(text_of_value, meaning.symbols)), expression, graph)


def _code(sop: SOp, value: Any) -> Any:
    """A value as tracr has it: its text, but for positions and counts, which tracr makes itself."""
    return value if _is_native(sop) else text_of_value(value)


def _is_native(sop: SOp) -> bool:
    if isinstance(sop, Aggregate):
        return not sop.is_mean and _is_native(sop.of)
    return isinstance(sop, Indices | Width)


def _is_dirty(sop: SOp) -> bool:
    """Whether it holds a value at BOS too: what is computed from an average alone does, from its 0 there."""
    if isinstance(sop, Each):
        return all(map(_is_dirty, sop.leaves))
    return isinstance(sop, Aggregate) and sop.is_mean


class _Lowering:
    """tracr's expressions of sequences and selectors, each made once; `values` are what they hold, by label."""

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self._made: dict[tuple[str, int], Any] = {}

    def _once(self, kind: str, of: SOp | Selector, make: Any) -> Any:
        if (kind, id(of)) not in self._made:
            self._made[kind, id(of)] = make()
        return self._made[kind, id(of)]

    def _holding(self, expression: Any, values: Any) -> Any:
        self.values[expression.label] = list(values)
        return expression

    def categorical(self, sop: SOp) -> Any:
        """One axis a value."""
        return self._once("categorical", sop, lambda: self._categorical(sop))

    def _categorical(self, sop: SOp) -> Any:
        codes = [_code(sop, value) for value in sop.values]
        match sop:
            case Tokens():
                return self._holding(rasp.tokens, codes)
            case Indices():
                return self._holding(rasp.indices, codes)
            case Each():
                return self._holding(self._each(sop).named(sop.name or "value"), codes)
            case Width(selector=selector):
                made = rasp.SelectorWidth(self.selector(selector))
                return self._holding(made.named(sop.name or "count"), codes)
            case Aggregate(is_mean=True):
                table = {float(value): text_of_value(value) for value in sop.values}
                made = rasp.Map(table.__getitem__, self.share(sop), simplify=False)
                return self._holding(made.named(f"{sop.name or 'share'}_value"), codes)
            case Aggregate(selector=selector, of=of):
                made = rasp.Aggregate(self.selector(selector), self._clean(of))
                return self._holding(made.named(sop.name or "fetched"), codes)
        raise TypeError(f"{sop} is no sequence")

    def _each(self, sop: Each) -> Any:
        first = sop.leaves[0]
        if len(sop.leaves) == 1 and isinstance(first, Aggregate) and first.is_mean:
            table = {float(value): self._result(sop, value) for value in first.values}
            if None in table.values():
                raise RaspError(sop.at, "there is no value where the average is 0; guard it: 1 / x if x > 0 else 0")
            return rasp.Map(table.__getitem__, self.share(first), simplify=False)
        inner = [self.categorical(leaf) for leaf in sop.leaves]
        decode = [{_code(leaf, value): value for value in leaf.values} for leaf in sop.leaves]
        if len(inner) == 1:
            return rasp.Map(lambda code: self._result(sop, decode[0][code]), inner[0], simplify=False)
        return rasp.SequenceMap(lambda one, other: self._result(sop, decode[0][one], decode[1][other]), *inner)

    def _result(self, sop: Each, *values: Any) -> Any:
        result = sop.function(*values)
        return None if result is None else _code(sop, result)

    def share(self, sop: Aggregate) -> Any:
        """An average, on one axis."""
        return self._once("share", sop, lambda: self._share(sop))

    def _share(self, sop: Aggregate) -> Any:
        of, source = sop.of, sop.of
        if isinstance(of, Each) and len(of.leaves) == 1 and not _is_dirty(of):  # at once, without its own axes
            source = of.leaves[0]
            ones = {_code(source, value): int(of.function(value) or 0) for value in source.values}
        else:
            ones = {_code(of, value): int(value) for value in of.values}
        bits = rasp.Map(ones.__getitem__, self._clean(source), simplify=False)
        bits = self._holding(rasp.numerical(bits.named(of.name or "bit")), sorted(set(ones.values())))
        made = rasp.numerical(rasp.Aggregate(self.selector(sop.selector), bits, default=0).named(sop.name or "share"))
        return self._holding(made, sorted(map(float, sop.values)))

    def _clean(self, sop: SOp) -> Any:
        """A sequence that holds nothing at BOS, as keys and what is aggregated must not."""
        if not _is_dirty(sop):
            return self.categorical(sop)
        return self._once("clean", sop, lambda: self._cleaned(sop))

    def _cleaned(self, sop: SOp) -> Any:
        made = rasp.SequenceMap(lambda value, token: value, self.categorical(sop), rasp.tokens)
        return self._holding(made.named(sop.name or "value"), [_code(sop, value) for value in sop.values])

    def selector(self, selector: Selector) -> Any:
        """A selector over values as tracr has them."""
        return self._once("selector", selector, lambda: self._selector(selector))

    def _selector(self, selector: Selector) -> Any:
        keys, queries = (
            {_code(side, value): value for value in side.values} for side in (selector.keys, selector.queries)
        )
        made = rasp.Select(
            self._clean(selector.keys),
            self.categorical(selector.queries),
            lambda key, query: selector.predicate(keys[key], queries[query]),
        )
        return made.named(selector.name or "select")
