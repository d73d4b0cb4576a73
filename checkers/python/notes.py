"""Signed notes and checkpoints, as C2SP's `signed-note` and `tlog-checkpoint` have them."""

from __future__ import annotations

import base64
import binascii
import hashlib

from curves import ed25519_holds
from strict_cbor import Malformed

ED25519 = 1


def key_id(name, kind, key):
    """The four bytes that name a key."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def vkey(name, key):
    """The verifier key as text: name, id, and type with key."""
    material = base64.b64encode(bytes([ED25519]) + key).decode()
    return f"{name}+{key_id(name, ED25519, key).hex()}+{material}"


def decode_base64(text):
    """Bytes of base64 in its one form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a line is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Malformed("a line is not base64 in its one form")
    return data


def split_note(note):
    """A note's text and its signature lines as (name, key id, signature)."""
    try:
        note = note.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("it is not UTF-8 text") from None
    if any(letter < " " and letter != "\n" for letter in note):
        raise Malformed("it holds a control character")
    cut = note.rfind("\n\n")
    if cut < 0 or not note.endswith("\n") or cut + 2 == len(note):
        raise Malformed("it has no signatures after a blank line")
    lines = []
    for line in note[cut + 2 : -1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not parts[1] or "+" in parts[1]:
            raise Malformed("a signature line is not `\u2014 name base64`")
        data = decode_base64(parts[2])
        if len(data) < 5:
            raise Malformed("a signature is shorter than five bytes")
        lines.append((parts[1], data[:4], data[4:]))
    return note[: cut + 1], lines


def open_note(text, lines, name, key):
    """Refuses a note that this Ed25519 key has not signed, or has signed wrongly."""
    own = [signature for by, ident, signature in lines if by == name and ident == key_id(name, ED25519, key)]
    if not own:
        raise Malformed(f"it is not signed by {vkey(name, key)}")
    if not all(ed25519_holds(key, text.encode(), signature) for signature in own):
        raise Malformed(f"the signature of {name} does not verify")


def parse_checkpoint(text):
    """Origin, size and root of a checkpoint's text: three lines, none more."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Malformed("a checkpoint has three lines")
    origin, size, root = lines[:3]
    if not size.isdecimal() or not size.isascii() or str(int(size)) != size or int(size) >= 1 << 64:
        raise Malformed("the size is not a decimal number without leading zeros")
    root = decode_base64(root)
    if len(root) != 32 or not origin:
        raise Malformed("the root is not 32 bytes, or there is no origin")
    return origin, int(size), root
