"""The state that entries amount to, and its records: what a snapshot holds and the state root is over."""

from __future__ import annotations

from formats import amount_bytes, encode, parse_epoch
from names import sha256
from strict_cbor import Malformed, array_of, bstr, decode, row, tstr, uint

NETWORK, DEVICE, NONCE, POLICY, PROFILE, PAYEE, CUMULATIVE, DENIAL = range(1, 9)
APPEAL, CONFLICT, ROUND, PENDING, JUDGED, DOMAIN, AUDITORS, UNLOGGED, CARRY, CREDIT, COUNTED = range(9, 20)
TABLES = (
    "network device nonce policy profile payee cumulative denial "
    "appeal conflict round pending judged domain auditors unlogged carry credit counted"
).split()

RANGES_MAX = 64
# What credit in the network's own asset is called, behind the chain that it was paid in on.
NATIVE = "/native"


class Names:
    """The report names `boot * 2^32 + seq` that a device has used, as ascending ranges that do not touch."""

    def __init__(self):
        self.ranges = []

    def __contains__(self, place):
        return any(start <= place <= end for start, end in self.ranges)

    def add(self, place):
        """Takes a name; past 64 ranges the lowest gap is closed."""
        joined = [place, place]
        apart = []
        for start, end in self.ranges:
            if start - 1 <= joined[1] and joined[0] <= end + 1:
                joined = [min(start, joined[0]), max(end, joined[1])]
            else:
                apart.append([start, end])
        self.ranges = sorted(apart + [joined])
        if len(self.ranges) > RANGES_MAX:
            self.ranges[:2] = [[self.ranges[0][0], self.ranges[1][1]]]

    def numbers(self):
        """The ranges as a flat list of 32-bit halves."""
        places = [place for ends in self.ranges for place in ends]
        return [half for place in places for half in (place >> 32, place & 0xFFFFFFFF)]


