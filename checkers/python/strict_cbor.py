"""Deterministic CBOR (RFC 8949, section 4.2.1), and nothing else.

`cbor2` decodes. Whatever it accepts beyond the rules (longer heads, repeated keys, indefinite lengths, trailing bytes,
tags that become dates or sets) is caught by writing the value again with the encoder below and comparing the bytes:
it has one encoding for each value that Cairn knows, so bytes that come back the same were deterministic.
"""

from __future__ import annotations

from collections.abc import Mapping

import cbor2

DEPTH_MAX = 8
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class Malformed(Exception):
    """Bytes or values that are not in the form that a format has."""


def head(major, value):
    """The head of an item: its major type and argument, in the shortest form."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise Malformed(f"{value} has no head")


def encode(value, depth=0):
    """The one encoding of integers in 64 bits, byte strings, ASCII text, arrays, integer-keyed maps and tags."""
    kind = type(value)
    if kind is int:
        if not INT_MIN <= value <= INT_MAX:
            raise Malformed(f"{value} does not fit 64 bits with a sign")
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if kind is bytes:
        return head(2, len(value)) + value
    if kind is str:
        if not value.isascii():
            raise Malformed("text is not ASCII")
        return head(3, len(value)) + value.encode("ascii")
    if kind is cbor2.CBORTag:
        return head(6, value.tag) + encode(value.value, depth)
    if kind not in (list, dict):
        raise Malformed(f"a {kind.__name__} is not used")
    if depth == DEPTH_MAX:
        raise Malformed(f"nested deeper than {DEPTH_MAX}")
    if kind is dict:
        pairs = sorted((encode(key), encode(item, depth + 1)) for key, item in value.items() if integer_key(key))
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    return head(4, len(value)) + b"".join(encode(item, depth + 1) for item in value)


def integer_key(key):
    """Whether a map may have this key; refuses otherwise."""
    if type(key) is not int:
        raise Malformed("a map key is not an integer")
    return True


def plain(value):
    """A value with lists and dictionaries throughout: under tags, some versions of `cbor2` give frozen ones."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, cbor2.CBORTag):
        return cbor2.CBORTag(value.tag, plain(value.value))
    return value


def decode(data, what="it", depth=0):
    """The value that fills `data`, if these are its only bytes; `depth` is how deep it stands in something else."""
    try:
        value = plain(cbor2.loads(data))
        again = encode(value, depth)
    except Malformed as error:
        raise Malformed(f"{what} is not deterministic CBOR: {error}") from None
    except Exception as error:  # cbor2 raises its own errors, and those of the types that its tags build.
        raise Malformed(f"{what} is not CBOR: {error}") from None
    if again != data:
        raise Malformed(f"{what} is not deterministic CBOR: its value is written {shown(again)}, not {shown(data)}")
    return value


def shown(data, most=24):
    """Bytes as hexadecimal, the first few."""
    return data.hex() if len(data) <= most else f"{data[:most].hex()}... ({len(data)} bytes)"


def head_at(data, at):
    """Major type and argument of the item that begins at `at`, and where its head ends."""
    try:
        first = data[at]
    except IndexError:
        raise Malformed(f"cbor ends early at byte {at}") from None
    major, info = first >> 5, first & 31
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    if info > 27 or major == 7:
        raise Malformed(f"cbor at byte {at} is not deterministic")
    value = int.from_bytes(data[at + 1 : at + 1 + size], "big") if size else info
    return major, value, at + 1 + size


def item_end(data, at, depth=0):
    """Where the item that begins at `at` ends."""
    if depth > 2 * DEPTH_MAX:
        raise Malformed(f"cbor at byte {at} is not deterministic")
    major, value, at = head_at(data, at)
    if major in (2, 3):
        at += value
    elif major in (4, 5, 6):
        for _ in range({4: value, 5: 2 * value, 6: 1}[major]):
            at = item_end(data, at, depth + 1)
    if at > len(data):
        raise Malformed(f"cbor ends early at byte {len(data)}")
    return at


def split(data):
    """The items of a CBOR sequence, as their bytes."""
    items, at = [], 0
    while at < len(data):
        end = item_end(data, at)
        items.append(data[at:end])
        at = end
    return items


# What a format has at a place: a function from a value to what it means, which raises `Malformed`.


def uint(value):
    """An unsigned integer of 63 bits."""
    if type(value) is not int or value < 0:
        raise Malformed(f"{value!r} is not an unsigned integer")
    return value


def uint_below(limit):
    """An unsigned integer below `limit`."""

    def read(value):
        if uint(value) >= limit:
            raise Malformed(f"{value} is not below {limit}")
        return value

    return read


def integer(value):
    """An integer of 64 bits with a sign."""
    if type(value) is not int:
        raise Malformed(f"{value!r} is not an integer")
    return value


def integer_within(low, high):
    """An integer from `low` to `high`."""

    def read(value):
        if not low <= integer(value) <= high:
            raise Malformed(f"{value} is not within {low} and {high}")
        return value

    return read


def bstr(value):
    """A byte string."""
    if type(value) is not bytes:
        raise Malformed(f"{value!r} is not a byte string")
    return value


def bstr_of(size):
    """A byte string of `size` bytes."""

    def read(value):
        if len(bstr(value)) != size:
            raise Malformed(f"{len(value)} bytes where {size} belong")
        return value

    return read


def tstr(value):
    """ASCII text."""
    if type(value) is not str:
        raise Malformed(f"{value!r} is not text")
    return value


def printable(most):
    """Printable ASCII of at most `most` characters."""

    def read(value):
        if len(tstr(value)) > most or not all(" " <= letter <= "~" for letter in value):
            raise Malformed(f"text is longer than {most} characters or not printable")
        return value

    return read


def array_of(item, most=None, least=0):
    """An array, item by item."""

    def read(value):
        if type(value) is not list:
            raise Malformed(f"{value!r} is not an array")
        if len(value) < least or (most is not None and len(value) > most):
            raise Malformed(f"an array of {len(value)} items")
        return [item(one) for one in value]

    return read


def row(*items):
    """An array of exactly these items."""

    def read(value):
        if type(value) is not list or len(value) != len(items):
            raise Malformed(f"{value!r} is not an array of {len(items)}")
        return [read_item(one) for read_item, one in zip(items, value)]

    return read


def fields(required, optional=None):
    """A map with these keys: `{key: (name, reader)}`. The names of optional keys that are absent map to `None`."""
    known = {**required, **(optional or {})}

    def read(value):
        if type(value) is not dict:
            raise Malformed(f"{value!r} is not a map")
        for key in value:
            if key not in known:
                raise Malformed(f"map key {key} is unknown")
        for key in required:
            if key not in value:
                raise Malformed(f"map key {key} is missing")
        return {name: reader(value[key]) if key in value else None for key, (name, reader) in known.items()}

    return read


def amount(value):
    """An amount: a big-endian byte string of at most 16 bytes without leading zeros."""
    if len(bstr(value)) > 16 or value[:1] == b"\0":
        raise Malformed("an amount is at most 16 bytes without leading zeros")
    return int.from_bytes(value, "big")


def amount_bytes(value):
    """The byte string of an amount."""
    if not 0 <= value < 1 << 128:
        raise Malformed(f"{value} is not an amount of 128 bits")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
