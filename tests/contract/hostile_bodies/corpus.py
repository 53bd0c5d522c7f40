"""Hostile bodies: one table, every row a way to spoil the decent body of any route, and what has to come of it."""

import gzip
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

type Verdict = Literal["served", "refused", "lost", "unnamed", "answered"]
"""200, 400, 404, the last two where Ollama looks for a model without a name, or any: where others have to say."""

type Spoil = Callable[[bytes], bytes]
"""From a decent body, which says "hi" once and names its model first, to a hostile one."""

STATUSES: dict[Verdict, frozenset[int]] = {
    "served": frozenset({200}),
    "refused": frozenset({400}),
    "lost": frozenset({404}),
    "unnamed": frozenset({400, 404}),
    "answered": frozenset({200, 400, 404}),
}


@dataclass(frozen=True)
class Hostile:
    """A spoilt body, and what becomes of it under `/v1` and under `/api`."""

    name: str
    spoil: Spoil
    v1: Verdict
    api: Verdict

    def __str__(self) -> str:
        return self.name


def text(literal: bytes) -> Spoil:
    """The text of the body is this JSON value."""
    return lambda body: body.replace(b'"hi"', literal, 1)


def member(json_member: bytes) -> Spoil:
    """One more member, behind the others."""
    return lambda body: body[:-1] + b"," + json_member + b"}"


def first_member(json_member: bytes) -> Spoil:
    return lambda body: b"{" + json_member + b"," + body[1:]


def around(before: bytes, after: bytes = b"") -> Spoil:
    return lambda body: before + body + after


def instead(body: bytes) -> Spoil:
    return lambda _: body


def model(literal: bytes) -> Spoil:
    """The model's name is this JSON value."""

    def spoil(body: bytes) -> bytes:
        name, _, rest = body.removeprefix(b'{"model": ').partition(b",")
        assert name.startswith(b'"')
        return b'{"model": ' + literal + b"," + rest

    return spoil


def cut(numerator: int, denominator: int) -> Spoil:
    return lambda body: body[: len(body) * numerator // denominator]


def encoded(encoding: str) -> Spoil:
    return lambda body: body.decode().encode(encoding)


def nested(opening: bytes, closing: bytes, depth: int, inner: bytes = b"1") -> bytes:
    return opening * depth + inner + closing * depth


def listed(item: bytes, count: int) -> bytes:
    return b"[" + b",".join([item] * count) + b"]"


def _rows() -> Iterable[Hostile]:
    yield from _framing()
    yield from _shapes()
    yield from _numbers()
    yield from _strings()
    yield from _utf8()
    yield from _keys()
    yield from _nesting()
    yield from _sizes()


def _framing() -> Iterable[Hostile]:
    yield Hostile("nothing", instead(b""), "refused", "refused")
    yield Hostile("white space", instead(b" \t\r\n " * 1000), "refused", "refused")
    yield Hostile("a BOM and nothing", instead(b"\xef\xbb\xbf"), "refused", "refused")
    yield Hostile("a BOM before it", around(b"\xef\xbb\xbf"), "served", "served")
    yield Hostile("two BOMs before it", around(b"\xef\xbb\xbf\xef\xbb\xbf"), "refused", "refused")
    yield Hostile("white space around it", around(b" \r\n\t" * 1000, b" \r\n\t" * 1000), "served", "served")
    yield Hostile("other white space before it", around("\u00a0\u2003".encode()), "refused", "refused")
    yield Hostile("a form feed before it", around(b"\x0c"), "refused", "refused")
    yield Hostile("a word behind it", around(b"", b"x"), "refused", "served")
    yield Hostile("a second object behind it", around(b"", b'{"model":"other"}'), "refused", "served")
    yield Hostile("a second line behind it", around(b"", b'\n{"model":"other"}\n'), "refused", "served")
    yield Hostile("a comma behind it", around(b"", b","), "refused", "served")
    yield Hostile("a brace behind it", around(b"", b"}"), "refused", "served")
    yield Hostile("a NUL behind it", around(b"", b"\x00"), "refused", "served")
    yield Hostile("a bad byte behind it", around(b"", b"\xff"), "refused", "served")
    yield Hostile("a NUL before it", around(b"\x00"), "refused", "refused")
    yield Hostile("a word before it", around(b"x"), "refused", "refused")
    yield Hostile("the prefix against JSON hijacking", around(b")]}',\n"), "refused", "refused")
    yield Hostile("an event's line", around(b"data: ", b"\n\n"), "refused", "refused")
    yield Hostile("cut off after a byte", instead(b"{"), "refused", "refused")
    for number in (1, 2, 3):
        yield Hostile(f"cut off after {number} of 4 parts", cut(number, 4), "refused", "refused")
    yield Hostile("cut off before its last byte", lambda body: body[:-1], "refused", "refused")
    yield Hostile(
        "within a string for ever", lambda body: body[:-1] + b',"x":"' + b"a" * 100_000, "refused", "refused"
    )
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "utf-7", "cp037"):
        verdict: Verdict = "served" if encoding == "utf-7" else "refused"
        yield Hostile(f"in {encoding}", encoded(encoding), verdict, verdict)
    yield Hostile("as a gzip file", lambda body: gzip.compress(body), "refused", "refused")
    yield Hostile("as a form", instead(b"model=m&prompt=hi"), "refused", "refused")
    yield Hostile("as HTML", instead(b"<html><body>hi</body></html>"), "refused", "refused")
    yield Hostile("as YAML", instead(b"model: m\nprompt: hi\n"), "refused", "refused")
    yield Hostile("with a comment", member(b'/* x */ "x":1'), "refused", "refused")
    yield Hostile("with a line of comment", around(b"// x\n"), "refused", "refused")
    yield Hostile("with single quotes", lambda body: body.replace(b'"', b"'"), "refused", "refused")
    yield Hostile("with a bare key", member(b"x:1"), "refused", "refused")
    yield Hostile("with a comma too many", lambda body: body[:-1] + b",}", "refused", "refused")
    yield Hostile("with a comma missing", lambda body: body[:-1] + b' "x":1}', "refused", "refused")
    yield Hostile("with a colon missing", member(b'"x" 1'), "refused", "refused")
    yield Hostile("with a value missing", member(b'"x":'), "refused", "refused")


