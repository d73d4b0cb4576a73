"""When an entry is valid after everything before it, and what it does to the state.

Two rules are taken on trust, because nothing but geometry and the judge can decide them: that an exact place lies in
the H3 cell it was enrolled with, and that a profile document is one that the class's judge reads. Of a profile its form,
its class, its slots and their pieces, its tolerance for the future and the names of its tables are read; the thresholds in
them are not.
"""

from __future__ import annotations

from formats import EPOCH, OBSERVATION, REPORT, STATEMENT, Malformed, Observation, Report, Statement, Void, parse_epoch
from formats import COSE, EIP712, LINE, parse_deposit
from names import Key, cell_resolution, device_name, sha256, split_account
from policy import KNOWN_CLASSES, MARKETS, SOURCE_DEPOSITS, Beyond, Policy, tomllib
from state import NATIVE, Names, State

VALUE_MAX = 10**12
SPAN_MAX_MS = 31 * 86_400_000
READINGS_MAX = 8_192
BRIDGE, BUYER, ANCHOR = 1, 2, 4
OBSERVATION_BYTES_MAX = 32_000
# The most credit in one asset: half of what an amount can be.
CREDIT_MAX = 2**127 - 1
SIGNERS_MAX, FORMER_KEYS_MAX, DOMAINS_MAX = 3, 8, 16
# The keys of a profile of `sensing/1`, by form: those that have to be there, those that may.
PROFILE_KEYS = {
    1: (set("class slot_ms future_ms rounds copy quantities".split()), set()),
    2: (
        set("class form slot_ms future_ms weights memory copies".split()),
        set("time availability relocation quantities mobile".split()),
    ),
}


class Accepted:
    """A valid report, as it is held until its epoch is judged."""

    def __init__(self, index, report, device, epoch, last_ms, account, denied):
        self.index, self.device, self.schema, self.epoch = index, device, report.says["schema"], epoch
        self.last_ms, self.account, self.denied = last_ms, account, denied


def admit(state: State, index, kind, received_ms, body):
    """Applies the entry at `index`, or raises `Void`. Returns the `Accepted` of a report."""
    if (state.network is None and kind == STATEMENT) != (index == 0):
        raise Void("NET-GENESIS", "entry 0 is the genesis statement, and nothing else is")
    if kind == REPORT:
        return admit_report(state, index, received_ms, Report(body))
    if kind == STATEMENT:
        admit_statement(state, index, received_ms, Statement(body))
    elif kind == OBSERVATION:
        if len(body) > OBSERVATION_BYTES_MAX:
            raise Void("OBS-TOO-LARGE", f"the observation has {len(body)} bytes")
        admit_observation(state, Observation(body))
    elif kind == EPOCH:
        admit_epoch(state, body)
    return None


# Reports.


