"""What is logged and served, parsed strictly: entries, reports, observations, statements, verdicts, payouts, epochs."""

from __future__ import annotations

import cbor2

from names import Key, account_field, domain_field, key_field, statement_digest, statement_line
import curves
from strict_cbor import (
    Malformed,
    amount,
    amount_bytes,
    array_of,
    bstr,
    bstr_of,
    decode,
    encode,
    fields,
    head,
    head_at,
    integer,
    integer_within,
    item_end,
    printable,
    row,
    tstr,
    uint,
    uint_below,
)

REPORT, STATEMENT, OBSERVATION, EPOCH = 1, 2, 3, 4
KINDS = {REPORT: "report", STATEMENT: "statement", OBSERVATION: "observation", EPOCH: "epoch statement"}
PPM = 1_000_000
ALGORITHMS = {-8: "Ed25519", -19: "Ed25519", -7: "P-256", -9: "P-256"}

uint32 = uint_below(1 << 32)
hash_field = bstr_of(32)
device_field = bstr_of(16)


class Void(Exception):
    """An entry that is not valid, with the code that says why. That is no fault of the log."""

    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


def parse_entry(data):
    """An entry: kind, time of receipt, body."""
    version, kind, received_ms, body = row(uint, uint, uint, bstr)(decode(data, "the entry"))
    if version != 1 or kind not in KINDS:
        raise Malformed(f"an entry of version {version} and kind {kind}")
    return kind, received_ms, body


# COSE_Sign1 (RFC 9052) with a 16-byte key id, and what its signature covers.


class UnknownAlgorithm(Malformed):
    """A COSE_Sign1 whose header names an algorithm that is not read. What follows the structure is not looked at."""


class Sign1:
    """A parsed COSE_Sign1."""

    def __init__(self, data):
        end = item_end(data, 0)
        value = decode(data[:end], "the COSE structure")
        if type(value) is not cbor2.CBORTag or value.tag != 18:
            raise Malformed("not a COSE_Sign1 (tag 18)")
        self.protected, _, self.payload, self.signature = row(bstr, fields({}), bstr, bstr_of(64))(value.value)
        header = fields({1: ("alg", integer), 4: ("kid", device_field)})(decode(self.protected, "the header"))
        self.algorithm, self.key_id = ALGORITHMS.get(header["alg"]), header["kid"]
        if self.algorithm is None:
            raise UnknownAlgorithm("the header names an algorithm that is not read")
        if end < len(data):
            raise Malformed(f"{len(data) - end} bytes follow the COSE structure")

    def message(self, context, network):
        """The bytes that the signature covers."""
        return sig_structure(self.protected, context, network, self.payload)


def sig_structure(protected, context, network, payload):
    """`Sig_structure` of RFC 9052, section 4.4, bound to purpose and network."""
    return encode(["Signature1", protected, encode([context, network]), payload])


def clock_field(value):
    """A report's clock: source 0 to 4, and the error bound in ms."""
    source, error_ms = row(uint_below(5), uint)(value)
    return source, error_ms


def flags_field(value):
    """A report's flags: left out when zero."""
    if not 0 < uint(value) < 8:
        raise Malformed(f"flags {value}")
    return value


def place_field(value):
    """A report's place: an H3 cell, or latitude and longitude, altitude and error."""
    if type(value) is int:
        return uint(value)
    if type(value) is list and 2 <= len(value) <= 4:
        spans = [integer_within(-900_000_000, 900_000_000), integer_within(-1_800_000_000, 1_800_000_000)]
        return row(*(spans + [integer, integer])[: len(value)])(value)
    raise Malformed("a position has two to four parts")