def _shapes() -> Iterable[Hostile]:
    for name, value in (
        ("null", b"null"), ("true", b"true"), ("a number", b"0"), ("a text", b'"hi"'), ("an empty list", b"[]"),
        ("the word undefined", b"undefined"), ("the word None", b"None"),
        ("the word True", b"True"), ("a lone minus", b"-"), ("a text within a text", b'"{\\"model\\":\\"m\\"}"'),
    ):  # fmt: skip
        yield Hostile(f"{name} instead", instead(value), "refused", "refused")
    yield Hostile("in a list", around(b"[", b"]"), "refused", "refused")
    yield Hostile("an empty object instead", instead(b"{}"), "refused", "unnamed")
    yield Hostile("in an object", around(b'{"body":', b"}"), "refused", "unnamed")
    yield Hostile("its model null", model(b"null"), "refused", "unnamed")
    yield Hostile("its model empty", model(b'""'), "refused", "unnamed")
    yield Hostile("its model white space", model(b'" "'), "unnamed", "unnamed")
    yield Hostile("its model a number", model(b"5"), "refused", "refused")
    yield Hostile("its model a list", model(b'["m"]'), "refused", "refused")
    yield Hostile("its model an object", model(b'{"id":"m"}'), "refused", "refused")


BAD_NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "nan",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "1_000",
    "1e",
    "--1",
    "1,5",
]
HUGE_NUMBERS = {
    "1e400": b"1e400",
    "-1e400": b"-1e400",
    "1e-400": b"1e-400",
    "1e999999999": b"1e999999999",
    "5,000 digits": b"9" * 5000,
    "5,000 digits behind the point": b"0." + b"1" * 5000,
    "500,000 digits": b"9" * 500_000,
    "2 to the 63rd": b"9223372036854775808",
    "2 to the 64th": b"18446744073709551616",
    "minus zero": b"-0",
}


def _numbers() -> Iterable[Hostile]:
    for word in BAD_NUMBERS:
        yield Hostile(f"{word} in a field", member(b'"x":' + word.encode()), "refused", "refused")
    for name, number in HUGE_NUMBERS.items():
        yield Hostile(f"{name} in a field", member(b'"x":' + number), "answered", "answered")
        yield Hostile(
            f"{name} as the temperature", member(_set(b"temperature", number)), "answered", "answered"
        )
        yield Hostile(f"{name} as the seed", member(_set(b"seed", number)), "answered", "answered")


def _set(name: bytes, value: bytes) -> bytes:
    """A setting where OpenAI has it, and where Ollama has it."""
    return b'"%b":%b,"options":{"%b":%b}' % (name, value, name, value)