def admit_report(state, index, received_ms, report):
    """A report counts once, for an enrolled device, in an epoch that is open or to come."""
    signer = state.devices.get(report.device)
    if signer is None:
        raise Void("RPT-UNKNOWN-DEVICE", f"{device_name(report.device)} is not enrolled")
    says, policy = report.says, state.policy()
    if signer["retired"]:
        raise Void("RPT-RETIRED", f"retired by entry {signer['retired']}")
    if signer["key"].algorithm != report.sign1.algorithm:
        raise Void("RPT-ALGORITHM", "the header names another algorithm than the device's key")
    if signer["role"] == BRIDGE:
        measured_by = bridged_subject(state, policy, signer, says)
    else:
        measured_by = report.device
        if says["subject"] is not None:
            raise Void("RPT-SUBJECT", "only a bridge signs for another device")
        if signer["role"] == BUYER:
            raise Void("RPT-ROLE", "a buyer does not report")
    device = state.devices[measured_by]
    if policy is None:
        raise Void("RPT-POLICY", "no policy is in force yet")
    time_ms = report.measured_ms(received_ms)
    epoch = judging_epoch(state, policy, time_ms)
    enrolled = says["schema"] in signer["classes"] and says["schema"] in device["classes"]
    if says["schema"] not in policy.classes or not enrolled:
        raise Void("RPT-CLASS", f"class {says['schema']} is not judged, or the device is not enrolled in it")
    last_ms = time_ms + sensing_span_ms(says["body"])
    if last_ms - received_ms > policy.future_ms:
        raise Void("RPT-FUTURE", f"measured {last_ms - received_ms} ms after it was received")
    if last_ms >= state.start_ms(state.epoch + 2):
        raise Void("RPT-FUTURE", "measured later than in the epoch after the open one")
    if time_ms < device["enrolled_ms"]:
        raise Void("RPT-BEFORE-ENROLMENT", "measured before the device was enrolled")
    check_place(policy, device, says["place"])
    _, boot, seq = report.name
    if boot << 32 | seq in signer["names"]:
        raise Void("RPT-DUPLICATE", f"boot {boot} seq {seq} of {device_name(report.device)} has counted")
    if not signer["key"].holds(report.message(state.network), report.sign1.signature):
        raise Void("RPT-SIGNATURE", "the device's signature does not verify")
    owner, denied = device["owner"], 0
    # Of two denials the subject's is named.
    for denial in (state.denials.get(report.device), state.denials.get(measured_by)):
        if denial and received_ms < denial["until_ms"]:
            denied = denial["index"]
    accepted = Accepted(index, report, measured_by, epoch, last_ms, state.payees.get(owner, owner), denied)
    signer["names"].add(boot << 32 | seq)
    state.pending[epoch, index] = (accepted.account, denied)
    return accepted


def bridged_subject(state, policy, bridge, says):
    """Whom a bridge signs for: an active device that measures, and has the bridge's owner."""
    if policy is None or says["schema"] not in policy.bridged:
        raise Void("RPT-BRIDGE", f"the policy lets no bridge report for class {says['schema']}")
    subject = state.devices.get(says["subject"])
    if subject is None or subject["retired"] or subject["role"] in (BRIDGE, BUYER):
        raise Void("RPT-SUBJECT", "the subject is not enrolled, retired, or of a role that measures nothing")
    if subject["owner"] != bridge["owner"]:
        raise Void("RPT-SUBJECT", "the subject has another owner than the bridge")
    return says["subject"]


def judging_epoch(state, policy, time_ms):
    """`max(epoch of the measured time, open epoch)`, as far back as the policy accepts and the state remembers."""
    if time_ms < state.genesis["epoch_zero_ms"]:
        raise Void("RPT-BEFORE-START", "measured before the network's first epoch")
    measured = (time_ms - state.genesis["epoch_zero_ms"]) // state.genesis["epoch_ms"]
    oldest = min(state.judged, default=0)
    if measured + policy.late_epochs < state.epoch or (oldest > 0 and measured <= oldest):
        raise Void("RPT-TOO-LATE", f"measured in epoch {measured}, and epoch {state.epoch} is open")
    return max(measured, state.epoch)


def check_place(policy, device, place):
    """Cells no finer than the policy's, exact places only of devices enrolled with one."""
    if type(place) is int:
        resolution = cell_resolution(place)
        if resolution is None or resolution > policy.h3_resolution:
            raise Void("RPT-PLACE", "not an H3 cell that the policy allows")
    elif place is not None and not device["exact"]:
        raise Void("RPT-PLACE", "an exact place without opt-in")


def sensing_span_ms(body):
    """How long the readings of a `sensing/1` body last: values by quantity, or `[ms after time, values]` that ascend."""
    readings = [[0, body]] if type(body) is dict else body
    if type(readings) is not list:
        raise Void("CLS-BODY", "not a map of values or a list of readings")
    for reading in readings:
        check_reading(reading)
    if not 0 < len(readings) <= READINGS_MAX:
        raise Void("CLS-BODY", f"{len(readings)} readings")
    before = -1
    for after_ms, values in readings:
        if not before < after_ms <= SPAN_MAX_MS:
            raise Void("CLS-TIME", f"a reading {after_ms} ms after the report's time")
        if not values:
            raise Void("CLS-BODY", "a reading without values")
        if any(abs(value) > VALUE_MAX for value in values.values()):
            raise Void("CLS-VALUE", "a value beyond 10^12")
        before = after_ms
    return before


