"""The golden bytes of every format: they decode, encode again to themselves, and their signatures hold."""

import base64
import json
import os
import unittest

import curves
import formats
from names import Key, base58, cell_resolution, device_name, key_of_did, sha256, split_account, unbase58
from notes import open_note, parse_checkpoint, split_note
from policy import Policy
from rewards import allocate
from strict_cbor import Malformed, decode, encode, split
from trees import claim_root, edge_root, keccak256, leaf_hash, levels_of, root_of, tile_path

CRATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "crates")


def golden(*path):
    """The text of a golden file of a crate."""
    with open(os.path.join(CRATES, *path), encoding="utf-8") as file:
        return file.read()


def lines():
    """The golden formats by name."""
    pairs = (line.split(" ") for line in golden("cairn-core", "goldens", "formats.txt").splitlines())
    return {name: bytes.fromhex(data) for name, data in pairs}


def refusal(report):
    """The code that a report is refused with, or `-`."""
    try:
        formats.Report(report)
    except formats.Void as void:
        return void.code
    return "-"


class GoldenFormats(unittest.TestCase):
    """`formats.txt`: a line for each format."""

    def setUp(self):
        self.lines = lines()
        self.network = self.lines["network-id"]
        self.device = Key(self.lines["key-ed25519"])

    def test_every_document_encodes_to_the_bytes_it_was_decoded_from(self):
        names = [name for name in self.lines if name.split("-")[0] in ("statement", "report", "observation", "entry")]
        names += ["verdict-slot", "verdict-report", "payout-device", "payout-residual", "epoch-statement"]
        self.assertGreater(len(names), 20)
        for name in names:
            self.assertEqual(encode(decode(self.lines[name])), self.lines[name], name)

    def test_names_derive_from_keys(self):
        self.assertEqual(self.device.key_id(), self.lines["device-id"])
        self.assertEqual(key_of_did(self.device.did()), self.device)
        self.assertTrue(device_name(self.lines["device-id"]).startswith("dev1"))
        self.assertEqual(self.network, sha256(b"network"))

    def test_every_statement_parses_and_both_its_signatures_hold(self):
        schemas = set()
        for name, data in self.lines.items():
            if not name.startswith("statement-"):
                continue
            statement = formats.Statement(data)
            network = b"" if statement.schema == "genesis" else self.network
            schemas.add(statement.schema)
            self.assertEqual(name, f"statement-{statement.schema}")
            self.assertTrue(statement.signatures_hold(network), name)
            self.assertFalse(statement.signatures_hold(sha256(b"another")), name)
            if statement.schema != "genesis":
                self.assertTrue(statement.is_signed_by(formats.COSE, self.device.multicodec))
                self.assertTrue(statement.is_signed_by(formats.EIP712, self.lines["wallet-address"]))
        self.assertEqual(schemas, set(formats.BODIES))

    def test_reports_and_observations_are_signed_for_their_network(self):
        p256 = Key(self.lines["key-p256"])
        for name, key in (("report-least", self.device), ("report-full", self.device), ("report-p256", p256)):
            report = formats.Report(self.lines[name])
            self.assertEqual(report.device, self.lines["device-id"])
            self.assertTrue(key.holds(report.message(self.network), report.sign1.signature), name)
            self.assertFalse(key.holds(report.message(sha256(b"x")), report.sign1.signature), name)
        self.assertEqual(formats.Report(self.lines["report-full"]).sign1.payload, self.lines["report-full-payload"])
        observation = formats.Observation(self.lines["observation"])
        self.assertEqual(observation.says["source"], "clock")
        operator = Key(formats.Statement(self.lines["statement-genesis"]).signed[0][0])
        self.assertEqual(observation.sign1.key_id, operator.key_id())
        self.assertTrue(operator.holds(observation.message(self.network), observation.sign1.signature))

    def test_a_deposit_is_what_the_observation_of_it_says(self):
        deposit = decode(self.lines["deposit"])
        self.assertEqual(encode(deposit), self.lines["deposit"])
        buyer, asset, units = formats.parse_deposit(deposit)
        self.assertEqual((buyer[12:], asset, units), (self.lines["wallet-address"], b"\4" * 20, 10**20))
        observation = formats.Observation(self.lines["observation-deposit"])
        self.assertEqual(observation.says["source"], "deposits/eip155:31337")
        self.assertEqual((observation.says["round"], observation.says["value"]), (1, deposit))
        for at, other in ((0, -1), (1, b""), (3, b""), (4, bytes(20)), (5, bytes(32)), (6, b""), (6, bytes(2)), (6, 5)):
            with self.assertRaises(Malformed, msg=(at, other)):
                formats.parse_deposit(deposit[:at] + [other] + deposit[at + 1 :])
        for other in (deposit[:-1], deposit + [0], {}, 0, [deposit[0]] + [b"\1" * 17] * 8):
            with self.assertRaises(Malformed):
                formats.parse_deposit(other)

    def test_the_entry_holds_the_full_report(self):
        kind, received_ms, body = formats.parse_entry(self.lines["entry"])
        self.assertEqual((kind, received_ms), (formats.REPORT, 1_700_000_000_000))
        self.assertEqual(body, self.lines["report-full"])

    def test_tables_and_epoch_statements_are_written_as_they_were_read(self):
        for name in ("payout-device", "payout-residual"):
            self.assertEqual(formats.encode_payout(formats.parse_payout(self.lines[name])), self.lines[name])
        verdict = formats.parse_verdict(self.lines["verdict-slot"])
        self.assertEqual((verdict["score_ppm"], verdict["subject"]), (750_000, None))
        self.assertEqual(formats.parse_verdict(self.lines["verdict-report"])["subject"], 9)
        epoch = self.lines["epoch-statement"]
        self.assertEqual(formats.encode_epoch(formats.parse_epoch(epoch)), epoch)
        self.assertEqual(sha256(epoch), self.lines["epoch-statement-hash"])

    def test_a_malformed_report_is_refused_with_the_code_of_the_first_rule_that_it_breaks(self):
        letters = {"T": "RPT-TOO-LARGE", "C": "RPT-COSE", "A": "RPT-ALGORITHM", "P": "RPT-PAYLOAD", "S": "RPT-SEALED"}
        compared = dict.fromkeys(("case", "cuts", "flips"), 0)
        for line in golden("cairn-core", "goldens", "refused-reports.txt").splitlines():
            kind, name, *rest = line.split(" ")
            if kind == "case":
                code, data = rest
                changed, codes = [bytes.fromhex(data)], [code]
            else:
                data, codes = bytes.fromhex(rest[0]), [letters.get(letter, letter) for letter in rest[1]]
                cuts = (data[:end] for end in range(len(data)))
                flips = (int.from_bytes(data, "little") ^ 1 << bit for bit in range(8 * len(data)))
                changed = list(cuts if kind == "cuts" else (number.to_bytes(len(data), "little") for number in flips))
            self.assertEqual(len(changed), len(codes))
            for at, (report, code) in enumerate(zip(changed, codes)):
                self.assertEqual(refusal(report), code, (kind, name, at))
            compared[kind] += len(codes)
        self.assertGreater(min(compared.values()), 80, compared)

    def test_every_flipped_byte_of_a_report_is_refused_or_fails_to_verify(self):
        data = self.lines["report-least"]
        for at in range(len(data)):
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            try:
                report = formats.Report(changed)
            except formats.Void:
                continue
            same_device = report.device == self.lines["device-id"]
            holds = self.device.holds(report.message(self.network), report.sign1.signature)
            self.assertFalse(same_device and holds, f"byte {at}")