REPORT_REQUIRED = {
    1: ("seq", uint32),
    2: ("boot", uint32),
    3: ("time_ms", uint),
    6: ("schema", tstr),
    7: ("body", lambda value: value),
}
REPORT_OPTIONAL = {
    4: ("clock", clock_field),
    5: ("previous", bstr_of(8)),
    8: ("flags", flags_field),
    9: ("place", place_field),
    10: ("subject", device_field),
    11: ("answers", array_of(hash_field, least=1)),
    12: ("blobs", array_of(row(hash_field, uint), least=1)),
}
report_body = fields(REPORT_REQUIRED, REPORT_OPTIONAL)
SEALED = 13


def no_tags(value):
    """Refuses tags inside a body."""
    if type(value) is cbor2.CBORTag:
        raise Malformed("a body holds no tags")
    for item in value if type(value) is list else value.values() if type(value) is dict else ():
        no_tags(item)


def is_sealed(payload):
    """Whether field 13 is met before anything that is refused, reading from front to back. What follows is not looked at."""
    try:
        major, count, at = head_at(payload, 0)
        if payload[:at] != head(5, count) or major != 5 or count > len(payload) - at:
            return False
        last = 0
        for _ in range(count):
            end = item_end(payload, at)
            key, at = integer(decode(payload[at:end])), end
            if key == SEALED:
                return True
            if key <= last or key > SEALED:
                return False
            last, end = key, item_end(payload, at)
            value, at = decode(payload[at:end], depth=1), end
            no_tags(value)
            _, reader = (REPORT_REQUIRED | REPORT_OPTIONAL)[key]
            reader(value)
    except Malformed:
        pass
    return False


class Report:
    """A parsed report; its signature is not checked here."""

    def __init__(self, data):
        if len(data) > 32_000:
            raise Void("RPT-TOO-LARGE", f"{len(data)} bytes")
        try:
            self.sign1 = Sign1(data)
        except UnknownAlgorithm as error:
            raise Void("RPT-ALGORITHM", str(error)) from None
        except Malformed as error:
            raise Void("RPT-COSE", str(error)) from None
        try:
            value = decode(self.sign1.payload, "the payload")
            no_tags(value)
            self.says = report_body(value)
        except Malformed as error:
            if is_sealed(self.sign1.payload):
                raise Void("RPT-SEALED", "sealed reports are not accepted yet") from None
            raise Void("RPT-PAYLOAD", str(error)) from None
        self.device = self.sign1.key_id
        self.name = (self.device, self.says["boot"], self.says["seq"])

    def message(self, network):
        """The bytes that the signature covers."""
        return self.sign1.message("cairn/report/1", network)

    def measured_ms(self, received_ms):
        """The time that counts."""
        clock = self.says["clock"]
        return received_ms if clock is not None and clock[0] == 0 else self.says["time_ms"]


observation_body = fields(
    {1: ("source", tstr), 2: ("round", uint), 3: ("value", lambda value: value)}, {4: ("proof", bstr)}
)


class Observation:
    """A parsed observation; its signature is not checked here."""

    def __init__(self, data):
        try:
            self.sign1 = Sign1(data)
            value = decode(self.sign1.payload, "the payload")
            no_tags(value)
            self.says = observation_body(value)
        except Malformed as error:
            raise Void("OBS-COSE", str(error)) from None

    def message(self, network):
        """The bytes that the signature covers."""
        return self.sign1.message("cairn/observation/1", network)


def parse_deposit(value):
    """What a deposit is of: the buyer, the token's address, and base units, of which there is at least one."""
    read = row(uint, bstr_of(32), bstr_of(32), uint, bstr_of(32), bstr_of(20), amount, bstr_of(20), bstr_of(32))
    _, _, _, _, buyer, asset, units, _, _ = read(value)
    if units == 0:
        raise Malformed("a deposit of nothing")
    return buyer, asset, units


# Statements.