def check_reading(reading):
    """The shape of one reading."""
    if type(reading) is not list or len(reading) != 2 or type(reading[0]) is not int or type(reading[1]) is not dict:
        raise Void("CLS-BODY", "not a list of [ms after time, values]")
    if reading[0] < 0:
        raise Void("CLS-TIME", "a reading before the report's time")
    for quantity, value in reading[1].items():
        if not 1 <= quantity <= 15:
            raise Void("CLS-QUANTITY", f"quantity {quantity}")
        if type(value) is not int:
            raise Void("CLS-BODY", "not a map of integer values")


# Observations and epoch statements.


def admit_observation(state, observation):
    """An observation counts when the policy names its observer, and rounds ascend."""
    says, observer, policy = observation.says, observation.sign1.key_id, state.policy()
    key = policy.observers.get((says["source"], observer)) if policy else None
    if key is None:
        raise Void("OBS-OBSERVER", f"the policy names no such observer of {says['source']}")
    credited = None
    if policy.credit_chains is not None and says["source"].startswith(SOURCE_DEPOSITS):
        credited = admit_deposit(state, says)
    elif says["round"] <= state.rounds.get((says["source"], observer), -1):
        raise Void("OBS-ROUND", f"round {says['round']} is not above the last")
    fits = key.algorithm == observation.sign1.algorithm
    if not fits or not key.holds(observation.message(state.network), observation.sign1.signature):
        raise Void("OBS-SIGNATURE", "the observer's signature does not verify")
    if credited is None:
        state.rounds[says["source"], observer] = says["round"]
        return
    chain, asset, buyer, units = credited
    state.counted[chain] = says["round"]
    state.credits[asset, buyer] = state.credits.get((asset, buyer), 0) + units
    if asset.endswith(NATIVE):
        state.deposited += units


def admit_deposit(state, says):
    """A deposit is the next of its chain. The chain, what it is a credit of, whose, and base units."""
    chain = says["source"][len(SOURCE_DEPOSITS) :]
    if chain not in state.domains:
        raise Void("OBS-CHAIN", f"{chain} is no settlement chain here")
    due = state.counted.get(chain, 0) + 1
    if says["round"] != due:
        raise Void("OBS-ROUND", f"round {says['round']} of {says['source']}: {due} is next")
    try:
        buyer, token, units = parse_deposit(says["value"])
    except Malformed as error:
        raise Void("OBS-DEPOSIT", str(error)) from None
    asset = f"{chain}/erc20:0x{token.hex()}"
    own = state.domains[chain][3]
    # A CAIP-19 id may be in mixed case behind `0x`, and nowhere else.
    start = f"{chain}/erc20:0x"
    if own.startswith(start) and start + own[len(start) :].lower() == asset:
        asset = chain + NATIVE
    if state.credit_in(asset) + units > CREDIT_MAX:
        raise Void("OBS-CREDIT", f"credit in {asset} would pass {CREDIT_MAX} base units")
    return chain, asset, buyer, units


def admit_epoch(state, body):
    """A logged epoch statement is the recomputed one of an epoch that waits for it."""
    try:
        number = parse_epoch(body)["number"]
    except Malformed as error:
        raise Void("EPO-CBOR", str(error)) from None
    if number not in state.unlogged:
        raise Void("EPO-NUMBER", f"epoch {number} is open, or its statement is logged already")
    if body != state.unlogged[number]:
        raise Void("EPO-DIFFERS", f"it is not the statement of epoch {number} that the log implies")
    del state.unlogged[number]


# Statements.


def admit_statement(state, index, received_ms, statement):
    """A statement counts when it is in time, its nonces ascend, its content holds, and the right ones signed."""
    if received_ms > statement.expiry_ms:
        raise Void("STM-EXPIRED", f"it expired at {statement.expiry_ms} ms")
    if len(statement.signed) > SIGNERS_MAX:
        raise Void("STM-SIGNERS", "no statement needs more than three signatures")
    for name, _, _ in statement.signed:
        if statement.nonce <= state.nonces.get(name, -1):
            raise Void("STM-NONCE", f"nonce {statement.nonce} is not above the signer's last")
    if state.network is None and statement.schema != "genesis":
        raise Void("NET-GENESIS", "there is no network yet")
    effect = RULES[statement.schema](state, index, received_ms, statement, statement.body)
    if not statement.signatures_hold(b"" if statement.schema == "genesis" else state.network):
        raise Void("STM-SIGNATURE", "a signature does not verify")
    effect()
    for name, _, _ in statement.signed:
        state.nonces[name] = statement.nonce