class StrictCbor(unittest.TestCase):
    """What is not deterministic is refused, whatever `cbor2` makes of it."""

    def test_other_encodings_of_a_value_are_refused(self):
        cases = "1800 190001 1a00000001 1b0000000000000001 5801ff 9f01ff bf0101ff f4 f6 f90000 fb3ff0000000000000 "
        cases += "a201010100 a2020101ff a1616101 c24105 c11a00000000 d81c01 0000 8201 61c3 62c3a9 1bffffffffffffffff "
        cases += "3b8000000000000000 d9010281 " + "81" * 9 + "00"
        for case in cases.split():
            with self.assertRaises(Malformed, msg=case):
                decode(bytes.fromhex(case))
        self.assertEqual(decode(bytes.fromhex("81" * 8 + "00")), [[[[[[[[0]]]]]]]])
        self.assertEqual(decode(bytes.fromhex("3b7fffffffffffffff")), -(2**63))

    def test_map_keys_stand_in_bytewise_order_not_by_length(self):
        value = {-1: 0, 24: 0, 3: 0}
        self.assertEqual(encode(value).hex(), "a30300181800" + "2000")
        self.assertEqual(decode(encode(value)), value)

    def test_a_sequence_is_its_items(self):
        items = [encode(item) for item in (1, [b"\0" * 300, "text"], {1: [2]}, -500)]
        self.assertEqual(split(b"".join(items)), items)
        with self.assertRaises(Malformed):
            split(b"".join(items)[:-1])