GOOD_TEXTS = {
    "half a pair": b'"\\ud83d"',
    "the other half of a pair": b'"a\\ude00b"',
    "a pair the wrong way round": b'"\\ude00\\ud83d"',
    "a NUL by escape": b'"a\\u0000b"',
    "a raw NUL": b'"a\x00b"',
    "raw control characters": b'"%b"' % bytes(range(1, 32)),
    "a raw DEL": b'"\x7f"',
    "separators of lines": '"\u2028\u2029\u0085"'.encode(),
    "noncharacters": '"\ufffe\uffff\U0010ffff"'.encode(),
    "a BOM within": '"\ufeffhi"'.encode(),
    "a text to the right": '"\u202ehi\u200b"'.encode(),
}
BAD_TEXTS = {
    "a pair cut short": b'"\\ud83d\\u00"',
    "an escape of nothing": b'"\\x41"',
    "an escape cut short": b'"\\u12"',
    "an escape of no digits": b'"\\uzzzz"',
}


def _strings() -> Iterable[Hostile]:
    for name, literal in GOOD_TEXTS.items():
        yield Hostile(f"{name} in its text", text(literal), "served", "served")
    for name, literal in BAD_TEXTS.items():
        yield Hostile(f"{name} in its text", text(literal), "refused", "refused")
    yield Hostile("half a pair in its model", model(b'"m\\ud83d"'), "lost", "lost")
    yield Hostile("a NUL in its model", model(b'"m\\u0000"'), "lost", "lost")
    yield Hostile("line ends in its model", model(b'"m\\r\\nx-relay-model: evil"'), "lost", "lost")
    yield Hostile("HTML in its model", model(b'"<script>alert(1)</script>"'), "lost", "lost")
    yield Hostile("a path as its model", model(b'"../../etc/passwd"'), "lost", "lost")
    yield Hostile("format directives as its model", model(b'"%s%n{0}{model}"'), "lost", "lost")


BAD_UTF8 = {
    "a lone continuation": b"\x80",
    "a byte that is never used": b"\xff",
    "an overlong NUL": b"\xc0\x80",
    "an overlong slash": b"\xe0\x80\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "what is beyond the last character": b"\xf4\x90\x80\x80",
    "a sequence of five": b"\xf8\x88\x80\x80\x80",
    "a sequence cut short": b"\xe2\x82",
    "Latin-1": "é".encode("latin-1"),
}


def _utf8() -> Iterable[Hostile]:
    for name, data in BAD_UTF8.items():
        yield Hostile(f"{name} in its text", text(b'"a' + data + b'b"'), "refused", "served")
        yield Hostile(f"{name} in a key", member(b'"' + data + b'":1'), "refused", "served")
        yield Hostile(f"{name} in a value nobody knows", member(b'"x":"' + data + b'"'), "refused", "served")
    yield Hostile("a bad byte in its model", model(b'"m\xff"'), "refused", "lost")
    yield Hostile("a bad byte deep down", member(b'"x":{"y":[{"z":"\xff"}]}'), "refused", "served")
    yield Hostile("a bad byte at the very end", lambda body: body[:-1] + b"\xff", "refused", "refused")


def _keys() -> Iterable[Hostile]:
    yield Hostile("an empty key", member(b'"":1'), "served", "served")
    yield Hostile("a key with a NUL", member(b'"a\\u0000b":1'), "served", "served")
    yield Hostile("a key that is half a pair", member(b'"\\ud83d":1'), "served", "served")
    yield Hostile(
        "keys of JavaScript", member(b'"__proto__":{"model":"other"},"constructor":{}'), "served", "served"
    )
    yield Hostile(
        "keys of Python", member(b'"__class__":1,"__dict__":{},"self":1,"kwargs":{}'), "served", "served"
    )
    yield Hostile("a key of a megabyte", member(b'"' + b"k" * 1_000_000 + b'":1'), "served", "served")
    yield Hostile("a key twice", member(b'"x":1,"x":2'), "served", "served")
    yield Hostile("its members twice", lambda body: body[:-1] + b"," + body[1:], "served", "served")
    yield Hostile("its model in capitals, too", member(b'"MODEL":"other"'), "served", "served")
    yield Hostile("its model by another spelling", member(b'"mod\\u0065l":"other"'), "served", "served")
    yield Hostile("its model before it", first_member(b'"model":"other"'), "served", "served")
    yield Hostile("its model twice behind it", member(b'"model":5,"model":"other"'), "answered", "answered")
    yield Hostile(
        "10,000 keys", member(b",".join(b'"k%d":%d' % (n, n) for n in range(10_000))), "served", "served"
    )
    yield Hostile("one key 100,000 times", member(b",".join([b'"x":1'] * 100_000)), "served", "served")
    yield Hostile("a number as a key", member(b"1:1"), "refused", "refused")
    yield Hostile("null as a key", member(b"null:1"), "refused", "refused")


