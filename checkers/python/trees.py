"""Trees: RFC 6962 over SHA-256 with its tiles, and the claim tree of OpenZeppelin's `standard-v1` over keccak256."""

from __future__ import annotations

import hashlib

from keccak import keccak256

TILE_WIDTH = 256


def leaf_hash(data):
    """The hash of a leaf (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    """The hash of two children."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Frontier:
    """The roots of the whole subtrees that a growing tree consists of, largest first."""

    def __init__(self):
        self.size = 0
        self.peaks = []

    def push(self, leaf):
        """Adds a leaf."""
        size, self.size = self.size, self.size + 1
        while size & 1:
            leaf = node_hash(self.peaks.pop(), leaf)
            size >>= 1
        self.peaks.append(leaf)

    def root(self):
        """The root of the tree so far."""
        return fold_peaks(self.peaks)


def fold_peaks(peaks):
    """The root over whole subtrees, largest first."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(rows):
    """The root over rows, in the order given."""
    frontier = Frontier()
    for row in rows:
        frontier.push(leaf_hash(row))
    return frontier.root()


def levels_of(leaves):
    """The hashes of each tile level: leaf hashes, then roots of 256 of them, and so on; whole subtrees only."""
    levels = [leaves]
    while len(levels[-1]) >= TILE_WIDTH:
        below = levels[-1]
        whole = len(below) // TILE_WIDTH
        levels.append([whole_root(below[TILE_WIDTH * at : TILE_WIDTH * (at + 1)]) for at in range(whole)])
    return levels


def whole_root(hashes):
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def edge_root(levels):
    """The root of a tree by the right edges of its tile levels alone."""
    peaks = []
    for hashes in reversed(levels):
        edge = len(hashes) - len(hashes) % TILE_WIDTH
        for bit in reversed(range(8)):
            if (len(hashes) - edge) >> bit & 1:
                at = edge + ((len(hashes) - edge) >> (bit + 1) << (bit + 1))
                peaks.append(whole_root(hashes[at : at + (1 << bit)]))
    return fold_peaks(peaks)


def tile_path(level, index, width):
    """The path of a tile of hashes (`level` a number) or of an entry bundle (`level` "entries")."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def tile_widths(count):
    """The width of each tile over `count` hashes or entries: full ones, and perhaps a partial one at the end."""
    full, rest = divmod(count, TILE_WIDTH)
    return [TILE_WIDTH] * full + ([rest] if rest else [])


EMPTY_CLAIM_ROOT = bytes(32)


def claim_hash(domain, distributor, account, cumulative):
    """The hash of a claim: keccak256 twice over `abi.encode(uint256, bytes32, bytes32, uint256)`."""
    return keccak256(keccak256(domain + distributor + account + cumulative.to_bytes(32, "big")))


def claim_root(hashes):
    """The root over claim hashes: a binary heap with the sorted leaves at its end in reverse, children hashed in order
    of value."""
    if not hashes:
        return EMPTY_CLAIM_ROOT
    leaves = sorted(hashes)
    heap = [b""] * (len(leaves) - 1) + leaves[::-1]
    for at in reversed(range(len(leaves) - 1)):
        heap[at] = keccak256(b"".join(sorted(heap[2 * at + 1 : 2 * at + 3])))
    return heap[0]