class GoldenTrees(unittest.TestCase):
    """Trees, tiles, notes and claims, held against the golden files of public tools."""

    def setUp(self):
        self.log = json.loads(golden("cairn-merkle", "goldens", "log.json"))

    def test_roots_of_every_size(self):
        for size, root in self.log["roots"].items():
            entries = [f"entry-{at}".encode() for at in range(int(size))]
            computed = root_of(entries)
            self.assertEqual(base64_of(computed), root, size)
            if entries:
                self.assertEqual(edge_root(levels_of([leaf_hash(entry) for entry in entries])), computed, size)

    def test_tile_paths(self):
        for case in self.log["tile_paths"]:
            self.assertEqual(tile_path(case["level"], case["index"], case["width"]), case["path"])

    def test_signed_notes(self):
        for case in self.log["signed_notes"]:
            text, signatures = split_note(case["note"].encode())
            name, _, material = case["vkey"].split("+", 2)
            key = base64_bytes(material)[1:]
            open_note(text, signatures, name, key)
            with self.assertRaises(Malformed):
                open_note("x" + text, signatures, name, key)

    def test_checkpoints_have_one_text(self):
        good = "log.example\n7\n" + base64_of(bytes(32)) + "\n"
        self.assertEqual(parse_checkpoint(good), ("log.example", 7, bytes(32)))
        for bad in (
            good[:-1],
            good + "x\n",
            good.replace("\n7", "\n07"),
            good.replace("A=", "B="),
            good.replace("7", ""),
        ):
            with self.assertRaises(Malformed, msg=bad):
                parse_checkpoint(bad)

    def test_claim_trees_of_the_package(self):
        for tree in json.loads(golden("cairn-merkle", "goldens", "claims.json"))["trees"]:
            hashes = []
            for claim in tree["claims"]:
                *words, cumulative = claim["leaf"]
                data = b"".join(bytes.fromhex(word[2:]) for word in words) + int(cumulative).to_bytes(32, "big")
                hashes.append(keccak256(keccak256(data)))
                self.assertEqual("0x" + hashes[-1].hex(), claim["hash"])
            self.assertEqual("0x" + claim_root(hashes).hex(), tree["root"])
        self.assertEqual(claim_root([]), bytes(32))