def genesis_body(value):
    """The body of `genesis`."""
    body = fields(
        {
            1: ("random", bstr_of(16)),
            2: ("name", printable(64)),
            3: ("origin", printable(255)),
            4: ("operator", key_field),
            5: ("log_key", hash_field),
            6: ("promise_key", hash_field),
            7: ("epoch_zero_ms", uint),
            8: ("epoch_ms", uint),
            9: ("grace_ms", uint),
            10: ("policy_hash", hash_field),
            11: ("rehearsed", array_of(printable(200), most=16)),
        }
    )(value)
    origin = body["origin"]
    if not body["name"] or not origin or " " in origin or "+" in origin:
        raise Malformed("a name, and an origin without spaces or plus signs, are needed")
    if not 1_000 <= body["epoch_ms"] <= 366 * 86_400_000 or body["grace_ms"] >= body["epoch_ms"]:
        raise Malformed("epochs last a second to a year, and grace is shorter")
    return body


def auditor_set_body(value):
    """The body of `auditor-set`."""
    auditors = array_of(bstr_of(20), most=64)
    body = fields({1: ("first_epoch", uint), 2: ("quorum", uint), 3: ("auditors", auditors)})(value)
    if not 0 < body["quorum"] <= len(body["auditors"]) or body["auditors"] != sorted(set(body["auditors"])):
        raise Malformed("auditors ascend, and a quorum is one to all of them")
    return body


evidence_field = array_of(uint, most=256)
exact_field = row(integer_within(-900_000_000, 900_000_000), integer_within(-1_800_000_000, 1_800_000_000))

ppm_field = uint_below(PPM + 1)
blob_field = row(hash_field, uint)


def at_least_one(reader, what):
    """A reader that refuses zero."""

    def read(value):
        if reader(value) == 0:
            raise Malformed(f"{what} is at least one")
        return value

    return read


def ascending_hashes(value):
    """At most 16 hashes that ascend."""
    hashes = array_of(hash_field, most=16)(value)
    if hashes != sorted(set(hashes)):
        raise Malformed("a licence's modules ascend")
    return hashes


def arguments_field(value):
    """The arguments of an order, at most 4,096 bytes."""
    if len(bstr(value)) > 4_096:
        raise Malformed("an order's arguments have at most 4,096 bytes")
    return value


BODIES = {
    "genesis": genesis_body,
    "enrol": fields(
        {
            1: ("key", key_field),
            2: ("owner", account_field),
            3: ("role", uint_below(5)),
            4: ("classes", array_of(printable(32), most=8)),
            5: ("model", printable(64)),
            6: ("mobility", uint_below(2)),
            7: ("cell", uint),
        },
        {8: ("exact", exact_field), 9: ("altitude_cm", integer_within(-(2**31), 2**31 - 1))},
    ),
    "transfer": fields({1: ("device", device_field), 2: ("owner", account_field)}),
    "retire": fields({1: ("device", device_field)}),
    "rotate": fields({1: ("device", device_field), 2: ("key", key_field)}),
    "payee": fields({1: ("owner", account_field), 2: ("payee", account_field)}),
    "policy": fields({1: ("first_epoch", uint), 2: ("document", bstr)}),
    "profile": fields({1: ("first_epoch", uint), 2: ("class", printable(32)), 3: ("document", bstr)}),
    "conflict": fields({1: ("first", bstr), 2: ("second", bstr)}),
    "deny": fields(
        {
            1: ("device", device_field),
            2: ("reason", printable(64)),
            3: ("evidence", evidence_field),
            4: ("until_ms", uint),
        }
    ),
    "appeal": fields({1: ("deny", uint), 2: ("text", printable(1_000)), 3: ("evidence", evidence_field)}),
    "domain": fields(
        {
            1: ("domain", domain_field),
            2: ("distributor", hash_field),
            3: ("token", printable(200)),
            4: ("finality_blocks", uint),
        }
    ),
    "auditor-set": auditor_set_body,
    "offer": fields(
        {
            1: ("device", device_field),
            2: ("price", amount),
            3: ("capacity", at_least_one(uint_below(65), "a capacity")),
            4: ("gas_max", uint),
            5: ("pages_max", uint32),
            6: ("profiles", at_least_one(uint_below(4), "a set of profiles")),
            7: ("until_ms", uint),
        }
    ),
    "licence": fields(
        {
            1: ("owner", account_field),
            2: ("content", hash_field),
            3: ("price", amount),
            4: ("share_ppm", ppm_field),
            5: ("modules", ascending_hashes),
            6: ("until_ms", uint),
        }
    ),
    "order": fields(
        {
            1: ("buyer", account_field),
            2: ("module", blob_field),
            3: ("inputs", array_of(blob_field, most=16)),
            4: ("arguments", arguments_field),
            5: ("runs", row(uint32, uint_below(2))),
            6: ("gas", uint),
            7: ("pages", uint32),
            8: ("output_bytes", uint32),
            9: ("price", amount),
            10: ("replicas", at_least_one(uint_below(9), "a number of workers")),
            11: ("sample_ppm", ppm_field),
            12: ("commit_ms", uint),
            13: ("most", amount),
        },
        {14: ("refund", account_field)},
    ),
    "cancel": fields({1: ("job", hash_field)}),
    "replay": fields({1: ("job", hash_field), 2: ("digest", hash_field)}),
    "successor": fields({1: ("origin", printable(255)), 2: ("log_key", hash_field)}),
}

