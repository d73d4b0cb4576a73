#!/usr/bin/env python3
"""Checks a Cairn network from nothing but what it serves: a second implementation, written from the formats.

    cairn_check.py FOLDER-OR-URL [--operator DID] [--network ID] [--checkpoint FILE] [--log-only] [--json]

It verifies the checkpoint, every tile and every entry under it; genesis and every signature (COSE, EIP-712, Solana
line; Ed25519 under ZIP-215, P-256, secp256k1); which entries are valid; and, epoch by epoch, recomputes payouts,
balance, cumulative totals, claim roots and the state root from the served verdicts, what the judges are served to
remember, and the logged policy, comparing every epoch statement byte for byte. It does not judge: that each score and
memory is the one that the class's judge gives is what `cairn audit` recomputes.

It does not recompute networks that sell work (`compute/1`), and says so: what it checked until then is told, and there is no
PASS.

Exit code 0: PASS. 1: the first difference is named. 2: the call is wrong. 3: the source cannot be read. 4: the network does
what this checker does not recompute.
"""

from __future__ import annotations

import argparse
import json
import sys

try:
    import cbor2  # noqa: F401  (named here so that what is missing is said plainly)
    import cryptography  # noqa: F401
except ImportError as missing:
    sys.exit(f"cairn_check: {missing}: install the Python packages `cryptography` and `cbor2`")

import curves
import formats
from names import sha256
from notes import open_note, parse_checkpoint, split_note, vkey
from policy import Beyond
from replay import Difference, Replay, logged_statements
from sources import SourceError, open_source, read_tile
from strict_cbor import Malformed
from trees import TILE_WIDTH, edge_root, leaf_hash, levels_of, root_of, tile_path, tile_widths, whole_root


def split_bundle(data, width, path):
    """The first `width` entries of a bundle; only a full bundle that stands in for a partial one has more."""
    entries, at = [], 0
    while at < len(data) and len(entries) < TILE_WIDTH:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise Difference("LOG-BUNDLE", path, f"the entry at byte {at} is cut short")
        entries.append(data[at + 2 : end])
        at = end
    if at < len(data) or len(entries) not in (width, TILE_WIDTH):
        raise Difference("LOG-BUNDLE", path, "it holds another number of entries", width, len(entries))
    return entries[:width]


def read_entries(source, size):
    """All entries of the log, not yet known to be those under the checkpoint."""
    entries = []
    for index, width in enumerate(tile_widths(size)):
        path = tile_path("entries", index, width)
        data = read_tile(source, "entries", index, width)
        if data is None:
            raise Difference("LOG-MISSING", path, "there is no such bundle")
        entries += split_bundle(data, width, path)
    return entries


def read_levels(source, size):
    """The served tiles of hashes, level by level."""
    levels, level = [], 0
    while size >> 8 * level:
        hashes = []
        for index, width in enumerate(tile_widths(size >> 8 * level)):
            path = tile_path(level, index, width)
            data = read_tile(source, level, index, width)
            if data is None:
                raise Difference("LOG-MISSING", path, "there is no such tile")
            if len(data) not in (32 * width, 32 * TILE_WIDTH):
                raise Difference("LOG-TILE", path, "it has another length", 32 * width, len(data))
            hashes += [data[at : at + 32] for at in range(0, 32 * width, 32)]
        levels.append(hashes)
        level += 1
    return levels


def check_tree(entries, served, root):
    """Holds entries and tiles against the checkpoint's root, and names what differs."""
    computed = levels_of([leaf_hash(entry) for entry in entries])
    if edge_root(computed) == root:
        for level, (mine, theirs) in enumerate(zip(computed, served)):
            for at, pair in enumerate(zip(mine, theirs)):
                if pair[0] != pair[1]:
                    raise tile_difference(len(mine), level, at, pair)
        return
    check_tiles(served, root)
    for index, (mine, theirs) in enumerate(zip(computed[0], served[0])):
        if mine != theirs:
            detail = "it is not the entry under the checkpoint's root"
            raise Difference("LOG-LEAF", f"entry {index}", detail, theirs.hex(), mine.hex(), entry=index)
    raise AssertionError("leaves that are equal have one root")