class State:
    """Everything that the entries so far amount to."""

    def __init__(self):
        self.network = None  # its id
        self.genesis = None
        self.genesis_payload = b""
        self.received_ms = 0
        self.epoch, self.first, self.previous = 0, 0, bytes(32)
        self.devices, self.nonces, self.payees, self.cumulative = {}, {}, {}, {}
        self.policies, self.profiles, self.domains, self.auditors = {}, {}, {}, {}
        self.denials, self.appeals, self.conflicts, self.rounds = {}, {}, {}, {}
        self.pending, self.judged, self.unlogged = {}, {}, {}
        self.carry = []  # records of what judges remember, as served: nobody here judges
        self.successor = None
        self.minted = self.unallocated = 0
        self.credits, self.counted = {}, {}  # by (asset, buyer); deposits that count, by chain
        self.deposited = 0  # of the network's own asset, while this epoch has been open

    def start_ms(self, epoch):
        """When an epoch starts."""
        return self.genesis["epoch_zero_ms"] + epoch * self.genesis["epoch_ms"]

    def closes_ms(self):
        """The time of receipt that closes the open epoch."""
        return self.start_ms(self.epoch + 1) + self.genesis["grace_ms"]

    def policy(self):
        """The policy of the open epoch."""
        return in_force(self.policies, self.epoch)

    def profile(self, schema):
        """The profile document of a class in the open epoch."""
        return in_force(self.profiles.get(schema, {}), self.epoch)

    def owned(self, account):
        """How many devices an account owns, retired ones included."""
        return sum(device["owner"] == account for device in self.devices.values())

    def credit_in(self, asset):
        """What all buyers together hold of an asset: of the network's own, on all chains."""
        own = asset.endswith(NATIVE)
        return sum(
            units for (held, _), units in self.credits.items() if held == asset or (own and held.endswith(NATIVE))
        )

    def books(self):
        """What the open epoch found, and what was paid in since it opened."""
        escrow = self.credit_in(NATIVE) - self.deposited
        return {
            "minted": self.minted,
            "unallocated": self.unallocated,
            "escrow": escrow,
            "deposited": self.deposited,
        }

    def records(self):
        """Every record `[table, key, value]`, bytewise sorted."""
        records = []

        def put(table, key, value):
            records.append(encode([table, key, value]))

        put(NETWORK, encode(0), encode(self.genesis_payload))
        put(NETWORK, encode(1), encode(self.received_ms))
        put(NETWORK, encode(2), encode([self.epoch, self.first, self.previous]))
        put(NETWORK, encode(3), encode([amount_bytes(self.minted), amount_bytes(self.unallocated)]))
        if self.successor is not None:
            put(NETWORK, encode(4), encode(self.successor))
        for device, held in self.devices.items():
            enrol = {**held["raw"], 2: held["owner"]}
            former = [key.multicodec for key in held["former"]]
            value = [enrol, held["key"].multicodec, former, held["enrolled"], held["enrolled_ms"], held["retired"]]
            value.append(held["names"].numbers())
            put(DEVICE, device, encode(value))
        for signer, nonce in self.nonces.items():
            put(NONCE, signer, encode(nonce))
        for first_epoch, policy in self.policies.items():
            put(POLICY, encode(first_epoch), encode(policy.document))
        for schema, documents in self.profiles.items():
            for first_epoch, document in documents.items():
                put(PROFILE, encode([schema, first_epoch]), encode(document))
        for owner, payee in self.payees.items():
            put(PAYEE, owner.encode(), encode(payee))
        for account, units in self.cumulative.items():
            put(CUMULATIVE, account.encode(), encode(amount_bytes(units)))
        for device, denial in self.denials.items():
            put(DENIAL, device, encode([denial["index"], denial["until_ms"], denial["reason"]]))
        for deny, appeal in self.appeals.items():
            put(APPEAL, encode(deny), encode(appeal))
        for name, index in self.conflicts.items():
            put(CONFLICT, encode(list(name)), encode(index))
        for (source, observer), number in self.rounds.items():
            put(ROUND, encode([source, observer]), encode(number))
        for (epoch, index), (account, denied) in self.pending.items():
            put(PENDING, encode([epoch, index]), encode([account, denied]))
        for epoch, runs in self.judged.items():
            put(JUDGED, encode(epoch), encode([number for run in runs for number in run]))
        for domain, raw in self.domains.items():
            put(DOMAIN, domain.encode(), encode(raw))
        for first_epoch, raw in self.auditors.items():
            put(AUDITORS, encode(first_epoch), encode(raw))
        for epoch, statement in self.unlogged.items():
            put(UNLOGGED, encode(epoch), encode(sha256(statement)))
        for (asset, buyer), units in self.credits.items():
            put(CREDIT, encode([asset, buyer]), encode(amount_bytes(units)))
        for chain, counted in self.counted.items():
            put(COUNTED, chain.encode(), encode(counted))
        return sorted(records + self.carry)


class Carried:
    """A record of what a judge remembers: whose memory it is, and bytes that only the judge reads."""

    def __init__(self, record):
        table, key, value = row(uint, bstr, bstr)(decode(record, "the record"))
        if table != CARRY:
            raise Malformed(f"a record of table {table}")
        self.schema, self.revision, self.key = row(tstr, uint, bstr)(decode(key, "the record's key"))
        bstr(decode(value, "the record's value"))


def in_force(documents, epoch):
    """The document of the last first epoch that has come."""
    begun = [first_epoch for first_epoch in documents if first_epoch <= epoch]
    return documents[max(begun)] if begun else None


def parse_snapshot(data):
    """A snapshot's statement (its bytes, which parse) and records."""
    version, statement, records = row(uint, bstr, array_of(bstr))(decode(data, "the snapshot"))
    if version != 1:
        raise Malformed(f"a snapshot of version {version}")
    parse_epoch(statement)
    return statement, records


def record_name(record):
    """A record in words, for naming the first one that differs."""
    try:
        table, key, _ = row(uint, bstr, bstr)(decode(record, "the record"))
        return f"{TABLES[table - 1]} {key.hex()}"
    except (Malformed, IndexError):
        return f"bytes that are no record: {record[:32].hex()}"
