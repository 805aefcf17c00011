"""From the text of a RASP program to its statements.

Source: Weiss et al. 2021, appendix; tech-srl/RASP. Differs: no lists, dictionaries, loops, strings of several tokens or
`draw`; `in` is written with `or`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from interp.core.errors import InterpError

LONGEST_SOURCE = 10_000  # characters
_DEEPEST = 60  # brackets, signs and negations inside one another
_LONGEST_NAME = 40
_MOST_OPERATORS = 150  # in one statement
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
KEYWORDS = ("def", "return", "if", "else", "and", "or", "not")
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)|(?P<number>\d+(\.\d+)?)|(?P<name>[A-Za-z_]\w*)
    |(?P<string>"[^"\n]*"|'[^'\n]*'|“[^”\n]*”)|(?P<sign>==|!=|<=|>=|[-+*/<>=(){},;])""",
    re.VERBOSE | re.ASCII,
)


class Place(NamedTuple):
    """Where something stands in the source, both from 1."""

    line: int
    column: int


class RaspError(InterpError):
    """A program that does not compile: where, which construct, and the remedy."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"line {place.line}, column {place.column}: {problem}")
        self.place = place


@dataclass(frozen=True)
class Constant:
    """A number, a token, `True` or `False`."""

    value: str | int | bool | Fraction
    at: Place


@dataclass(frozen=True)
class Name:
    """A variable."""

    name: str
    at: Place


@dataclass(frozen=True)
class Comparison:
    """A comparison as the third argument of `select`."""

    sign: str
    at: Place


@dataclass(frozen=True)
class Operation:
    """An operator and its operands; `if` has three: the value, the condition, and the value otherwise."""

    sign: str
    operands: tuple["Expression", ...]
    at: Place


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple["Expression", ...]
    at: Place


Expression = Constant | Name | Comparison | Operation | Call


@dataclass(frozen=True)
class Assignment:
    """`name = expression;`, or an expression alone, without a name."""

    name: str
    expression: Expression
    at: Place


@dataclass(frozen=True)
class Definition:
    """`def name(parameters) { body return result; }`"""

    name: str
    parameters: tuple[str, ...]
    body: tuple["Assignment | Definition", ...]
    result: Expression
    at: Place


Statement = Assignment | Definition


class _Token(NamedTuple):
    kind: str
    text: str
    at: Place


def parse(source: str) -> list[Statement]:
    """The statements of a program. Raises: RaspError for what is no such text."""
    if len(source) > LONGEST_SOURCE:
        raise RaspError(Place(1, 1), f"the program has {len(source):,} characters; give at most {LONGEST_SOURCE:,}")
    return _Parser(source).program()


def constant(text: str) -> str | int:
    """A token as a program compares it: a whole number where it looks like one."""
    return int(text) if re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else text


def _tokens(source: str) -> Iterator[_Token]:
    position, line, start = 0, 1, 0
    while position < len(source):
        at = Place(line, position - start + 1)
        match = _TOKEN.match(source, position)
        if match is None:
            raise RaspError(at, f"{source[position]!r} is no part of RASP; remove it, or quote a token")
        position = match.end()
        if match.lastgroup == "newline":
            line, start = line + 1, position
        elif match["space"] is None:
            text = match.group()
            is_keyword = text in KEYWORDS
            kind = "sign" if is_keyword else next(k for k, v in match.groupdict().items() if v is not None)
            if kind == "name" and len(text) > _LONGEST_NAME:
                raise RaspError(at, f"a name of {len(text):,} characters; give at most {_LONGEST_NAME}")
            yield _Token(kind, text, at)
    yield _Token("end", "the end", Place(line, position - start + 1))


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, source: str) -> None:
        self._rest = _tokens(source)
        self._now = next(self._rest)
        self._depth = 0
        self._operators = 0  # in this statement

    def program(self) -> list[Statement]:
        statements = []
        while self._now.kind != "end":
            statements.append(self._statement())
        return statements

    # Tokens

    def _take(self) -> _Token:
        token = self._now
        if token.kind != "end":
            self._now = next(self._rest)
        return token

    def _takes(self, *signs: str) -> _Token | None:
        return self._take() if self._now.kind == "sign" and self._now.text in signs else None

    def _require(self, sign: str) -> _Token:
        token = self._takes(sign)
        if token is None:
            raise RaspError(self._now.at, f"expected {sign!r}, not {self._now.text[:40]!r}")
        return token

    def _name(self, of: str) -> str:
        if self._now.kind != "name":
            raise RaspError(self._now.at, f"expected the name of a {of}, not {self._now.text[:40]!r}")
        return self._take().text

    # Statements

    def _statement(self) -> Statement:
        at, self._operators = self._now.at, 0
        if self._takes("def"):
            return self._definition(at)
        expression = self._expression()
        name = ""
        if isinstance(expression, Name) and self._takes("="):
            name, expression = expression.name, self._expression()
        elif self._now.text == "=":
            raise RaspError(self._now.at, "only a name can stand before '='; to compare, write '=='")
        if self._now.kind != "end":
            self._require(";")
        return Assignment(name, expression, at)

    def _definition(self, at: Place) -> Definition:
        name, parameters, body = self._name("function"), [], []
        self._require("(")
        while not self._takes(")"):
            parameters.append(self._name("parameter"))
            if self._now.text != ")":
                self._require(",")
        self._require("{")
        self._deeper(at)
        while not self._takes("return"):
            if self._now.kind == "end" or self._now.text == "}":
                raise RaspError(self._now.at, f"{name} returns nothing; end it with 'return …;'")
            body.append(self._statement())
        result = self._expression()
        self._takes(";")
        self._require("}")
        self._takes(";")
        self._depth -= 1
        return Definition(name, tuple(parameters), tuple(body), result, at)

    # Expressions

    def _deeper(self, at: Place) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RaspError(at, f"more than {_DEEPEST} brackets or signs inside one another; name a part of it")

    def _expression(self) -> Expression:
        at = self._now.at
        self._deeper(at)
        value = self._either()
        if self._takes("if"):
            condition = self._either()
            self._require("else")
            value = Operation("if", (value, condition, self._expression()), at)
        self._depth -= 1
        return value

    def _joined(self, token: _Token, *operands: Expression) -> Operation:
        self._operators += 1
        if self._operators > _MOST_OPERATORS:
            raise RaspError(token.at, f"more than {_MOST_OPERATORS} operators in one statement; name a part of it")
        return Operation(token.text, operands, token.at)

    def _either(self) -> Expression:
        value = self._both()
        while token := self._takes("or"):
            value = self._joined(token, value, self._both())
        return value

    def _both(self) -> Expression:
        value = self._negated()
        while token := self._takes("and"):
            value = self._joined(token, value, self._negated())
        return value

    def _negated(self) -> Expression:
        token = self._takes("not")
        if token is None:
            return self._compared()
        self._deeper(token.at)
        value = Operation("not", (self._negated(),), token.at)
        self._depth -= 1
        return value

    def _compared(self) -> Expression:
        value = self._sum()
        if token := self._takes(*COMPARISONS):
            value = self._joined(token, value, self._sum())
        return value

    def _sum(self) -> Expression:
        value = self._product()
        while token := self._takes("+", "-"):
            value = self._joined(token, value, self._product())
        return value

    def _product(self) -> Expression:
        value = self._signed()
        while token := self._takes("*", "/"):
            value = self._joined(token, value, self._signed())
        return value

    def _signed(self) -> Expression:
        token = self._takes("-")
        if token is None:
            return self._atom()
        self._deeper(token.at)
        value = Operation("-", (self._signed(),), token.at)
        self._depth -= 1
        return value

    def _atom(self) -> Expression:
        if self._takes("("):
            value = self._expression()
            self._require(")")
            return value
        token = self._take()
        match token.kind:
            case "number":
                return Constant(Fraction(token.text) if "." in token.text else int(token.text), token.at)
            case "string":
                return Constant(constant(token.text[1:-1]), token.at)
            case "name" if token.text in ("True", "False"):
                return Constant(token.text == "True", token.at)
            case "name":
                return self._call(token) if self._now.text == "(" else Name(token.text, token.at)
        raise RaspError(token.at, f"expected a value, not {token.text[:40]!r}")

    def _call(self, name: _Token) -> Call:
        self._require("(")
        arguments: list[Expression] = []
        while not self._takes(")"):
            token = self._takes(*COMPARISONS)
            arguments.append(Comparison(token.text, token.at) if token else self._expression())
            if self._now.text != ")":
                self._require(",")
        return Call(name.text, tuple(arguments), name.at)