def check_tiles(served, root):
    """Whether the tiles alone lead to the root: the right edges of all levels, then each full tile by the one above."""
    if edge_root(served) != root:
        detail = "neither the entries nor the right edge of the tiles hash to the checkpoint's root"
        raise Difference("LOG-ROOT", "the checkpoint", detail, root.hex(), edge_root(served).hex())
    for level in range(len(served) - 1):
        below, above = served[level], served[level + 1]
        for index, expected in enumerate(above):
            found = whole_root(below[TILE_WIDTH * index : TILE_WIDTH * (index + 1)])
            if found != expected:
                path = tile_path(level, index, TILE_WIDTH)
                raise Difference("LOG-TILE", path, "it does not hash to the tile above", expected.hex(), found.hex())


def tile_difference(count, level, at, pair):
    """A hash of a tile that is not the one that the entries give."""
    index = at // TILE_WIDTH
    path = tile_path(level, index, tile_widths(count)[index])
    detail = f"hash {at % TILE_WIDTH} is not the one that the entries give"
    return Difference("LOG-TILE", path, detail, pair[0].hex(), pair[1].hex())


def read_genesis(entries):
    """The genesis that entry 0 holds; its signature is checked when it is replayed."""
    try:
        kind, _, body = formats.parse_entry(entries[0])
        statement = formats.Statement(body)
        if kind != formats.STATEMENT or statement.schema != "genesis":
            raise Malformed("it is another kind of entry")
    except (IndexError, Malformed, formats.Void) as error:
        raise Difference("NET-GENESIS", "entry 0", f"there is no genesis: {error}", entry=0) from None
    return statement


def check_pins(arguments, network, genesis):
    """Whether this is the network and operator that was meant."""
    pairs = (("network", arguments.network, network), ("operator", arguments.operator, genesis["operator"].did()))
    for what, pinned, found in pairs:
        if pinned is not None and pinned.lower() != found.lower():
            raise Difference("NET-PIN", "entry 0", f"another {what} than the one meant", pinned, found, entry=0)