class GoldenMoney(unittest.TestCase):
    """The golden epoch of the reward rules: the same verdicts and policy give the same rows."""

    def rows(self, name):
        """The rows of a golden table."""
        text = golden("cairn-reward", "goldens", name)
        return [bytes.fromhex(line) for line in text.splitlines() if line and not line.startswith("#")]

    def test_the_golden_epoch(self):
        self.check_golden("epoch", deposited=0)

    def test_the_golden_epoch_with_deposits_in_its_books(self):
        self.check_golden("credit", deposited=5 * 10**18)

    def check_golden(self, name, deposited):
        """Holds an outcome to the golden one; what was in escrow from before is what is at the end and was not deposited."""
        document = golden("cairn-reward", "goldens", f"{name}.policy.toml").encode()
        outcome = golden("cairn-reward", "goldens", f"{name}.outcome.txt").splitlines()
        facts = {line.split(" ")[0]: line.split(" ")[1] for line in outcome if line.count(" ") == 1}
        number = {name: int(value) for name, value in facts.items() if name != "policy"}
        policy = Policy(document)
        self.assertEqual(policy.hash.hex(), facts["policy"])
        verdicts = [formats.parse_verdict(row) for row in self.rows("epoch.verdicts.txt")]
        self.assertEqual(number["deposited"], deposited)
        escrow = number["escrow"] - deposited
        books = {"minted": number["minted_before"], "unallocated": number["opening"] - escrow, "escrow": escrow}
        books["deposited"] = deposited
        payouts, pools, balance, totals = allocate(policy, number["epoch"], number["epoch_start_ms"], books, verdicts)
        self.assertEqual(payouts, self.rows("epoch.payouts.txt"))
        self.assertEqual({name: number[name] for name in balance}, balance)
        shown = [
            f"size {size} weight {weight} devices {count} paid {paid}" for _, size, weight, count, paid, _ in pools
        ]
        for line, pool in zip((line for line in outcome if line.startswith("pool ")), shown):
            self.assertIn(pool, line)
        self.assertEqual({f"total {account} {units}" for account, units in totals.items()}, set(totals_of(outcome)))

    def test_a_section_of_credit_is_strict(self):
        text = golden("cairn-reward", "goldens", "credit.policy.toml")
        self.assertEqual(Policy(text.encode()).credit_chains, {"eip155:1", "eip155:84532"})
        without = text.replace('[credit]\nchains = ["eip155:84532", "eip155:1"]\n', "")
        self.assertIsNone(Policy(without.replace('trust = "operator"', 'trust = "median"').encode()).credit_chains)
        many = ", ".join(f'"eip155:{chain}"' for chain in [84532, *range(1, 17)])
        edits = [
            ('chains = ["eip155:84532", ', "chains = ["),
            ('chains = ["eip155:84532", ', 'chains = ["eip155:1", "eip155:84532", '),
            ('chains = ["eip155:84532", ', 'chains = ["solana:x", "eip155:84532", '),
            ('chains = ["eip155:84532", ', 'chains = ["eip155:084532", "eip155:84532", '),
            ('chains = ["eip155:84532", ', 'chains = [1, "eip155:84532", '),
            ('chains = ["eip155:84532", "eip155:1"]', f"chains = [{many}]"),
            ('chains = ["eip155:84532", "eip155:1"]', "chains = []"),
            ('chains = ["eip155:84532", "eip155:1"]', 'chains = "eip155:1"'),
            ("[credit]", "[credit]\nmore = 1"),
            ("[credit]", "[credits]"),
            ('trust = "operator"', 'trust = "median"'),
            ('source = "deposits/eip155:1"', 'source = "deposits/eip155:10"'),
            ('source = "deposits/eip155:1"', 'source = "deposits/"'),
        ]
        for before, after in edits:
            self.assertIn(before, text)
            with self.assertRaises(Malformed, msg=after):
                Policy(text.replace(before, after, 1).encode())

    def test_a_policy_is_strict(self):
        text = golden("cairn-reward", "goldens", "epoch.policy.toml")
        edits = [
            ("revision = 1", "revision = 3"),
            ("decimals = 18", "decimals = 18.0"),
            ("decimals = 18", "decimals = true"),
            ('"GOLD"', '"G\\u004fLD"'),
            ("late_epochs = 2", "late_epochs = 2\nnovel = 1"),
            ("share_ppm = 612_345", "share_ppm = 712_345"),
            ('"7000000000000"', '"07000000000000"'),
            ('name = "presence"', 'name = "air"'),
            ('to = "solana', 'to = "Solana'),
            ('rule = "residual"', 'rule = "flat"'),
            ('"20000000000.5"', '"20000000000."'),
            ('"0.000000000000000003"', '"0.0000000000000000003"'),
        ]
        for before, after in edits:
            self.assertIn(before, text)
            with self.assertRaises(Malformed, msg=after):
                Policy(text.replace(before, after, 1).encode())