def _nesting() -> Iterable[Hostile]:
    for depth in (900, 100_000):
        for name, opening, closing in (("lists", b"[", b"]"), ("objects", b'{"a":', b"}")):
            nest = nested(opening, closing, depth)
            alone: Verdict = "unnamed" if (depth, opening) == (900, b'{"a":') else "refused"
            yield Hostile(f"{depth} {name} and nothing else", instead(nest), "refused", alone)
            yield Hostile(f"{depth} {name} as its text", text(nest), "answered", "answered")
            yield Hostile(f"{depth} {name} in a field", member(b'"x":' + nest), "answered", "answered")
            yield Hostile(
                f"{depth} {name} and a bad byte",
                member(b'"x":' + nest + b',"y":"\xff"'),
                "refused",
                "answered",
            )
            yield Hostile(
                f"{depth} {name} and half a pair",
                member(b'"x":' + nest + b',"y":"\\ud83d"'),
                "answered",
                "answered",
            )
    yield Hostile("100,000 lists without an end", instead(b"[" * 100_000), "refused", "refused")
    yield Hostile("100,000 objects without an end", instead(b'{"a":' * 100_000), "refused", "refused")
    yield Hostile(
        "100,000 lists without an end in a field", member(b'"x":' + b"[" * 100_000), "refused", "refused"
    )
    yield Hostile("a million ends", around(b"", b"]" * 900_000), "refused", "served")


def _sizes() -> Iterable[Hostile]:
    megabyte = b"a" * 950_000
    yield Hostile("a text of a megabyte", text(b'"' + megabyte + b'"'), "served", "served")
    yield Hostile("a text of escapes", text(b'"' + b"\\u00e9" * 150_000 + b'"'), "served", "served")
    yield Hostile("a text of halves of pairs", text(b'"' + b"\\ud83d" * 150_000 + b'"'), "served", "served")
    yield Hostile("a model of a megabyte", model(b'"' + megabyte + b'"'), "lost", "lost")
    yield Hostile("a model of slashes", model(b'"' + b"/" * 950_000 + b'"'), "lost", "lost")
    yield Hostile("a model of hyphens", model(b'"' + b"-" * 950_000 + b'"'), "lost", "lost")
    yield Hostile("a model of tags", model(b'"m@' + b"a:b," * 200_000 + b'"'), "lost", "lost")
    yield Hostile("a model of default tags", model(b'"m' + b":latest" * 130_000 + b'"'), "lost", "lost")
    yield Hostile("100,000 empty texts", text(listed(b'""', 100_000)), "answered", "answered")
    yield Hostile("100,000 nulls as its text", text(listed(b"null", 100_000)), "answered", "answered")
    yield Hostile("35,000 parts", text(listed(b'{"type":"text","text":""}', 35_000)), "answered", "answered")
    yield Hostile("100,000 empty objects as its text", text(listed(b"{}", 100_000)), "answered", "answered")
    for name in ("messages", "tools", "stop", "functions", "images", "context", "options", "x"):
        key = b'"%b":' % name.encode()
        yield Hostile(
            f"100,000 empty objects as {name}", member(key + listed(b"{}", 100_000)), "answered", "answered"
        )
    message = b'{"role":"user","content":"x"}'
    yield Hostile("30,000 messages", member(b'"messages":' + listed(message, 30_000)), "answered", "answered")
    tool = b'{"type":"function","function":{"name":"f"}}'
    yield Hostile("20,000 tools", member(b'"tools":' + listed(tool, 20_000)), "answered", "answered")
    call = b'{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]}'
    result = b'{"role":"tool","tool_call_id":"c","content":"x"}'
    turns = b'"messages":' + listed(call + b"," + result, 6_000)
    yield Hostile("6,000 turns of one tool", member(turns), "answered", "answered")
    loose = b'"messages":' + listed(result, 18_000)
    yield Hostile("18,000 results of no call", member(loose), "answered", "answered")


HOSTILE: Sequence[Hostile] = tuple(_rows())


def megabytes() -> Iterable[Hostile]:
    """Megabytes of the smallest values there are: what each becomes in memory is what counts."""
    small = {"lists": b"[]", "numbers": b"0", "texts": b'""', "nulls": b"null"}
    for size, items in ((9_000_000, {"objects": b"{}"}), (900_000, small)):
        for name, item in items.items():
            many = listed(item, size // (len(item) + 1))
            yield Hostile(f"{size} bytes of {name}", instead(many), "refused", "refused")
            for field in ("messages", "tools", "x"):
                spoil = member(b'"%b":%b' % (field.encode(), many))
                yield Hostile(f"{size} bytes of {name} as {field}", spoil, "answered", "answered")
            yield Hostile(f"{size} bytes of {name} as its text", text(many), "answered", "answered")


def decent(members: object) -> bytes:
    """The body that is spoilt: its model comes first."""
    return json.dumps(members).encode()
