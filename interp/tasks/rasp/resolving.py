"""From a program's statements to its sequences: names resolved, functions put in, and what each sequence can hold.

An expression is one function of the named sequences, the aggregates and the widths in it: blank where one of those is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from interp.tasks.programs import Value
from interp.tasks.rasp.operators import Blank, apply
from interp.tasks.rasp.sequences import (
    Aggregate,
    Each,
    Indices,
    Selector,
    SOp,
    Tokens,
    Width,
    number,
    paths,
    table,
    text_of_value,
)
from interp.tasks.rasp.syntax import (
    Assignment,
    Call,
    Comparison,
    Constant,
    Definition,
    Expression,
    Name,
    Operation,
    Place,
    RaspError,
    Statement,
)

_MOST_VALUES, _MOST_ROWS, _MOST_SEQUENCES, _MOST_CALLS, _LARGEST = 160, 1024, 80, 200, 400
_MOST_PATHS = 5000  # from the output back to the input
_MOST_AXES, _MOST_WORK = 800, 2_000_000  # of all sequences together: what they hold, and what it takes to know it
_COMPILING = 500  # times as long as to evaluate a combination of values it takes to compile it
_START = Place(1, 1)
Row = Mapping[int, Any]  # a value of each leaf, by its id


@dataclass(eq=False)
class _Formula:
    """An expression: a function of its leaves. `alone` is the leaf where it is nothing else."""

    leaves: tuple[SOp, ...]
    value: Callable[[Row], Any]
    size: int = 1
    alone: SOp | None = None


@dataclass(eq=False)
class _Selection:
    """A selector that may yet be combined with another: over the leaves of its keys and queries."""

    keys: tuple[SOp, ...]
    queries: tuple[SOp, ...]
    predicate: Callable[[Row, Row], bool]
    name: str = ""
    made: Selector | None = None


@dataclass(frozen=True)
class _Function:
    definition: Definition
    names: dict[str, Any]


_Meant = _Formula | _Selection | _Function


@dataclass
class Resolver:
    """Turns statements into sequences."""

    symbols: tuple[Value, ...]
    longest: int
    sequences: int = 0
    calls: int = 0
    axes: int = 0
    work: int = 0
    packs: dict[tuple[int, ...], SOp] = field(default_factory=dict)
    paths: dict[int, int] = field(default_factory=dict)

    def output(self, statements: list[Statement]) -> SOp:
        """The last statement's sequence."""
        self.tokens = Tokens("tokens", self.symbols)
        self.indices = Indices("indices", tuple(range(self.longest)))
        everything = _Selection((self.tokens,), (self.tokens,), lambda key, query: True, "everything")
        length = Width("length", tuple(range(self.longest + 1)), self._selector(everything))
        names: dict[str, Any] = {each.name: _leaf(each) for each in (self.tokens, self.indices, length)}
        self.own = (*names, *_BUILT_IN)
        last: Any = None
        for statement in statements:
            last = self._run(statement, names)
        if last is None:
            raise RaspError(_START, "the program has no statement that gives its output; write one, such as 'tokens;'")
        at = statements[-1].at
        if not isinstance(last, _Formula):
            raise RaspError(at, "the last statement is a selector; aggregate it, or take its selector_width")
        name = (statements[-1].name if isinstance(statements[-1], Assignment) else "") or "program"
        if last.alone is None or isinstance(last.alone, Tokens | Indices):
            return self._each(last, name, at)
        last.alone.name = last.alone.name or name
        return last.alone

    def _run(self, statement: Statement, names: dict[str, Any]) -> _Meant | None:
        if statement.name in self.own:
            raise RaspError(statement.at, f"{statement.name} is RASP's own; choose another name")
        if isinstance(statement, Definition):
            names[statement.name] = _Function(statement, dict(names))
            return None
        meant = self._meant(statement.expression, names)
        if isinstance(meant, _Function):
            raise RaspError(statement.at, "a function is no value; call it")
        if statement.name:
            meant = names[statement.name] = self._named(meant, statement)
        return meant

    def _named(self, meant: _Formula | _Selection, statement: Assignment) -> _Meant:
        """What a name stands for: a sequence of the program of that name, or a constant."""
        if isinstance(meant, _Selection):
            meant.name = meant.name or statement.name
        elif meant.alone is not None:
            meant.alone.name = meant.alone.name or statement.name
        elif meant.leaves:
            return _leaf(self._each(meant, statement.name, statement.at))
        return meant

    # Expressions

    def _meant(self, expression: Expression, names: Mapping[str, Any]) -> Any:
        match expression:
            case Constant(value=value):
                exact = number(value)
                return _Formula((), lambda row: exact)
            case Name(name=name, at=at):
                if name not in names:
                    known = ", ".join([*names][:12])
                    raise RaspError(at, f"there is no {name!r}; assign it first, or use one of {known}")
                return names[name]
            case Comparison(sign=sign, at=at):
                raise RaspError(at, f"{sign!r} stands alone; that is for the third argument of select")
            case Operation():
                return self._operation(expression, names)
            case Call(name=name, at=at) if name in _BUILT_IN:
                return _BUILT_IN[name](self, expression, names)
            case Call():
                return self._called(expression, names)

    def _operation(self, operation: Operation, names: Mapping[str, Any]) -> _Formula | _Selection:
        sign, at = operation.sign, operation.at
        operands = [self._meant(operand, names) for operand in operation.operands]
        if all(isinstance(operand, _Selection) for operand in operands) and sign in ("and", "or", "not"):
            return _combined(sign, operands)
        for operand in operands:
            if not isinstance(operand, _Formula):
                kind = "a selector" if isinstance(operand, _Selection) else "a function"
                raise RaspError(at, f"{sign!r} cannot take {kind} here; aggregate it first")
        leaves = tuple(dict.fromkeys(leaf for operand in operands for leaf in operand.leaves))
        values = [operand.value for operand in operands]
        size = 1 + sum(operand.size for operand in operands)
        if size > _LARGEST:
            raise RaspError(at, f"an expression of more than {_LARGEST} operations; name a part of it")
        return _Formula(leaves, lambda row: apply(sign, [lambda value=value: value(row) for value in values], at), size)

    def _called(self, call: Call, names: Mapping[str, Any]) -> Any:
        function = names.get(call.name)
        if not isinstance(function, _Function):
            own = ", ".join(_BUILT_IN)
            raise RaspError(call.at, f"there is no function {call.name!r}; define it first, or use one of {own}")
        definition, given = function.definition, [self._meant(each, names) for each in call.arguments]
        if len(given) != len(definition.parameters):
            raise RaspError(call.at, f"{call.name} takes {len(definition.parameters)} arguments, not {len(given)}")
        self.calls += 1
        if self.calls > _MOST_CALLS:
            raise RaspError(call.at, f"functions are called more than {_MOST_CALLS} times; make the program smaller")
        local = function.names | dict(zip(definition.parameters, given, strict=True))
        for statement in definition.body:
            self._run(statement, local)
        return self._meant(definition.result, local)

    def arguments(self, call: Call, names: Mapping[str, Any], *kinds: type) -> list[Any]:
        """The arguments of a function of RASP's own, each of its kind."""
        if len(call.arguments) != len(kinds):
            raise RaspError(call.at, f"{call.name} takes {len(kinds)} arguments, not {len(call.arguments)}")
        meant = [self._meant(each, names) for each in call.arguments]
        for each, kind, argument in zip(meant, kinds, call.arguments, strict=True):
            if not isinstance(each, kind):
                word = "a selector, as select gives it" if kind is _Selection else "a sequence"
                raise RaspError(argument.at, f"{call.name} needs {word} here")
        return meant

    # Sequences

    def _works(self, amount: int, at: Place) -> None:
        self.work += amount
        if self.work > _MOST_WORK:
            raise RaspError(at, "the program compares too many values with one another; make it smaller")

    def _counted(self, sop: SOp, at: Place) -> SOp:
        self.sequences += 1
        self.axes += len(sop.values)
        if self.axes > _MOST_AXES:
            raise RaspError(at, f"the program's sequences hold more than {_MOST_AXES} values in all; make it smaller")
        if self.sequences > _MOST_SEQUENCES:
            raise RaspError(at, f"the program has more than {_MOST_SEQUENCES} sequences; make it smaller")
        if paths(sop, self.paths) > _MOST_PATHS:
            raise RaspError(at, "sequences are read by one another in too many ways; make the program smaller")
        if len({text_of_value(value) for value in sop.values}) < len(sop.values):
            raise RaspError(
                at, f"{sop.name or 'this'} holds values that are written alike; keep truth and tokens apart"
            )
        return sop

    def _each(self, formula: _Formula, name: str, at: Place) -> SOp:
        """The sequence that a formula gives: of one or two leaves, further ones put together in pairs first."""
        leaves = formula.leaves or (self.tokens,)
        whole = [leaves[0]] if len(leaves) == 1 else [self._pack(leaves[:-1], at), leaves[-1]]

        def function(*values: Any) -> Any:
            row = dict(zip(map(id, leaves), _unpacked(values, len(leaves)), strict=True))
            try:
                return number(formula.value(row))
            except Blank:
                return None

        rows = 1
        for leaf in whole:
            rows *= len(leaf.values)
        if rows > _MOST_ROWS:
            raise RaspError(at, f"an expression over {rows:,} combinations of values; name a part of it")
        self._works(rows * (formula.size + _COMPILING), at)
        held = dict.fromkeys(value for value in table(whole, function).values() if value is not None)
        if not 0 < len(held) <= _MOST_VALUES:
            amount = "no value" if not held else f"{len(held)} values, more than the {_MOST_VALUES} that fit"
            raise RaspError(at, f"{name or 'this expression'} can hold {amount}; rewrite it")
        return self._counted(Each(name, tuple(held), tuple(whole), function, at), at)

    def _pack(self, leaves: tuple[SOp, ...], at: Place) -> SOp:
        """Several sequences as one of tuples, two at a time."""
        if len(leaves) == 1:
            return leaves[0]
        key = tuple(map(id, leaves))
        if key not in self.packs:
            first, second = self._pack(leaves[:-1], at), leaves[-1]
            count = len(first.values) * len(second.values)
            if count > _MOST_VALUES:
                names = " and ".join(leaf.name or "an unnamed one" for leaf in leaves)
                raise RaspError(at, f"{names} hold {count} values together; read fewer at once, or name a part first")
            values = table([first, second], lambda one, other: (one, other))
            name = "_".join(leaf.name or "it" for leaf in leaves)
            pair = Each(name, tuple(values), (first, second), lambda one, other: (one, other), at)
            self.packs[key] = self._counted(pair, at)
        return self.packs[key]

    def _selector(self, selection: _Selection, at: Place = _START) -> Selector:
        """The selector over its keys and queries, each put together to one sequence."""
        if selection.made is None:
            keys, queries = selection.keys or (self.tokens,), selection.queries or (self.tokens,)

            def predicate(key: Any, query: Any) -> bool:
                rows = (
                    dict(zip(map(id, leaves), _unpacked((value,), len(leaves)), strict=True))
                    for leaves, value in ((keys, key), (queries, query))
                )
                try:
                    return bool(selection.predicate(*rows))
                except Blank:
                    return False

            selection.made = Selector(selection.name, self._pack(keys, at), self._pack(queries, at), predicate)
        selection.made.name = selection.made.name or selection.name
        return selection.made

    # RASP's own functions

    def select(self, call: Call, names: Mapping[str, Any]) -> _Selection:
        """`select(keys, queries, comparison)`."""
        if len(call.arguments) != 3 or not isinstance(sign := call.arguments[2], Comparison):
            raise RaspError(call.at, "select takes keys, queries and a comparison: select(tokens, tokens, ==)")
        pair = Call(call.name, call.arguments[:2], call.at)
        keys, queries = (
            self._side(each, name, call.at)
            for name, each in zip(("keys", "queries"), self.arguments(pair, names, _Formula, _Formula), strict=True)
        )

        def predicate(key: Row, query: Row) -> bool:
            return apply(sign.sign, [lambda: keys.value(key), lambda: queries.value(query)], sign.at)

        selection = _Selection(keys.leaves, queries.leaves, predicate)
        made = self._selector(selection, call.at)
        self._works(len(made.keys.values) * len(made.queries.values) * (keys.size + queries.size), call.at)
        for key in made.keys.values:  # so that what cannot be compared is named now
            for query in made.queries.values:
                made.predicate(key, query)
        return selection

    def _side(self, formula: _Formula, name: str, at: Place) -> _Formula:
        """Keys or queries: of several sequences, their value; of one, that sequence, compared by the selector."""
        return formula if len(formula.leaves) < 2 else _leaf(self._each(formula, name, at))

    def aggregate(self, call: Call, names: Mapping[str, Any]) -> _Formula:
        """`aggregate(selector, values)`."""
        if len(call.arguments) == 3:
            raise RaspError(
                call.at, "aggregate gives a blank, or an average 0, where nothing is selected; leave its default out"
            )
        selection, values = self.arguments(call, names, _Selection, _Formula)
        of = values.alone or self._each(values, "values", call.at)
        is_mean = set(of.values) <= {0, 1}
        held = of.values
        if is_mean:
            shares = {number(apply("/", [lambda n=n: n, lambda d=d: d], call.at))
                      for d in range(1, self.longest + 1) for n in range(d + 1)}  # fmt: skip
            held = tuple(sorted(shares))
        made = self._selector(selection, call.at)
        return _leaf(self._counted(Aggregate("", held, made, of, is_mean, call.at), call.at))

    def selector_width(self, call: Call, names: Mapping[str, Any]) -> _Formula:
        """`selector_width(selector)`."""
        (selection,) = self.arguments(call, names, _Selection)
        made = self._selector(selection, call.at)
        return _leaf(self._counted(Width("", tuple(range(self.longest + 1)), made), call.at))

    def elementwise(self, call: Call, names: Mapping[str, Any]) -> _Formula:
        """`round(x)`, `abs(x)`, `indicator(x)`."""
        (formula,) = self.arguments(call, names, _Formula)
        value = formula.value
        return _Formula(formula.leaves, lambda row: apply(call.name, [lambda: value(row)], call.at), formula.size + 1)


