"""Names: devices, chains, accounts, keys; and the digests that wallets sign."""

from __future__ import annotations

import base64
import hashlib
import re

import curves
from keccak import keccak256
from strict_cbor import Malformed, bstr, tstr

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ED25519, P256 = b"\xed\x01", b"\x80\x24"


def sha256(data):
    """SHA-256."""
    return hashlib.sha256(data).digest()


def base58(data):
    """Bytes in base58btc."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def unbase58(text):
    """The bytes of base58btc."""
    number = 0
    for letter in text:
        digit = BASE58.find(letter)
        if digit < 0:
            raise Malformed(f"{text} is not base58")
        number = 58 * number + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")


class Key:
    """A public key: Ed25519 or P-256, named by its multicodec form."""

    def __init__(self, multicodec):
        self.multicodec = multicodec
        codec, self.raw = multicodec[:2], multicodec[2:]
        if codec == ED25519 and len(self.raw) == 32 and curves.decompress(self.raw) is not None:
            self.algorithm = "Ed25519"
        elif codec == P256 and curves.p256_key(self.raw) is not None:
            self.algorithm = "P-256"
        else:
            raise Malformed("not an Ed25519 or P-256 key")

    def __eq__(self, other):
        return isinstance(other, Key) and self.multicodec == other.multicodec

    def __hash__(self):
        return hash(self.multicodec)

    def key_id(self):
        """The first 16 bytes of SHA-256 over the multicodec form."""
        return sha256(self.multicodec)[:16]

    def did(self):
        """The key as `did:key`."""
        return "did:key:z" + base58(self.multicodec)

    def enrolable(self):
        """Whether the key may be let in."""
        return self.algorithm == "P-256" or curves.ed25519_enrolable(self.raw)

    def holds(self, message, signature):
        """Whether a signature over a message is this key's."""
        if self.algorithm == "P-256":
            return curves.p256_holds(self.raw, message, signature)
        return curves.ed25519_holds(self.raw, message, signature)


def key_of_did(text):
    """The key of a `did:key`."""
    if not text.startswith("did:key:z"):
        raise Malformed(f"{text} is not a did:key")
    return Key(unbase58(text[len("did:key:z") :]))


def key_field(value):
    """A key in a format: its multicodec form."""
    return Key(bstr(value))


def device_name(device):
    """A device id as people read it."""
    return "dev1" + base64.b32encode(device).decode().rstrip("=").lower()


def is_domain(text):
    """Whether text is the CAIP-2 id of a chain that Cairn settles on."""
    namespace, _, reference = text.partition(":")
    if namespace == "eip155":
        return bool(re.fullmatch(r"[1-9][0-9]*", reference)) and int(reference) < 1 << 64
    return namespace == "solana" and bool(re.fullmatch(r"[A-Za-z0-9]{1,32}", reference))


def domain_field(value):
    """A chain in a format."""
    if not is_domain(tstr(value)):
        raise Malformed(f"{value} is not a CAIP-2 chain id")
    return value


def split_account(text):
    """An account's chain and address: 20 bytes of an EVM chain, 32 of Solana. The text is canonical, or refused."""
    domain, _, address = text.rpartition(":")
    if is_domain(domain):
        if domain.startswith("eip155:") and re.fullmatch(r"0x[0-9a-f]{40}", address):
            return domain, bytes.fromhex(address[2:])
        if domain.startswith("solana:"):
            key = unbase58(address)
            if len(key) == 32 and base58(key) == address:
                return domain, key
    raise Malformed(f"{text} is not a canonical CAIP-10 account")


def account_field(value):
    """An account in a format."""
    split_account(tstr(value))
    return value


def claim_domain(domain):
    """The word of a chain in a claim: an EVM chain's id, else keccak256 of the CAIP-2 id."""
    if domain.startswith("eip155:"):
        return int(domain[len("eip155:") :]).to_bytes(32, "big")
    return keccak256(domain.encode())


def claim_account(account):
    """The word of an account in a claim."""
    return split_account(account)[1].rjust(32, b"\0")


def statement_digest(network, schema, payload):
    """What an EVM wallet signs: the EIP-712 digest of a statement in the domain `{name: "Cairn", version: "1"}`."""
    domain = keccak256(b"EIP712Domain(string name,string version)")
    domain = keccak256(domain + keccak256(b"Cairn") + keccak256(b"1"))
    message = keccak256(b"CairnStatement(bytes32 network,string schema,bytes32 payloadHash)")
    message = keccak256(message + network + keccak256(schema.encode()) + sha256(payload))
    return keccak256(b"\x19\x01" + domain + message)


def statement_line(network, payload):
    """What a Solana wallet signs."""
    return f"cairn statement {network.hex()} {sha256(payload).hex()}".encode()


PENTAGONS = {4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117}


def cell_resolution(index):
    """The resolution of an H3 cell, or `None` when the index names no cell."""
    if index >> 59 != 1 or index >> 56 & 7:
        return None
    resolution, base = index >> 52 & 15, index >> 45 & 127
    digits = [index >> 3 * (14 - at) & 7 for at in range(15)]
    leading = next((digit for digit in digits[:resolution] if digit), 0)
    fits = base < 122 and all(digit < 7 for digit in digits[:resolution])
    fits = fits and all(digit == 7 for digit in digits[resolution:])
    if not fits or (base in PENTAGONS and leading == 1):
        return None
    return resolution