COSE, EIP712, LINE = 0, 1, 2
signature_row = row(bstr, uint, bstr)


class Statement:
    """A parsed statement; `signatures_hold` checks its signatures."""

    def __init__(self, data):
        if len(data) > 65_000:
            raise Void("STM-TOO-LARGE", f"{len(data)} bytes")
        try:
            self.payload, signed = row(bstr, array_of(signature_row))(decode(data, "the statement"))
            self.signed = self._signers(signed)
            self._parse_payload()
        except Malformed as error:
            raise Void("STM-CBOR", str(error)) from None

    @staticmethod
    def _signers(signed):
        signers = []
        for name, scheme, signature in signed:
            shaped = {COSE: None, EIP712: 20, LINE: 32}
            if scheme not in shaped or (scheme != COSE and len(name) != shaped[scheme]):
                raise Void("STM-SIGNERS", "a signer is not of its scheme's form")
            if scheme == COSE:
                try:
                    Key(name)
                except Malformed as error:
                    raise Void("STM-SIGNERS", str(error)) from None
            signers.append((name, scheme, signature))
        if not 0 < len(signers) <= 16 or len({signer[:2] for signer in signers}) < len(signers):
            raise Void("STM-SIGNERS", "one to sixteen signers, each once")
        return signers

    def _parse_payload(self):
        value = decode(self.payload, "the payload")
        no_tags(value)
        reader = fields(
            {1: ("schema", tstr), 2: ("body", lambda body: body), 3: ("nonce", uint), 4: ("expiry_ms", uint)}
        )
        payload = reader(value)
        self.schema, self.nonce, self.expiry_ms = payload["schema"], payload["nonce"], payload["expiry_ms"]
        if self.schema not in BODIES:
            raise Void("STM-SCHEMA", f"schema {self.schema} is not known here")
        self.raw_body = payload["body"]
        self.body = BODIES[self.schema](self.raw_body)

    def is_signed_by(self, scheme, name):
        """Whether a signer is among those who signed."""
        return any(signer[:2] == (name, scheme) for signer in self.signed)

    def signatures_hold(self, network):
        """Whether every signature verifies; `network` is empty for genesis."""
        return all(self._holds(network, *signed) for signed in self.signed)

    def _holds(self, network, name, scheme, signature):
        if scheme == COSE:
            key = Key(name)
            protected = encode({1: {"Ed25519": -19, "P-256": -9}[key.algorithm]})
            return key.holds(sig_structure(protected, "cairn/statement/1", network, self.payload), signature)
        if not network:
            return False
        if scheme == EIP712:
            digest = statement_digest(network, self.schema, self.payload)
            return curves.evm_address_of(digest, signature) == name
        line = statement_line(network, self.payload)
        return curves.ed25519_enrolable(name) and curves.ed25519_holds(name, line, signature)