def needs_key(statement, key):
    """Refuses a statement that a key has not signed."""
    if not statement.is_signed_by(COSE, key.multicodec):
        raise Void("STM-RIGHTS", f"{key.did()} has not signed")


def needs_operator(state, statement):
    """Refuses a statement that the operator has not signed."""
    needs_key(statement, state.genesis["operator"])


def needs_account(statement, account):
    """Refuses a statement that an account's wallet has not signed."""
    address = split_account(account)[1]
    if not statement.is_signed_by(EIP712 if len(address) == 20 else LINE, address):
        raise Void("STM-RIGHTS", f"{account} has not signed")


def known(state, device):
    """The device of an id."""
    if device not in state.devices:
        raise Void("STM-DEVICE", f"{device_name(device)} is not enrolled")
    return state.devices[device]


def active(state, device):
    """The device of an id, if it has not retired."""
    held = known(state, device)
    if held["retired"]:
        raise Void("STM-DEVICE", f"{device_name(device)} was retired by entry {held['retired']}")
    return held


def needs_room(state, owner):
    """Refuses an owner who has as many devices as the policy allows."""
    policy = state.policy()
    limit = policy.devices_per_owner if policy else 0
    if limit and state.owned(owner) >= limit:
        raise Void("STM-LIMIT", f"{owner} has {limit} devices")


def not_started(state, received_ms, first_epoch):
    """Refuses a document for an epoch that has begun."""
    if received_ms >= state.start_ms(first_epoch):
        raise Void("STM-EPOCH", f"epoch {first_epoch} began at {state.start_ms(first_epoch)} ms")


def genesis(state, _index, _received_ms, statement, body):
    """Entry 0: what the network is."""
    if state.network is not None:
        raise Void("NET-GENESIS", "the network exists")
    needs_key(statement, body["operator"])

    def effect():
        state.network, state.genesis, state.genesis_payload = sha256(statement.payload), body, statement.payload

    return effect


def enrol(state, index, received_ms, statement, body):
    """A device joins an owner: both sign."""
    key, device, policy = body["key"], body["key"].key_id(), state.policy()
    if device in state.devices:
        raise Void("STM-ENROLLED", f"{device_name(device)} is enrolled, or was")
    if not key.enrolable():
        raise Void("STM-KEY", "the key is not canonical, or outside the prime-order group")
    if policy is None:
        raise Void("STM-POLICY", "no policy is in force yet")
    if any(schema not in policy.classes for schema in body["classes"]):
        raise Void("STM-CLASS", "the policy does not judge a class")
    needs_room(state, body["owner"])
    resolution = cell_resolution(body["cell"])
    if resolution is None or resolution > policy.h3_resolution:
        raise Void("STM-CELL", "not an H3 cell that the policy allows")
    if body["role"] == ANCHOR:
        needs_operator(state, statement)
    needs_key(statement, key)
    needs_account(statement, body["owner"])

    def effect():
        state.devices[device] = {
            "raw": statement.raw_body,
            "owner": body["owner"],
            "key": key,
            "role": body["role"],
            "classes": body["classes"],
            "exact": body["exact"] is not None,
            "former": [],
            "enrolled": index,
            "enrolled_ms": received_ms,
            "retired": 0,
            "names": Names(),
        }

    return effect


def transfer(state, _index, _received_ms, statement, body):
    """A device changes owner: both owners sign."""
    held = active(state, body["device"])
    needs_room(state, body["owner"])
    needs_account(statement, held["owner"])
    needs_account(statement, body["owner"])
    return lambda: held.update(owner=body["owner"])


def retire(state, index, _received_ms, statement, body):
    """A device leaves: the owner signs."""
    held = active(state, body["device"])
    needs_account(statement, held["owner"])
    return lambda: held.update(retired=index)


