"""The policy document: what a network mints, whom it pays, whose word it takes. Strict TOML 1.0 without floats."""

from __future__ import annotations

import re
import sys

from names import is_domain, key_of_did, sha256, split_account
from strict_cbor import Malformed

if sys.version_info >= (3, 11):
    import tomllib
else:
    try:
        import tomli as tomllib
    except ImportError:
        sys.exit("cairn_check: policies are TOML: use Python 3.11 or newer, or install `tomli`")

BYTES_MAX = 24_000
PPM = 1_000_000
UINT_MAX = 2**63 - 1
CREDIT_CHAINS_MAX = 16
SOURCE_DEPOSITS = "deposits/"
ENGINE_REVISION = 1
# The classes and revisions of judges that exist; a policy that names another one is void.
KNOWN_CLASSES = {"sensing/1": {1, 2}, "compute/1": {1}}
# Classes whose work is ordered and sold: their policies read here, and nothing that follows from them is recomputed.
MARKETS = {"compute/1"}


class Beyond(Exception):
    """What this checker does not recompute: it has no result."""


class _Float(Exception):
    pass


def _no_float(text):
    raise _Float(text)


def _load(document):
    if len(document) > BYTES_MAX:
        raise Malformed(f"the policy has {len(document)} bytes; at most {BYTES_MAX} are read")
    if any(byte == 0x5C or not (0x20 <= byte <= 0x7E or byte in b"\t\n\r") for byte in document):
        raise Malformed("the policy holds a backslash, or what is not printable ASCII")
    try:
        return tomllib.loads(document.decode("ascii"), parse_float=_no_float)
    except _Float as error:
        raise Malformed(f"the policy holds the float {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise Malformed(f"the policy is not TOML: {error}") from None


def _table(value, what, required, optional=()):
    if type(value) is not dict:
        raise Malformed(f"policy: {what} is not a table")
    for key in value:
        if key not in required and key not in optional:
            raise Malformed(f"policy: {what}.{key} is unknown")
    for key in required:
        if key not in value:
            raise Malformed(f"policy: {what}.{key} is missing")
    return value


def _uint(value, what, most=UINT_MAX):
    if type(value) is not int or not 0 <= value <= most:
        raise Malformed(f"policy: {what} is not an integer from 0 to {most}")
    return value


def _text(value, what, pattern):
    if type(value) is not str or not re.fullmatch(pattern, value):
        raise Malformed(f"policy: {what} is {value!r}")
    return value


def _array(value, what):
    if type(value) is not list:
        raise Malformed(f"policy: {what} is not an array")
    return value


def _tokens(value, what, decimals):
    """Decimal tokens as base units: `"0.25"` with 6 decimals is 250,000."""
    text = _text(value, what, r"(0|[1-9][0-9]*)(\.[0-9]+)?")
    whole, _, part = text.partition(".")
    units = int(whole + part.ljust(decimals, "0"))
    if len(part) > decimals or units >= 1 << 128:
        raise Malformed(f"policy: {what} is {text!r}, more than {decimals} places or 128 bits")
    return units


NAME = r"[a-z][a-z0-9-]{0,31}"


class Policy:
    """A policy, read from its document."""

    def __init__(self, document):
        self.document, self.hash = document, sha256(document)
        root = _table(
            _load(document),
            "the policy",
            ("engine", "asset", "epochs", "positions", "limits", "emission", "classes", "pools"),
            ("observers", "credit"),
        )
        if _uint(_table(root["engine"], "engine", ("revision",))["revision"], "engine.revision") != ENGINE_REVISION:
            raise Malformed("policy: engine.revision is not known here")
        asset = _table(root["asset"], "asset", ("symbol", "decimals"), ("caip19",))
        self.symbol = _text(asset["symbol"], "asset.symbol", "[A-Z][A-Z0-9]{0,10}")
        self.decimals = _uint(asset["decimals"], "asset.decimals", 18)
        if "caip19" in asset:
            chain, _, _ = _text(
                asset["caip19"], "asset.caip19", r"[^/]+/[a-z0-9-]{3,8}:[A-Za-z0-9./%-]{1,128}"
            ).partition("/")
            if not is_domain(chain):
                raise Malformed("policy: asset.caip19 is on no chain that is known")
        epochs = _table(root["epochs"], "epochs", ("late_epochs", "late_ppm", "future_ms"))
        self.late_epochs = _uint(epochs["late_epochs"], "epochs.late_epochs", 1_000)
        self.late_ppm = _uint(epochs["late_ppm"], "epochs.late_ppm", PPM)
        self.future_ms = _uint(epochs["future_ms"], "epochs.future_ms", 86_400_000)
        positions = _table(root["positions"], "positions", ("h3_resolution",))
        self.h3_resolution = _uint(positions["h3_resolution"], "positions.h3_resolution", 15)
        limits = _table(root["limits"], "limits", ("devices_per_owner",))
        self.devices_per_owner = _uint(limits["devices_per_owner"], "limits.devices_per_owner", 2**32 - 1)
        self._read_emission(root["emission"])
        self._read_classes(root["classes"])
        self._read_pools(root["pools"])
        self._read_observers(root.get("observers", []))
        self._read_credit(root.get("credit"))

    def _read_emission(self, value):
        emission = _table(value, "emission", ("table",), ("max_supply_tokens",))
        most = emission.get("max_supply_tokens")
        self.max_supply = None if most is None else _tokens(most, "emission.max_supply_tokens", self.decimals)
        self.emission = []
        for item in _array(emission["table"], "emission.table"):
            line = _table(item, "emission.table", ("from_epoch", "amount_tokens"))
            from_epoch = _uint(line["from_epoch"], "from_epoch")
            if self.emission and from_epoch <= self.emission[-1][0]:
                raise Malformed("policy: emission.table does not ascend")
            self.emission.append((from_epoch, _tokens(line["amount_tokens"], "amount_tokens", self.decimals)))
        if not self.emission:
            raise Malformed("policy: emission.table is empty")

    def _read_classes(self, value):
        self.classes, self.bridged = {}, set()
        if type(value) is not dict:
            raise Malformed("policy: classes is not a table")
        for schema, item in sorted(value.items()):
            if (
                len(schema) > 32
                or not re.fullmatch(NAME + "/[1-9][0-9]{0,4}", schema)
                or int(schema.split("/")[1]) > 65_535
            ):
                raise Malformed(f"policy: {schema} is not a class")
            table = _table(item, "classes", ("revision",), ("fee_ppm",) if schema in MARKETS else ("bridges",))
            _uint(table.get("fee_ppm", 0), "fee_ppm", PPM)
            bridges = table.get("bridges", False)
            if type(bridges) is not bool:
                raise Malformed("policy: bridges is not a boolean")
            if bridges:
                self.bridged.add(schema)
            revision = _uint(table["revision"], "revision", 2**32 - 1)
            if revision == 0:
                raise Malformed("policy: revisions count from 1")
            self.classes[schema] = revision

    def _read_pools(self, value):
        self.pools, residuals, names = [], [], set()
        for item in _array(value, "pools"):
            if type(item) is not dict or item.get("rule") not in ("pro-rata", "flat", "residual"):
                raise Malformed("policy: a pool's rule is pro-rata, flat or residual")
            if item["rule"] == "residual":
                pool = dict(_table(item, "pools", ("name", "rule", "to")))
                self._read_destination(pool["to"])
                residuals.append(pool)
            else:
                pool = self._pool(item)
                self.pools.append(pool)
            if _text(pool["name"], "pools.name", NAME) in names:
                raise Malformed(f"policy: two pools are called {pool['name']}")
            names.add(pool["name"])
        if len(residuals) != 1 or sum(pool["share_ppm"] for pool in self.pools) > PPM:
            raise Malformed("policy: there is one residual pool, and shares add up to at most a million")
        self.residual = residuals[0]

    def _pool(self, item):
        required = ("name", "rule", "class", "share_ppm") + (("min_score_ppm",) if item["rule"] == "flat" else ())
        pool = dict(_table(item, "pools", required, ("cap_per_device_tokens",)))
        _uint(pool["share_ppm"], "share_ppm", PPM)
        _uint(pool.get("min_score_ppm", 0), "min_score_ppm", PPM)
        if type(pool["class"]) is not str or pool["class"] not in self.classes:
            raise Malformed(f"policy: pool {pool['name']} pays a class that is not judged")
        cap = pool.get("cap_per_device_tokens")
        pool["cap"] = None if cap is None else _tokens(cap, "cap_per_device_tokens", self.decimals)
        return pool

    @staticmethod
    def _read_destination(to):
        # Accounts may be in mixed case here; what is paid is their canonical text.
        if type(to) is not str:
            raise Malformed("policy: pools.to is not text")
        if to not in ("burn", "next-epoch"):
            split_account(canonical_account(to))

    def _read_observers(self, value):
        self.observers, self.trusts = {}, {}
        for item in _array(value, "observers"):
            line = _table(item, "observers", ("source", "key", "trust"))
            source = _text(line["source"], "observers.source", r"[a-z0-9./:-]{1,64}")
            trust = _text(line["trust"], "observers.trust", "proof|median|operator")
            if type(line["key"]) is not str:
                raise Malformed("policy: observers.key is not text")
            key = key_of_did(line["key"])
            if (
                not key.enrolable()
                or (source, key.key_id()) in self.observers
                or self.trusts.setdefault(source, trust) != trust
            ):
                raise Malformed("policy: an observer repeats, or differs in trust from another of its source")
            self.observers[source, key.key_id()] = key

    def _read_credit(self, value):
        """Chains whose deposits count; `None` when none do."""
        self.credit_chains = None
        if value is None:
            return
        chains = _array(_table(value, "credit", ("chains",))["chains"], "credit.chains")
        for chain in chains:
            if type(chain) is not str or not chain.startswith("eip155:") or not is_domain(chain):
                raise Malformed(f"policy: credit.chains holds {chain!r}")
        if not 1 <= len(chains) <= CREDIT_CHAINS_MAX or len(set(chains)) != len(chains):
            raise Malformed(f"policy: credit.chains is 1 to {CREDIT_CHAINS_MAX} chains, none twice")
        for source, trust in self.trusts.items():
            if source.startswith(SOURCE_DEPOSITS):
                if source[len(SOURCE_DEPOSITS) :] not in chains or trust != "operator":
                    raise Malformed(f"policy: {source} is on no chain of credit.chains, or not the operator's word")
        self.credit_chains = set(chains)

    def names_known_classes(self):
        """Whether a judge exists for every class and revision that the policy names."""
        return all(revision in KNOWN_CLASSES.get(schema, ()) for schema, revision in self.classes.items())

    def destination(self):
        """Where the residual goes: `burn`, `next-epoch`, or an account."""
        to = self.residual["to"]
        return to if to in ("burn", "next-epoch") else canonical_account(to)

    def check_supply(self):
        """Refuses an emission whose total passes 128 bits within a million epochs past the table's end."""
        ends = [from_epoch for from_epoch, _ in self.emission[1:]] + [self.emission[-1][0] + 1_000_001]
        total = sum(units * (end - start) for (start, units), end in zip(self.emission, ends))
        if (total if self.max_supply is None else min(total, self.max_supply)) >= 2**128:
            raise Malformed("policy: the emission passes 128 bits")

    def minted(self, epoch, before):
        """What an epoch mints when `before` base units were minted already."""
        units = 0
        for from_epoch, row_units in self.emission:
            if from_epoch <= epoch:
                units = row_units
        return units if self.max_supply is None else min(units, max(self.max_supply - before, 0))


def canonical_account(text):
    """CAIP-10 with an EVM address in lower case."""
    domain, _, address = text.rpartition(":")
    if domain.startswith("eip155:") and address.startswith("0x"):
        return f"{domain}:{address.lower()}"
    return text