# Tables and epochs.


def subject_field(value):
    """A verdict's subject: `[0]` the slot, `[1, index]` a report."""
    if value == [0]:
        return None
    kind, index = row(uint, uint)(value)
    if kind != 1:
        raise Malformed(f"a verdict's subject {value}")
    return index


REASON = ("code", "check", "observed", "threshold", "lost_ppm", "evidence")
VERDICT = ("class", "device", "slot_ms", "subject", "account", "amount", "score_ppm", "reasons", "entries")
PAYOUT = ("account", "device", "pool", "weight", "amount")
indices = array_of(uint)
reason_row = row(tstr, tstr, integer, integer, uint32, indices)


def parse_verdict(data):
    """A verdict, as a dictionary."""
    reasons = array_of(lambda value: dict(zip(REASON, reason_row(value))))
    reader = row(tstr, device_field, uint, subject_field, account_field, uint, uint_below(PPM + 1), reasons, indices)
    return dict(zip(VERDICT, reader(decode(data, "the verdict"))))


def payout_device(value):
    """A payout's device: empty for the residual pool."""
    return value if bstr(value) == b"" else device_field(value)


def parse_payout(data):
    """A payout row, as a dictionary."""
    return dict(zip(PAYOUT, row(account_field, payout_device, tstr, uint, amount)(decode(data, "the payout"))))


def encode_payout(payout):
    """The canonical bytes of a payout row."""
    account, device, pool, weight, units = (payout[name] for name in PAYOUT)
    return encode([account, device, pool, weight, amount_bytes(units)])


BALANCE = ("opening", "minted", "deposited", "paid", "refunded", "burned", "escrow", "vesting", "unallocated")
EPOCH_FIELDS = {
    1: ("network", hash_field),
    2: ("number", uint),
    3: ("range", row(uint, uint)),
    4: ("log_root", hash_field),
    5: ("previous", hash_field),
    6: ("policy_hash", hash_field),
    7: ("engine_revision", uint),
    8: ("classes", array_of(row(tstr, uint, hash_field, uint, uint, hash_field, amount))),
    9: ("pools", array_of(row(tstr, amount, amount, uint, amount, uint))),
    10: ("payout_root", hash_field),
    11: ("assets", array_of(row(tstr, *[amount] * 9), least=1, most=1)),
    12: ("domains", array_of(row(domain_field, hash_field, hash_field, uint, amount))),
    13: ("state_root", hash_field),
    14: ("rehearsed", array_of(tstr)),
}
# What the numbers of a statement's rows are called, for naming the first one that differs.
ROW_NAMES = {
    "range": ("from", "to"),
    "classes": ("class", "revision", "profile_hash", "subjects", "passed", "verdict_root", "revenue"),
    "pools": ("name", "size", "weight", "devices", "paid", "recipients"),
    "assets": ("symbol",) + BALANCE,
    "domains": ("domain", "distributor", "claim_root", "leaves", "cumulative"),
}


def parse_epoch(data):
    """An epoch statement, as a dictionary with the names of `EPOCH_FIELDS`."""
    return fields(EPOCH_FIELDS)(decode(data, "the epoch statement"))


def encode_epoch(epoch):
    """The canonical bytes of an epoch statement."""
    classes = [item[:6] + [amount_bytes(item[6])] for item in epoch["classes"]]
    pools = [
        [name, amount_bytes(size), amount_bytes(weight), devices, amount_bytes(paid), recipients]
        for name, size, weight, devices, paid, recipients in epoch["pools"]
    ]
    domains = [item[:4] + [amount_bytes(item[4])] for item in epoch["domains"]]
    assets = [[symbol] + [amount_bytes(part) for part in parts] for symbol, *parts in epoch["assets"]]
    written = {**epoch, "classes": classes, "pools": pools, "domains": domains, "assets": assets}
    return encode({key: written[name] for key, (name, _) in EPOCH_FIELDS.items()})