def rotate(state, _index, _received_ms, statement, body):
    """A device changes its key: the owner and the next key sign."""
    held, key = active(state, body["device"]), body["key"]
    if not key.enrolable() or key.key_id() in state.devices:
        raise Void("STM-KEY", "the key is not canonical, outside the prime-order group, or taken")
    needs_account(statement, held["owner"])
    needs_key(statement, key)
    former = (held["former"] + [held["key"]])[-FORMER_KEYS_MAX:]
    return lambda: held.update(key=key, former=former)


def payee(state, _index, _received_ms, statement, body):
    """An owner names the account that is paid: the owner signs."""
    if not state.owned(body["owner"]):
        raise Void("STM-OWNER", f"{body['owner']} owns no device")
    needs_account(statement, body["owner"])
    return lambda: state.payees.update({body["owner"]: body["payee"]})


def policy(state, _index, received_ms, statement, body):
    """The rules of money from an epoch on: the operator signs."""
    try:
        read = Policy(body["document"])
        read.check_supply()
    except Malformed as error:
        raise Void("STM-POLICY", str(error)) from None
    if not state.policies and body["first_epoch"] == 0:
        if read.hash != state.genesis["policy_hash"]:
            raise Void("STM-POLICY", "the first policy is not the one that genesis names")
    else:
        not_started(state, received_ms, body["first_epoch"])
    if not read.names_known_classes():
        raise Void("STM-POLICY", "a class or revision is not known here")
    needs_operator(state, statement)
    if MARKETS & set(read.classes):
        return lambda: beyond("policy", body["first_epoch"])
    return lambda: state.policies.update({body["first_epoch"]: read})


def beyond(schema, first_epoch):
    """Ends a check that would have to follow a market of work."""
    raise Beyond(
        f"a valid {schema} from epoch {first_epoch} on is of a class whose work is sold ({', '.join(sorted(MARKETS))}): "
        "this checker recomputes no such network; `cairn audit` does"
    )


def profile(state, _index, received_ms, statement, body):
    """A class's thresholds from an epoch on: the operator signs."""
    if body["class"] not in KNOWN_CLASSES or not is_text(body["document"]):
        raise Void("STM-PROFILE", f"no judge of {body['class']} reads it")
    if body["class"] in MARKETS:
        needs_operator(state, statement)
        return lambda: beyond("profile", body["first_epoch"])
    slot_ms = profile_slot_ms(body["class"], body["document"])
    if any(length_ms % slot_ms for length_ms in (state.genesis["epoch_zero_ms"], state.genesis["epoch_ms"])):
        raise Void("STM-SLOTS", f"epochs are not whole slots of {slot_ms} ms")
    is_first = body["class"] not in state.profiles
    if not (is_first and body["first_epoch"] == state.epoch):
        not_started(state, received_ms, body["first_epoch"])
    needs_operator(state, statement)
    documents = state.profiles.get(body["class"], {})
    return lambda: state.profiles.update({body["class"]: {**documents, body["first_epoch"]: body["document"]}})


def profile_slot_ms(schema, document):
    """The length of the slots that a profile judges by."""
    try:
        read = tomllib.loads(document.decode())
    except tomllib.TOMLDecodeError as error:
        raise Void("STM-PROFILE", str(error)) from None
    # A document of the first form does not name it; no other form is without its number.
    form = read.get("form", 1)
    if type(form) is not int or form not in PROFILE_KEYS or (form == 1) == ("form" in read):
        raise Void("STM-PROFILE", f"no judge reads form {form}")
    required, optional = PROFILE_KEYS[form]
    strange = set(read) - required - optional | required - set(read)
    if strange:
        raise Void("STM-PROFILE", f"{', '.join(sorted(strange))}: missing, or unknown to form {form}")
    if read["class"] != schema:
        raise Void("STM-PROFILE", f"it is a profile of {read['class']}")
    for name, least, most in (("slot_ms", 1_000, SPAN_MAX_MS), ("future_ms", 0, 86_400_000)):
        if type(read[name]) is not int or not least <= read[name] <= most:
            raise Void("STM-PROFILE", f"{name} is not an integer from {least} to {most}")
    pieces = read.get("availability", {})
    every_ms = pieces.get("every_ms", read["slot_ms"]) if type(pieces) is dict else None
    if type(every_ms) is not int or not 1_000 <= every_ms <= read["slot_ms"] or read["slot_ms"] % every_ms:
        raise Void("STM-PROFILE", "availability.every_ms does not cut a slot into whole pieces of a second or more")
    if not any(read.get(name) for name in ("quantities", "mobile")):
        raise Void("STM-PROFILE", "no quantity is judged")
    return read["slot_ms"]