class Check:
    """One check, with what it has found so far."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.report = {"source": arguments.source, "result": None, "epochs": []}
        self.void = {}  # (index, detail) of void entries, by code

    def say(self, line):
        """A line for people."""
        if not self.arguments.json:
            print(line, flush=True)

    def run(self):
        """Runs the check; raises `Difference` at the first one."""
        source = open_source(self.arguments.source)
        try:
            note = source.checkpoint()
            if note is None:
                raise Difference("LOG-MISSING", "checkpoint", "there is none")
            text, lines = split_note(note)
            origin, size, root = parse_checkpoint(text)
        except Malformed as error:
            raise Difference("LOG-NOTE", "checkpoint", str(error)) from None
        entries = read_entries(source, size)
        genesis = read_genesis(entries)
        network = sha256(genesis.payload).hex()
        self.name(genesis, network, size, root)
        check_pins(self.arguments, network, genesis.body)
        try:
            if origin != genesis.body["origin"]:
                raise Malformed(f"it is the checkpoint of {origin}, genesis says {genesis.body['origin']}")
            open_note(text, lines, origin, genesis.body["log_key"])
        except Malformed as error:
            raise Difference("LOG-SIGNATURE", "checkpoint", str(error)) from None
        check_tree(entries, read_levels(source, size), root)
        self.say(f"tree        {size} entries hash to the signed root {root.hex()}")
        if self.arguments.checkpoint is not None:
            self.remembered(entries, origin, genesis.body["log_key"])
        if not self.arguments.log_only:
            self.replay(source, entries)

    def remembered(self, entries, origin, key):
        """Whether the log continues the one that a remembered checkpoint was of."""
        try:
            with open(self.arguments.checkpoint, "rb") as file:
                text, lines = split_note(file.read())
            open_note(text, lines, origin, key)
            _, size, root = parse_checkpoint(text)
        except OSError as error:
            raise SourceError(str(error)) from None
        except Malformed as error:
            raise Difference("LOG-REMEMBERED", "the remembered checkpoint", f"it is not of this log: {error}") from None
        if size > len(entries):
            values = f"at least {size} entries", f"{len(entries)} entries"
            raise Difference("LOG-ROLLBACK", "the remembered checkpoint", "the log was rolled back", *values)
        found = root_of(entries[:size])
        if found != root:
            detail = f"the first {size} entries are not those that the log had"
            raise Difference("LOG-FORK", "the remembered checkpoint", detail, root.hex(), found.hex())
        self.say(f"remembered  the log continues its checkpoint over {size} entries")

    def name(self, genesis, network, size, root):
        """Says which network this is."""
        body = genesis.body
        pinned = self.arguments.operator is not None or self.arguments.network is not None
        self.report.update(
            network_id=network,
            name=body["name"],
            origin=body["origin"],
            operator=body["operator"].did(),
            log_vkey=vkey(body["origin"], body["log_key"]),
            pinned=pinned,
            rehearsed=body["rehearsed"],
            entries=size,
            root=root.hex(),
        )
        self.say(f"network     {body['name']} ({network}), log {body['origin']}")
        trust = "as pinned" if pinned else "as the log itself says: pin it with --operator or --network"
        self.say(f"operator    {body['operator'].did()}, {trust}")
        for what in body["rehearsed"]:
            self.say(f"rehearsed   {what}")

    def replay(self, source, entries):
        """Replays the log and recomputes its epochs."""
        curves.Ed25519Counter.decided_by_zip215 = 0
        replay = Replay(source, logged_statements(entries), self.epoch)
        for entry in entries:
            replay.push(entry)
        replay.finish()
        by_zip215 = curves.Ed25519Counter.decided_by_zip215
        self.void = replay.void
        void = {code: len(held) for code, held in sorted(replay.void.items())}
        self.report.update(counts=replay.counts, signatures=replay.signatures, by_zip215=by_zip215, void=void)
        counts = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in replay.counts.items() if name != "entries"
        )
        self.say(f"entries     {counts}")
        odd = f"; {by_zip215} that only ZIP-215 accepts" if by_zip215 else ""
        self.say(f"signatures  {replay.signatures} checked{odd}")
        served = replay.as_served
        self.report["as_served"] = served
        self.say(
            f"as served   {served['verdicts']} verdicts and {served['carry']} records of what judges remember: "
            "not judged here again"
        )
        if void:
            self.say(
                f"void        {sum(void.values())}: " + ", ".join(f"{code} {count}" for code, count in void.items())
            )

    def epoch(self, number, first, to, statement, verdicts, payouts, balance):
        """Notes an epoch that was recomputed and compared."""
        claims = [item[2].hex() for item in formats.parse_epoch(statement)["domains"]]
        line = {"number": number, "from": first, "to": to, "statement": sha256(statement).hex(), "verdicts": verdicts}
        line.update(payouts=payouts, minted=str(balance["minted"]), paid=str(balance["paid"]), claim_roots=claims)
        self.report["epochs"].append(line)
        ok = f"{verdicts:>6} verdicts  {payouts:>5} payouts  paid {balance['paid']}  statement {line['statement'][:16]}"
        self.say(f"epoch {number:<5} [{first}, {to})  {ok}  ok")


def parse_arguments(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="cairn_check.py", description="Checks a Cairn network from what it serves.")
    parser.add_argument("source", help="an exported folder, or the address of a gateway")
    parser.add_argument("--operator", metavar="DID", help="the operator's did:key that the network must have")
    parser.add_argument("--network", metavar="ID", help="the network's id, 64 hexadecimal digits")
    parser.add_argument("--checkpoint", metavar="FILE", help="an older checkpoint that the log must continue")
    parser.add_argument("--log-only", action="store_true", help="check the log's tree alone, not what follows from it")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Runs the program; the exit code."""
    check = Check(parse_arguments(arguments))
    report, code = check.report, 0
    try:
        check.run()
        report["result"] = "pass"
        check.say("PASS")
    except Difference as difference:
        report["result"], report["difference"], code = "fail", difference.as_dict(), 1
        check.say(f"FAIL {difference}")
        if difference.expected != "" or difference.found != "":
            check.say(f"  expected {difference.expected}\n  found    {difference.found}")
    except Beyond as error:
        report["result"], report["beyond"], code = "unknown", str(error), 4
        print(f"cairn_check: no result: {error}", file=sys.stderr)
    except SourceError as error:
        report["result"], report["error"], code = "unknown", str(error), 3
        print(f"cairn_check: {error}", file=sys.stderr)
    if check.arguments.json:
        print(json.dumps(report, indent=2))
    return code


if __name__ == "__main__":
    sys.exit(main())
