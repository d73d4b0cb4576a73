"""Signatures: Ed25519 under ZIP-215, ECDSA over P-256, and the address that an EVM wallet's signature gives.

OpenSSL (through `cryptography`) decides Ed25519 first. What it accepts, ZIP-215 accepts too: its equation without the
cofactor implies the one with it. What it refuses is decided by the equation of ZIP-215 in plain integers.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from keccak import keccak256

# Ed25519: -x^2 + y^2 = 1 + d x^2 y^2 over 2^255 - 19, in extended coordinates (X, Y, Z, T).
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_ONE = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


@lru_cache(maxsize=65536)
def decompress(data):
    """The point of an encoding under ZIP-215 (y need not be canonical, and the sign of zero is free), or `None`."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, (y & (1 << 255) - 1) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def compress(point):
    """The canonical encoding of a point."""
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def add(a, b):
    """The sum of two points (RFC 8032, section 5.1.4)."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * t1 * t2 * D % P
    h = 2 * z1 * z2 % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    """`scalar` times a point."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def negate(point):
    """The inverse of a point."""
    x, y, z, t = point
    return (-x % P, y, z, -t % P)


def is_identity(point):
    """Whether a point is the neutral one."""
    x, y, z, _ = point
    return x % P == 0 and (y - z) % P == 0


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_holds_by_zip215(key, message, signature):
    """`[8]([s]B - [k]A - R) = 0`, with s canonical and any encoding of R and A."""
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER or len(signature) != 64:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left = add(multiply(s, BASE), negate(add(multiply(k, a), r)))
    return is_identity(multiply(8, left))


@lru_cache(maxsize=65536)
def ed25519_enrolable(key):
    """Whether a key is canonical, not the identity, and in the subgroup of prime order."""
    a = decompress(key)
    if a is None or is_identity(a) or compress(a) != key:
        return False
    return is_identity(multiply(ORDER, a))


@lru_cache(maxsize=65536)
def _openssl_ed25519(key):
    try:
        return ed25519.Ed25519PublicKey.from_public_bytes(key)
    except ValueError:
        return None


class Ed25519Counter:
    """How many signatures OpenSSL refused and ZIP-215 accepted."""

    decided_by_zip215 = 0


def ed25519_holds(key, message, signature):
    """Whether a signature holds under ZIP-215."""
    if len(signature) != 64 or len(key) != 32:
        return False
    fast = _openssl_ed25519(key)
    if fast is not None:
        try:
            fast.verify(signature, message)
            return True
        except InvalidSignature:
            pass
    holds = ed25519_holds_by_zip215(key, message, signature)
    Ed25519Counter.decided_by_zip215 += holds
    return holds


@lru_cache(maxsize=65536)
def p256_key(compressed):
    """The key of a compressed point (33 bytes, the first 2 or 3), or `None`."""
    if len(compressed) != 33 or compressed[0] not in (2, 3):
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), compressed)
    except ValueError:
        return None


def p256_holds(compressed, message, signature):
    """Whether `r || s` is an ECDSA signature with SHA-256; either of the two values of s is valid."""
    key = p256_key(compressed)
    if key is None or len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if r == 0 or s == 0:
        return False
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        return True
    except InvalidSignature:
        return False


# secp256k1: y^2 = x^3 + 7, in Jacobian coordinates (X, Y, Z), Z = 0 being the point at infinity.
SECP_P = 2**256 - 2**32 - 977
SECP_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECP_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    1,
)


def _secp_double(a):
    x, y, z = a
    if y == 0 or z == 0:
        return (0, 1, 0)
    y2 = y * y % SECP_P
    s, m = 4 * x * y2 % SECP_P, 3 * x * x % SECP_P
    x3 = (m * m - 2 * s) % SECP_P
    return (x3, (m * (s - x3) - 8 * y2 * y2) % SECP_P, 2 * y * z % SECP_P)


def _secp_add(a, b):
    if a[2] == 0 or b[2] == 0:
        return b if a[2] == 0 else a
    x1, y1, z1 = a
    x2, y2, z2 = b
    u1, u2 = x1 * z2 * z2 % SECP_P, x2 * z1 * z1 % SECP_P
    s1, s2 = y1 * z2**3 % SECP_P, y2 * z1**3 % SECP_P
    if u1 == u2:
        return _secp_double(a) if s1 == s2 else (0, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % SECP_P
    h3, v = h * h2 % SECP_P, u1 * h2 % SECP_P
    x3 = (r * r - h3 - 2 * v) % SECP_P
    return (x3, (r * (v - x3) - s1 * h3) % SECP_P, h * z1 * z2 % SECP_P)


def _secp_multiply(scalar, point):
    total = (0, 1, 0)
    while scalar:
        if scalar & 1:
            total = _secp_add(total, point)
        point, scalar = _secp_double(point), scalar >> 1
    return total


def evm_address_of(digest, signature):
    """The address whose key made `r || s || v` (v 27 or 28, s in the lower half) over a digest, or `None`."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r < SECP_N or not 0 < s <= SECP_N // 2:
        return None
    square = (pow(r, 3, SECP_P) + 7) % SECP_P
    y = pow(square, (SECP_P + 1) // 4, SECP_P)
    if y * y % SECP_P != square:
        return None
    if y & 1 != signature[64] - 27:
        y = SECP_P - y
    inverse, z = pow(r, SECP_N - 2, SECP_N), int.from_bytes(digest, "big") % SECP_N
    key = _secp_add(
        _secp_multiply(s * inverse % SECP_N, (r, y, 1)),
        _secp_multiply(-z * inverse % SECP_N, SECP_G),
    )
    if key[2] == 0:
        return None
    inverse = pow(key[2], SECP_P - 2, SECP_P)
    x, y = key[0] * inverse**2 % SECP_P, key[1] * inverse**3 % SECP_P
    return keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]