_BUILT_IN: dict[str, Callable[[Resolver, Call, Mapping[str, Any]], Any]] = {
    "select": Resolver.select,
    "aggregate": Resolver.aggregate,
    "selector_width": Resolver.selector_width,
    **dict.fromkeys(("round", "abs", "indicator"), Resolver.elementwise),
}


def _leaf(sop: SOp) -> _Formula:
    return _Formula((sop,), lambda row: row[id(sop)], alone=sop)


def _combined(sign: str, parts: list[_Selection]) -> _Selection:
    """`and`, `or`, `not` of selectors."""
    keys = tuple(dict.fromkeys(leaf for part in parts for leaf in part.keys))
    queries = tuple(dict.fromkeys(leaf for part in parts for leaf in part.queries))
    rules = [part.predicate for part in parts]
    if sign == "not":
        return _Selection(keys, queries, lambda key, query: not rules[0](key, query))
    join = all if sign == "and" else any
    return _Selection(keys, queries, lambda key, query: join(rule(key, query) for rule in rules))


def _unpacked(values: Sequence[Any], count: int) -> tuple[Any, ...]:
    """The values of `count` leaves out of one or two, of which the first may be pairs of pairs."""
    first, *rest = values
    while len(rest) + 1 < count:
        first, last = first
        rest = [last, *rest]
    return (first, *rest)
