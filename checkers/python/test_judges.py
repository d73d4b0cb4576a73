"""What judges are read from, and what they remember: profiles of both forms, and the served records of table 17."""

import contextlib
import io
import json
import os
import types
import unittest
from unittest import mock

import admission
import cairn_check
from admission import profile_slot_ms
from formats import Void
from names import sha256
from policy import Beyond, Policy
from replay import Difference, Replay
from state import CARRY, Carried
from strict_cbor import Malformed, encode
from test_first_log import Copy
from trees import root_of

PROFILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates", "cairn-classes", "profiles")
REWARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates", "cairn-reward", "goldens")


def record(device, revision=2, schema="sensing/1", value=b"memory", table=CARRY):
    """A record of what a judge remembers of a device."""
    return encode([table, encode([schema, revision, device]), encode(value)])


class Profiles(unittest.TestCase):
    """Which profile documents are statements."""

    def documents(self):
        """The documents that come with Cairn, by form."""
        for folder, form in (("", 2), ("revision-1", 1)):
            for name in ("sensing-daily-pm.toml", "sensing-station.toml"):
                with open(os.path.join(PROFILES, folder, name), encoding="ascii") as file:
                    yield form, file.read()

    def test_those_that_come_with_cairn_are_read(self):
        lengths = [(form, profile_slot_ms("sensing/1", document.encode())) for form, document in self.documents()]
        self.assertEqual(lengths, [(2, 86_400_000), (2, 3_600_000), (1, 86_400_000), (1, 3_600_000)])

    def test_others_are_void(self):
        for form, document in self.documents():
            edits = [
                ("slot_ms = ", "slot_ms = 0"),
                ("slot_ms = ", "slot_ms = 9_999_999_999_999 # "),
                ("slot_ms = ", "slot_ms = 999 # "),
                ("slot_ms = ", "slot_ms = 3_600_000.0 # "),
                ("future_ms = ", "future_ms = -"),
                ("future_ms = ", "future = "),
                ('class = "sensing/1"', 'class = "sensing/2"'),
                ('class = "sensing/1"', 'class = "sensing/1"\nform = 3'),
                ('class = "sensing/1"', 'class = "sensing/1"\nform = 1'),
                ('class = "sensing/1"', 'class = "sensing/1"\nstrange = 1'),
                ("every_ms = ", "every_ms = 7"),
                ("every_ms = ", "every_ms = 999_999_999_999 # "),
                ("form = 2", "form = 1"),
                ("form = 2", "form = true"),
                ("form = 2", ""),
            ]
            for before, after in edits:
                if before not in document:
                    continue
                with self.subTest(form=form, edit=after), self.assertRaises(Void) as refused:
                    profile_slot_ms("sensing/1", document.replace(before, after, 1).encode())
                self.assertEqual(refused.exception.code, "STM-PROFILE")
            bare = document[: document.index("[quantities")]
            with self.subTest(form=form), self.assertRaises(Void):
                profile_slot_ms("sensing/1", bare.encode())



class Markets(unittest.TestCase):
    """Networks that sell work are not recomputed here, and nobody is told that they pass."""

    def effect(self, rule, **body):
        """What a statement of the operator's does."""
        state = types.SimpleNamespace(policies={}, profiles={}, genesis={"policy_hash": sha256(body["document"])}, epoch=0)
        with mock.patch.object(admission, "needs_operator"):
            return rule(state, 0, 0, None, {"first_epoch": 0, **body})

    def test_a_policy_or_profile_of_a_class_whose_work_is_sold_ends_the_check(self):
        with open(os.path.join(REWARD, "epoch.policy.toml"), "rb") as file:
            document = file.read()
        document = document.replace(b'[classes."compute/1"]\nrevision = 2', b'[classes."compute/1"]\nrevision = 1')
        document = document.replace(b'[classes."sensing/1"]\nrevision = 1', b'[classes."sensing/1"]\nrevision = 2')
        for text in (document, document.replace(b'"compute/1"]\n', b'"compute/1"]\nfee_ppm = 7\n', 1)):
            effect = self.effect(admission.policy, document=text)
            with self.assertRaisesRegex(Beyond, "compute/1"):
                effect()
        effect = self.effect(admission.profile, document=b"whatever", **{"class": "compute/1"})
        with self.assertRaisesRegex(Beyond, "compute/1"):
            effect()

    def test_only_such_a_class_has_a_fee(self):
        with open(os.path.join(REWARD, "epoch.policy.toml"), "rb") as file:
            document = file.read()
        for before, after in ((b'"sensing/1"]\n', b'"sensing/1"]\nfee_ppm = 7\n'), (b'"compute/1"]\n', b'"compute/1"]\nfee_ppm = 1_000_001\n')):
            self.assertIn(before, document)
            with self.assertRaises(Malformed):
                Policy(document.replace(before, after, 1))

    def test_what_is_beyond_the_checker_has_its_own_exit_code(self):
        with mock.patch.object(cairn_check.Check, "run", side_effect=Beyond("it sells work")):
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
                code = cairn_check.main(["nowhere", "--json"])
        report = json.loads(out.getvalue())
        self.assertEqual((code, report["result"], report["beyond"]), (4, "unknown", "it sells work"))


class Served(Copy):
    """Records that cannot be what a judge of the epoch remembers."""

    def test_they_are_named(self):
        device = sha256(b"a device")[:16]
        cases = [
            (b"\xff", "TBL-FORM"),
            (encode([1, 2]), "TBL-FORM"),
            (record(device, table=16), "TBL-FORM"),
            (record(device), "TBL-CARRY"),  # Revision 2 judges nothing in this log.
            (record(device, revision=1), "TBL-CARRY"),  # The device is not enrolled.
            (record(device, schema="compute/1"), "TBL-CARRY"),
        ]
        for data, code in cases:
            self.write("epochs/2/carry.cborseq", data)
            self.assert_named(code, "epoch 2, carry")
        self.write("epochs/2/carry.cborseq", b"")


class Memory(unittest.TestCase):
    """The state root is over what judges remember, and tells whether it is served."""

    def replay(self, rows, stated, snapshot):
        """A replay whose own records are two, and whose epoch 0 was stated over `stated`."""
        own = [encode([1, b"a", b""]), encode([2, b"b", b""])]
        source = types.SimpleNamespace(table=lambda epoch, name: snapshot if name == "snapshot" else None)
        replay = Replay(source, {0: {"state_root": root_of(own + stated)}}, None)
        replay.state.carry = rows or []
        policy = types.SimpleNamespace(classes={"sensing/1": 2})
        replay.check_carry(0, policy, rows, own + replay.state.carry)

    def test_what_is_stated_is_taken(self):
        rows = [record(b"1" * 16), record(b"2" * 16)]
        self.replay(rows, rows, None)
        self.replay([], [], None)
        self.replay(None, [], None)

    def test_what_is_not_served_is_missed(self):
        with self.assertRaises(Difference) as missed:
            self.replay(None, [record(b"1" * 16)], None)
        self.assertEqual(missed.exception.code, "TBL-MISSING")

    def test_a_record_is_of_table_17_and_names_its_judge(self):
        carried = Carried(record(b"1" * 16, revision=7))
        self.assertEqual((carried.schema, carried.revision, carried.key), ("sensing/1", 7, b"1" * 16))
        for broken in (record(b"1" * 16, table=12), record("text"), encode([CARRY, b"", b""])):
            with self.assertRaises(Malformed):
                Carried(broken)


if __name__ == "__main__":
    unittest.main()