class Names(unittest.TestCase):
    """Accounts, base58 and cells."""

    def test_accounts_have_one_text(self):
        address = "eip155:31337:0x00000000000000000000000000000000000000ab"
        self.assertEqual(split_account(address), ("eip155:31337", bytes(19) + b"\xab"))
        solana = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"
        self.assertEqual(len(split_account(solana)[1]), 32)
        for bad in (address.upper(), address[:-1], "eip155:01" + address[12:], solana[:-1] + "0", "cosmos:hub:x", ""):
            with self.assertRaises(Malformed, msg=bad):
                split_account(bad)

    def test_base58_round_trips(self):
        for data in (b"", b"\0", b"\0\0\1", bytes(range(40))):
            self.assertEqual(unbase58(base58(data)), data)

    def test_golden_cells_are_cells_of_their_resolution(self):
        rows = [line.split() for line in golden("cairn-core", "goldens", "cells.txt").splitlines() if line[0] != "#"]
        self.assertGreater(len(rows), 100)
        for _, _, resolution, cell, _, _ in rows:
            index = int(cell, 16)
            self.assertEqual(cell_resolution(index), int(resolution))
            self.assertIsNone(cell_resolution(index | 1 << 63))
            self.assertIsNone(cell_resolution(index ^ 1 << 59))
        for no_cell in (0, 0x881F1D4895FFFFE, 0x881F1D4895FFFFF | 127 << 45, 0x8009FFFFFFFFFFF | 1 << 56):
            self.assertIsNone(cell_resolution(no_cell), hex(no_cell))


class Signatures(unittest.TestCase):
    """Where libraries differ, ZIP-215 decides; and what wallets sign is recovered."""

    def odd_encodings(self):
        """The eight torsion points, and encodings of them that are not canonical."""
        order_eight = curves.decompress(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
        )
        points = [curves.compress(curves.multiply(at, order_eight)) for at in range(8)]
        high = [bytes([low]) + b"\xff" * 30 + b"\x7f" for low in (0xED, 0xEE)]
        return points + high + [b"\1" + bytes(30) + b"\x80"]

    def test_small_orders_verify_with_any_message_and_are_not_enrolable(self):
        encodings = self.odd_encodings()
        self.assertEqual(len(set(encodings)), 11)
        for key in encodings:
            self.assertFalse(curves.ed25519_enrolable(key), key.hex())
            for r in encodings:
                self.assertTrue(curves.ed25519_holds(key, b"anything", r + bytes(32)), (key.hex(), r.hex()))

    def test_s_must_be_canonical(self):
        signature = self.odd_encodings()[0] + curves.ORDER.to_bytes(32, "little")
        self.assertFalse(curves.ed25519_holds(self.odd_encodings()[0], b"anything", signature))

    def test_the_plain_equation_agrees_with_openssl_on_honest_signatures(self):
        statement = formats.Statement(lines()["statement-genesis"])
        (name, _, signature), key = statement.signed[0], Key(statement.signed[0][0])
        message = formats.sig_structure(encode({1: -19}), "cairn/statement/1", b"", statement.payload)
        self.assertTrue(key.holds(message, signature))
        self.assertTrue(curves.ed25519_holds_by_zip215(name[2:], message, signature))
        self.assertFalse(curves.ed25519_holds_by_zip215(name[2:], message + b"x", signature))

    def test_recovery_names_the_signer_and_refuses_other_forms(self):
        statement = formats.Statement(lines()["statement-payee"])
        address, _, signature = statement.signed[1]
        digest = formats.statement_digest(sha256(b"network"), statement.schema, statement.payload)
        self.assertEqual(curves.evm_address_of(digest, signature), address)
        s = curves.SECP_N - int.from_bytes(signature[32:64], "big")
        high = signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])
        self.assertIsNone(curves.evm_address_of(digest, high))
        for v in (0, 1, 26, 29):
            self.assertIsNone(curves.evm_address_of(digest, signature[:64] + bytes([v])))

    def test_keccak_is_that_of_the_evm(self):
        empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        self.assertEqual(keccak256(b"").hex(), empty)
        # Lengths around the rate of 136 bytes, against the padding rule: equal only to themselves.
        digests = {keccak256(b"a" * length) for length in range(130, 275)}
        self.assertEqual(len(digests), 145)


def totals_of(outcome):
    """The lines of the golden outcome that say what each account gets."""
    return [line for line in outcome if line.startswith("total ")]


def base64_of(data):
    """Base64."""
    return base64.b64encode(data).decode()


def base64_bytes(text):
    """The bytes of base64."""
    return base64.b64decode(text)


if __name__ == "__main__":
    unittest.main()