def is_text(data):
    """Whether bytes are UTF-8."""
    try:
        return data.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def conflict(state, index, _received_ms, _statement, body):
    """Two signed reports under one name: anybody may show them, once."""
    try:
        reports = [Report(body["first"]), Report(body["second"])]
    except Void as error:
        raise Void("STM-CONFLICT", str(error)) from None
    first, second = reports
    if first.name != second.name or sha256(first.sign1.payload) >= sha256(second.sign1.payload):
        raise Void("STM-CONFLICT", "not two payloads under one name, in order of their SHA-256")
    if first.name in state.conflicts:
        raise Void("STM-CONFLICT", "this conflict is known")
    held = known(state, first.device)
    _, boot, seq = first.name
    if boot << 32 | seq not in held["names"]:
        raise Void("STM-CONFLICT", "no report of that name has counted")
    for report in reports:
        message, sign1 = report.message(state.network), report.sign1
        keys = [key for key in [held["key"], *held["former"]] if key.algorithm == sign1.algorithm]
        if not any(key.holds(message, sign1.signature) for key in keys):
            raise Void("STM-CONFLICT", "a report is not signed by a key of the device")
    return lambda: state.conflicts.update({first.name: index})


def deny(state, index, received_ms, statement, body):
    """The operator stops paying a device for a time."""
    known(state, body["device"])
    if body["until_ms"] <= received_ms:
        raise Void("STM-DENY", "the denial ends before it begins")
    needs_operator(state, statement)
    return lambda: state.denials.update({body["device"]: {"index": index, **body}})


def appeal(state, index, _received_ms, statement, body):
    """An owner answers a denial, once."""
    denied = [device for device, denial in state.denials.items() if denial["index"] == body["deny"]]
    if not denied or body["deny"] in state.appeals:
        raise Void("STM-APPEAL", f"entry {body['deny']} is no denial that waits for an appeal")
    needs_account(statement, known(state, denied[0])["owner"])
    return lambda: state.appeals.update({body["deny"]: index})


def domain(state, _index, _received_ms, statement, body):
    """A settlement chain: the operator signs."""
    if len(state.domains) >= DOMAINS_MAX and body["domain"] not in state.domains:
        raise Void("STM-DOMAIN", f"a network has at most {DOMAINS_MAX} settlement chains")
    needs_operator(state, statement)
    return lambda: state.domains.update({body["domain"]: statement.raw_body})


def auditor_set(state, _index, received_ms, statement, body):
    """The auditors whose signatures count: the operator signs."""
    not_started(state, received_ms, body["first_epoch"])
    needs_operator(state, statement)
    return lambda: state.auditors.update({body["first_epoch"]: statement.raw_body})


def successor(state, _index, _received_ms, statement, _body):
    """Where the log continues: the operator signs."""
    needs_operator(state, statement)
    return lambda: setattr(state, "successor", statement.raw_body)


def closed(_state, _index, _received_ms, _statement, _body):
    """What is said on a market of work: none is open in a network that this checker recomputes."""
    raise Void("CMP-CLOSED", "no policy in force opens a market of work")


RULES = {
    "genesis": genesis,
    "enrol": enrol,
    "transfer": transfer,
    "retire": retire,
    "rotate": rotate,
    "payee": payee,
    "policy": policy,
    "profile": profile,
    "conflict": conflict,
    "deny": deny,
    "appeal": appeal,
    "domain": domain,
    "auditor-set": auditor_set,
    "successor": successor,
    "offer": closed,
    "licence": closed,
    "order": closed,
    "cancel": closed,
    "replay": closed,
}
