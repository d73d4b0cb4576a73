"""The committed log of the first format passes, and every way to change it is named."""

import contextlib
import io
import json
import os
import shutil
import tempfile
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import cairn_check
import formats
from notes import ED25519, key_id
from sources import open_source
from strict_cbor import encode, split
from test_formats import base64_of
from trees import TILE_WIDTH, edge_root, leaf_hash, levels_of, tile_path, tile_widths

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST_LOG = os.path.join(HERE, "..", "..", "goldens", "first-log")
OPERATOR = "did:key:z6MkvVv69U1HGuN6yUd8RiYE8py6QYRzuQoG45xSpZ1Ct4tD"
# The key of the rehearsed log, whose seed is public: with it a test can be a dishonest operator.
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes([253]) * 32)


def check(folder, *arguments):
    """Runs the checker; its exit code and report."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = cairn_check.main([folder, "--json", *arguments])
    return code, json.loads(out.getvalue())


class Copy(unittest.TestCase):
    """A test with a copy of the log to change."""

    def setUp(self):
        self.parent = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.parent)
        self.folder = os.path.join(self.parent, "log")
        shutil.copytree(FIRST_LOG, self.folder)

    def path(self, name):
        """A file of the copy."""
        return os.path.join(self.folder, *name.split("/"))

    def read(self, name):
        """The bytes of a file."""
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        """Writes a file."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def flip(self, name, at):
        """Changes one byte of a file."""
        data = self.read(name)
        self.write(name, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    def entries(self):
        """The log's entries."""
        _, size, _ = cairn_check.parse_checkpoint(cairn_check.split_note(self.read("checkpoint"))[0])
        return cairn_check.read_entries(open_source(self.folder), size)

    def relog(self, entries):
        """Writes another log, signed by the log's own key."""
        shutil.rmtree(self.path("tile"))
        for index, width in enumerate(tile_widths(len(entries))):
            part = entries[TILE_WIDTH * index : TILE_WIDTH * index + width]
            bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
            self.write(tile_path("entries", index, width), bundle)
        levels = levels_of([leaf_hash(entry) for entry in entries])
        for level, hashes in enumerate(levels):
            for index, width in enumerate(tile_widths(len(hashes))):
                part = hashes[TILE_WIDTH * index : TILE_WIDTH * index + width]
                self.write(tile_path(level, index, width), b"".join(part))
        origin = self.read("checkpoint").split(b"\n")[0].decode()
        text = f"{origin}\n{len(entries)}\n{base64_of(edge_root(levels))}\n"
        ident = key_id(origin, ED25519, LOG_KEY.public_key().public_bytes_raw())
        signature = base64_of(ident + LOG_KEY.sign(text.encode()))
        self.write("checkpoint", f"{text}\n\u2014 {origin} {signature}\n".encode())

    def assert_named(self, code, where, *arguments):
        """The check fails with this code at this place; the difference."""
        exit_code, report = check(self.folder, *arguments)
        found = report.get("difference", {})
        self.assertEqual((exit_code, report["result"], found.get("code")), (1, "fail", code), found)
        self.assertIn(where, found["where"], found)
        return found


class FirstLog(Copy):
    """The log as it is."""

    def test_it_passes_for_ever(self):
        code, report = check(FIRST_LOG, "--operator", OPERATOR)
        self.assertEqual((code, report["result"]), (0, "pass"), report.get("difference"))
        self.assertEqual((report["entries"], len(report["epochs"])), (483, 6))
        self.assertEqual((report["by_zip215"], sum(report["void"].values())), (1, 18))
        self.assertEqual(report["log_vkey"] + "\n", self.read("log.vkey").decode())

    def test_it_is_the_network_that_was_pinned_or_none(self):
        network = check(FIRST_LOG, "--log-only")[1]["network_id"]
        self.assertEqual(check(FIRST_LOG, "--network", network, "--log-only")[0], 0)
        self.assert_named("NET-PIN", "entry 0", "--network", "00" * 32)
        self.assert_named("NET-PIN", "entry 0", "--operator", OPERATOR[:-1] + "E")

    def test_what_is_no_folder_is_no_verdict(self):
        code, report = check(self.path("nowhere"))
        self.assertEqual((code, report["result"]), (3, "unknown"))

    def test_a_log_without_tables_is_checked_alone_or_not_at_all(self):
        shutil.rmtree(self.path("epochs"))
        self.assertEqual(check(self.folder, "--log-only")[0], 0)
        self.assert_named("TBL-MISSING", "epoch 0, verdicts")


class Bytes(Copy):
    """Single bytes under the checkpoint's root, and of what it rests on."""

    def test_any_byte_of_an_entry_is_named_with_the_entry(self):
        entries = self.entries()
        ends, at = [], 0
        for entry in entries[:TILE_WIDTH]:
            at += 2 + len(entry)
            ends.append(at)
        name = "tile/entries/000"
        for at in range(2, ends[-1], 487):
            index = sum(end <= at for end in ends)
            if at - (ends[index - 1] if index else 0) < 2:
                continue  # A length: the next test's.
            self.flip(name, at)
            if index == 0:
                # Another genesis, or none: which of the two it is said to be depends on the byte.
                self.assertEqual(check(self.folder, "--log-only")[0], 1)
            else:
                found = self.assert_named("LOG-LEAF", f"entry {index}", "--log-only")
                self.assertEqual(found["entry"], index)
            self.flip(name, at)

    def test_any_length_in_a_bundle_is_named(self):
        for at in (0, 1):
            self.flip("tile/entries/001.p/227", at)
            self.assertEqual(check(self.folder, "--log-only")[0], 1)
            self.flip("tile/entries/001.p/227", at)

    def test_any_byte_of_a_tile_is_named_with_the_tile(self):
        for name in ("tile/0/000", "tile/0/001.p/227", "tile/1/000.p/1"):
            for at in range(0, len(self.read(name)), 509):
                self.flip(name, at)
                self.assert_named("LOG-TILE", name, "--log-only")
                self.flip(name, at)

    def test_every_byte_of_the_checkpoint_counts(self):
        for at in range(len(self.read("checkpoint"))):
            self.flip("checkpoint", at)
            self.assertEqual(check(self.folder, "--log-only")[0], 1, f"byte {at}")
            self.flip("checkpoint", at)

    def test_a_tile_that_is_missing_or_cut_is_named(self):
        tile = self.read("tile/0/000")
        self.write("tile/0/000", tile[:-1])
        self.assert_named("LOG-TILE", "tile/0/000")
        os.remove(self.path("tile/0/000"))
        self.assert_named("LOG-MISSING", "tile/0/000")
        bundle = self.read("tile/entries/000")
        self.write("tile/0/000", tile)
        self.write("tile/entries/000", bundle + b"\0")
        self.assert_named("LOG-BUNDLE", "tile/entries/000")


class Tables(Copy):
    """Tables that are not what the log implies."""

    def rows(self, name):
        """The rows of a table."""
        return split(self.read(name))

    def test_a_payout_that_is_edited_is_named_with_its_device(self):
        rows = self.rows("epochs/2/payouts.cborseq")
        payout = formats.parse_payout(rows[3])
        rows[3] = formats.encode_payout({**payout, "amount": payout["amount"] + 1})
        self.write("epochs/2/payouts.cborseq", b"".join(rows))
        found = self.assert_named("TBL-PAYOUT", "epoch 2, payout 3")
        self.assertTrue(found["device"].startswith("dev1"))
        self.assertIn(str(payout["amount"]), found["expected"])
        self.assertIn(str(payout["amount"] + 1), found["found"])

    def test_a_verdict_that_is_edited_dropped_or_added_is_named(self):
        name = "epochs/1/verdicts.cborseq"
        rows = self.rows(name)
        edited = formats.decode(rows[5])
        edited[6] -= 1
        for changed in (rows[:5] + [encode(edited)] + rows[6:], rows[:5] + rows[6:], rows[:6] + rows[5:]):
            self.write(name, b"".join(changed))
            code = "TBL-ORDER" if len(changed) > len(rows) else "TBL-VERDICT"
            self.assert_named(code, "epoch 1, ")

    def test_any_field_of_a_served_statement_is_named(self):
        name = "epochs/3/statement.cbor"
        statement = formats.parse_epoch(self.read(name))
        edits = [
            ("number", 4, "number"),
            ("log_root", bytes(32), "log_root"),
            ("range", [statement["range"][0], statement["range"][1] + 1], "range.to"),
            ("payout_root", bytes(32), "payout_root"),
            ("state_root", bytes(32), "state_root"),
            ("assets", [statement["assets"][0][:4] + [7] + statement["assets"][0][5:]], "assets[0].paid"),
            ("rehearsed", [], "rehearsed"),
        ]
        for field, value, path in edits:
            self.write(name, formats.encode_epoch({**statement, field: value}))
            found = self.assert_named("EPO-DIFFERS", "epoch 3, the served statement")
            self.assertTrue(found["detail"].startswith(path), found)

    def test_a_snapshot_and_a_policy_that_are_edited_are_named(self):
        data = self.read("epochs/4/snapshot.cbor")
        version, statement, records = formats.decode(data)
        records[7] = records[7][:-1] + bytes([records[7][-1] ^ 1])
        self.write("epochs/4/snapshot.cbor", encode([version, statement, records]))
        self.assert_named("SNP-DIFFERS", "epoch 4, the snapshot")
        self.write("epochs/1/policy.toml", b"# another policy\n")
        self.assert_named("TBL-POLICY", "epoch 1, the policy")


class DishonestOperator(Copy):
    """Logs that the log's own key signs, and that are not what honest entries imply."""

    def epoch_entry(self, entries, number):
        """The index and statement of an epoch in the log."""
        for index, data in enumerate(entries):
            kind, _, body = formats.parse_entry(data)
            if kind == formats.EPOCH and formats.parse_epoch(body)["number"] == number:
                return index, formats.parse_epoch(body)
        raise AssertionError(f"epoch {number} is not in the log")

    def entry(self, data, **changes):
        """An entry with another kind, time or body."""
        kind, received_ms, body = formats.parse_entry(data)
        parts = {"kind": kind, "received_ms": received_ms, "body": body, **changes}
        return encode([1, parts["kind"], parts["received_ms"], parts["body"]])

    def test_an_unchanged_log_signed_again_passes(self):
        self.relog(self.entries())
        self.assertEqual(check(self.folder)[0], 0)

    def test_a_logged_statement_with_another_number_is_named(self):
        entries = self.entries()
        index, statement = self.epoch_entry(entries, 2)
        statement["pools"][0][4] += 1
        entries[index] = self.entry(entries[index], body=formats.encode_epoch(statement))
        self.relog(entries)
        found = self.assert_named("EPO-DIFFERS", f"entry {index}")
        self.assertEqual(found["detail"], "pools[0].paid differs")
        self.assertEqual(found["epoch"], 2)

    def test_an_entry_dropped_or_swapped_is_named(self):
        entries = self.entries()
        report = next(at for at in range(200, 400) if formats.parse_entry(entries[at])[0] == formats.REPORT)
        self.relog(entries[:report] + entries[report + 1 :])
        self.assertEqual(check(self.folder)[0], 1)
        self.relog(entries[:report] + [entries[report + 1], entries[report]] + entries[report + 2 :])
        self.assertEqual(check(self.folder)[0], 1)

    def test_a_report_whose_signature_fails_pays_nobody(self):
        entries = self.entries()
        verdict = formats.parse_verdict(split(self.read("epochs/0/verdicts.cborseq"))[0])
        index = verdict["entries"][0]
        body = formats.parse_entry(entries[index])[2]
        entries[index] = self.entry(entries[index], body=body[:-1] + bytes([body[-1] ^ 1]))
        self.relog(entries)
        found = self.assert_named("VRD-BASIS", "epoch 0, verdict 0")
        self.assertIn(f"entry {index}", found["detail"])

    def test_time_that_goes_back_is_named(self):
        entries = self.entries()
        received_ms = formats.parse_entry(entries[100])[1]
        entries[100] = self.entry(entries[100], received_ms=received_ms - 40 * 86_400_000)
        self.relog(entries)
        self.assert_named("LOG-TIME", "entry 100")

    def test_a_shorter_or_another_log_does_not_continue_a_remembered_one(self):
        remembered = os.path.join(self.parent, "remembered")
        shutil.copy(self.path("checkpoint"), remembered)
        self.assertEqual(check(self.folder, "--checkpoint", remembered)[0], 0)
        entries = self.entries()
        self.relog(entries[:-1])
        self.assert_named("LOG-ROLLBACK", "remembered", "--checkpoint", remembered)
        self.relog(entries[:-2] + [entries[-1], entries[-2], entries[-1]])
        self.assert_named("LOG-FORK", "remembered", "--checkpoint", remembered)

    def test_a_genesis_that_the_operator_has_not_signed_is_none(self):
        entries = self.entries()
        body = formats.parse_entry(entries[0])[2]
        entries[0] = self.entry(entries[0], body=body[:-1] + bytes([body[-1] ^ 1]))
        self.relog(entries)
        self.assert_named("STM-SIGNATURE", "entry 0, genesis")


if __name__ == "__main__":
    unittest.main()
