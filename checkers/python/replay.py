"""The log replayed: entry after entry, epoch after epoch, each statement recomputed and compared byte for byte.

Verdicts are taken from the served tables, and so is what judges remember between epochs: what a judge says is not said
again here. Everything that they lead to is: weights, payouts, the balance, cumulative totals, the claim root, the state
and its root, which is over what judges remember and over every record that is kept here.
"""

from __future__ import annotations

import formats
from admission import admit
from formats import EPOCH, EPOCH_FIELDS, OBSERVATION, PPM, REPORT, ROW_NAMES, STATEMENT, Malformed, Void
from names import claim_account, claim_domain, device_name, sha256
from policy import ENGINE_REVISION
from rewards import allocate
from state import CARRY, Carried, State, in_force, parse_snapshot, record_name
from strict_cbor import encode, shown, split
from trees import Frontier, claim_hash, claim_root, leaf_hash, root_of

# How many entries may follow the end of an epoch without its statement.
UNLOGGED_ENTRIES_MAX = 1_000
# How many epochs one entry may close.
EPOCHS_PER_ENTRY_MAX = 1_000_000
SCORED_CLASSES = {"sensing/1"}
# Judges that remember something between epochs.
REMEMBERING = {("sensing/1", 2)}


class Difference(Exception):
    """Where what is served differs from what the log implies."""

    def __init__(self, code, where, detail, expected="", found="", entry=None, epoch=None, device=None):
        super().__init__(f"{code}: {where}: {detail}")
        self.code, self.where, self.detail, self.expected, self.found = code, where, detail, expected, found
        self.entry, self.epoch, self.device = entry, epoch, device

    def as_dict(self):
        """The difference as a JSON object."""
        return {name: value for name, value in vars(self).items() if value is not None}


def others(records):
    """The records that are not what judges remember."""
    return [record for record in records if not record.startswith(encode([CARRY, b"", b""])[:2])]


class Replay:
    """The fold of the entries so far, held against the tables of a source."""

    def __init__(self, source, logged, on_epoch):
        self.source, self.on_epoch = source, on_epoch
        self.logged = logged  # the epoch statements in the log by number, none of them checked yet
        self.state, self.frontier = State(), Frontier()
        self.reports = {}  # every accepted report by index
        self.open = {}  # those that wait, by the epoch that will judge them
        self.recent = {}  # those that epochs of the lookback judged, by epoch
        self.paid_slots = set()
        self.as_served = {"verdicts": 0, "carry": 0}  # rows and records that were not recomputed
        self.closed_at, self.statements = {}, []
        self.counts = {"entries": 0, "reports": 0, "statements": 0, "observations": 0, "epoch_statements": 0}
        self.signatures = 0
        self.void = {}

    def push(self, data):
        """Folds the next entry."""
        index = self.frontier.size
        try:
            kind, received_ms, body = formats.parse_entry(data)
        except Malformed as error:
            raise Difference("LOG-ENTRY", f"entry {index}", str(error), entry=index) from None
        if received_ms < self.state.received_ms:
            detail = "the sequencer's time went back"
            expected = f"{self.state.received_ms} ms or later"
            raise Difference("LOG-TIME", f"entry {index}", detail, expected, f"{received_ms} ms", entry=index)
        self.bound_epochs(index, received_ms)
        while self.state.network is not None and received_ms >= self.state.closes_ms():
            self.miss_statements(index)
            self.close_epoch(index)
        self.state.received_ms = received_ms
        self.count(kind)
        try:
            accepted = admit(self.state, index, kind, received_ms, body)
            if accepted is not None:
                self.reports[index] = accepted
                self.open.setdefault(accepted.epoch, []).append(accepted)
            self.signatures += (
                len(formats.Statement(body).signed) if kind == STATEMENT else kind in (REPORT, OBSERVATION)
            )
        except Void as void:
            if index == 0 or kind == EPOCH:
                raise self.wrong(index, kind, body, void) from None
            self.void.setdefault(void.code, []).append((index, void.detail))
            self.signatures += void.code == "RPT-SIGNATURE"
        self.frontier.push(leaf_hash(data))

    def bound_epochs(self, index, received_ms):
        """Refuses a time of receipt that would keep every reader busy with empty epochs."""
        if self.state.network is not None:
            due = (received_ms - self.state.closes_ms()) // self.state.genesis["epoch_ms"]
            if due > EPOCHS_PER_ENTRY_MAX:
                detail = f"its time of receipt would close more than {EPOCHS_PER_ENTRY_MAX} epochs at once"
                raise Difference("LOG-TIME", f"entry {index}", detail, entry=index)

    def count(self, kind):
        """Counts an entry."""
        names = {REPORT: "reports", STATEMENT: "statements", OBSERVATION: "observations", EPOCH: "epoch_statements"}
        self.counts["entries"] += 1
        self.counts[names[kind]] += 1

    def wrong(self, index, kind, body, void):
        """A void entry that no log may hold: a genesis, or an epoch statement that the log does not imply."""
        where = f"entry {index}, {'an epoch statement' if kind == EPOCH else 'genesis'}"
        if void.code == "EPO-DIFFERS":
            number = formats.parse_epoch(body)["number"]
            return first_difference(where, self.state.unlogged[number], body, epoch=number, entry=index)
        return Difference(void.code, where, void.detail, entry=index)

    def miss_statements(self, to):
        """An epoch that ends while the statement of an earlier one is not logged; one entry may end several."""
        for epoch in self.state.unlogged:
            if self.closed_at[epoch] < to:
                detail = f"its statement is not logged when epoch {self.state.epoch} ends"
                raise Difference("EPO-MISSING", f"epoch {epoch}", detail, epoch=epoch)

    def finish(self):
        """After the last entry: the statements of all epochs are logged, but for those that just closed."""
        for epoch in self.state.unlogged:
            since = self.frontier.size - self.closed_at[epoch]
            if since > UNLOGGED_ENTRIES_MAX:
                detail = f"its statement is not in the {since} entries after its end"
                raise Difference("EPO-MISSING", f"epoch {epoch}", detail, epoch=epoch)

    # Closing an epoch.

    def close_epoch(self, to):
        """Recomputes the open epoch from its verdicts, compares what is served, and moves the state past it."""
        state, epoch, policy = self.state, self.state.epoch, self.state.policy()
        fresh = self.open.pop(epoch, [])
        rows, verdicts = self.verdicts(epoch, policy, to)
        classes = (
            [
                self.summary(schema, revision, rows, verdicts)
                for schema, revision in sorted(policy.classes.items())
                if state.profile(schema) is not None
            ]
            if policy
            else []
        )
        payouts, pools, totals = [], [], {}
        balance = dict.fromkeys(formats.BALANCE, 0)
        if policy:
            try:
                payouts, pools, balance, totals = allocate(
                    policy, epoch, state.start_ms(epoch), state.books(), verdicts
                )
            except Malformed as error:
                raise Difference("RWD-CLOSE", f"epoch {epoch}", str(error), epoch=epoch) from None
            state.minted += balance["minted"]
            state.unallocated = balance["unallocated"]
            state.deposited = 0
        for account, units in totals.items():
            state.cumulative[account] = state.cumulative.get(account, 0) + units
        self.move_reports(epoch, fresh)
        previous, first = state.previous, state.first
        state.epoch, state.first = epoch + 1, to
        served = self.carry(epoch, policy)
        state.carry = served or []
        records = state.records()
        self.check_carry(epoch, policy, served, records)
        self.as_served["verdicts"] += len(rows)
        self.as_served["carry"] += len(state.carry)
        statement = formats.encode_epoch(
            {
                "network": state.network,
                "number": epoch,
                "range": [first, to],
                "log_root": self.frontier.root(),
                "previous": previous,
                "policy_hash": policy.hash if policy else bytes(32),
                "engine_revision": ENGINE_REVISION,
                "classes": classes,
                "pools": pools,
                "payout_root": root_of(payouts),
                "assets": [[policy.symbol if policy else ""] + [balance[name] for name in formats.BALANCE]],
                "domains": self.claims(),
                "state_root": root_of(records),
                "rehearsed": state.genesis["rehearsed"],
            }
        )
        self.compare(epoch, policy, payouts, statement, records)
        state.previous = sha256(statement)
        state.unlogged[epoch] = statement
        self.closed_at[epoch] = to
        self.statements.append(statement)
        self.on_epoch(epoch, first, to, statement, len(rows), len(payouts), balance)

    def move_reports(self, epoch, fresh):
        """Judged reports wait no longer, but for those with readings of the next epoch, which pays them, and those denied."""
        state, ends_ms = self.state, self.state.start_ms(epoch + 1)
        policy = in_force(state.policies, epoch + 1)
        oldest = epoch - (policy.late_epochs if policy else 0)
        state.pending = {
            key: held for key, held in state.pending.items() if key[0] > epoch or (held[1] and key[0] >= oldest)
        }
        for report in fresh + [report for reports in self.recent.values() for report in reports]:
            if report.last_ms >= ends_ms:
                state.pending[epoch + 1, report.index] = (report.account, report.denied)
        runs = []
        for report in fresh:
            if runs and sum(runs[-1]) == report.index:
                runs[-1][1] += 1
            else:
                runs.append([report.index, 1])
        state.judged[epoch], self.recent[epoch] = runs, fresh
        state.judged = {number: held for number, held in state.judged.items() if number >= oldest}
        self.recent = {number: held for number, held in self.recent.items() if number >= oldest}

    def claims(self):
        """Per settlement chain: what may be claimed on it, over everything ever granted."""
        domains = []
        for domain, raw in sorted(self.state.domains.items()):
            accounts = {name: units for name, units in self.state.cumulative.items() if name.startswith(domain + ":")}
            word = claim_domain(domain)
            hashes = [claim_hash(word, raw[2], claim_account(name), units) for name, units in accounts.items()]
            domains.append([domain, raw[2], claim_root(hashes), len(hashes), sum(accounts.values())])
        return domains

    def summary(self, schema, revision, rows, verdicts):
        """What one class's judge said."""
        of_class = [(row, verdict) for row, verdict in zip(rows, verdicts) if verdict["class"] == schema]
        passed = sum(verdict["amount"] > 0 and verdict["score_ppm"] == PPM for _, verdict in of_class)
        root = root_of(row for row, _ in of_class)
        return [schema, revision, sha256(self.state.profile(schema)), len(of_class), passed, root, 0]

    # What is served.

    def verdicts(self, epoch, policy, to):
        """The served verdicts of an epoch: rows and what they say, each held against the entries that it rests on."""
        rows = self.table(epoch, "verdicts", needed=policy is not None) or []
        verdicts = []
        for at, data in enumerate(rows):
            where = f"epoch {epoch}, verdict {at}"
            try:
                verdict = formats.parse_verdict(data)
            except Malformed as error:
                raise Difference("TBL-FORM", where, str(error), epoch=epoch) from None
            if at and rows[at - 1] >= data:
                raise Difference("TBL-ORDER", where, "rows repeat or stand out of order", epoch=epoch)
            verdicts.append(verdict)
        self.check_verdict_roots(epoch, rows, verdicts)
        for at, verdict in enumerate(verdicts):
            self.check_verdict(epoch, policy, to, verdict, f"epoch {epoch}, verdict {at}")
        return rows, verdicts

    def check_verdict_roots(self, epoch, rows, verdicts):
        """Whether the table is the one that the logged statement has the roots of: else the table was changed."""
        for schema, _, _, _, _, stated, _ in self.logged[epoch]["classes"] if epoch in self.logged else ():
            found = root_of(row for row, verdict in zip(rows, verdicts) if verdict["class"] == schema)
            if found != stated:
                where = f"epoch {epoch}, the verdicts of {schema}"
                detail = "the served table is not under the verdict root of the logged epoch statement"
                raise Difference("TBL-VERDICT", where, detail, stated.hex(), found.hex(), epoch=epoch)

    def check_verdict(self, epoch, policy, to, verdict, where):
        """A verdict rests on valid reports of its device, names the account of the first, and pays for a slot once."""
        schema, device = verdict["class"], verdict["device"]

        def refuse(detail, expected="", found=""):
            name = device_name(device)
            raise Difference("VRD-BASIS", where, detail, expected, found, epoch=epoch, device=name)

        if policy is None or schema not in policy.classes or self.state.profile(schema) is None:
            refuse(f"class {schema} is not judged in this epoch")
        entries = verdict["entries"]
        if not entries or entries != sorted(set(entries)):
            refuse("the entries judged ascend, and there is one")
        for index in entries:
            report = self.reports.get(index)
            if report is None or report.device != device or report.schema != schema:
                refuse(f"entry {index} is no valid report of the device")
            if report.epoch > epoch or index >= to:
                refuse(f"entry {index} belongs to a later epoch")
        account = self.reports[entries[0]].account
        if verdict["account"] != account:
            refuse("it is paid to another account than its first report's", account, verdict["account"])
        lost_ppm = sum(reason["lost_ppm"] for reason in verdict["reasons"])
        if schema in SCORED_CLASSES and verdict["amount"] and verdict["score_ppm"] != PPM - lost_ppm:
            refuse("the parts lost do not add up to the score", f"{PPM - lost_ppm} ppm", f"{verdict['score_ppm']} ppm")
        for index in (index for reason in verdict["reasons"] for index in reason["evidence"]):
            if index >= to:
                refuse(f"evidence {index} lies after the epoch's end")
        slot = (schema, device, verdict["slot_ms"], verdict["subject"])
        if verdict["amount"] * verdict["score_ppm"] >= PPM:
            if slot in self.paid_slots:
                refuse(f"the slot at {verdict['slot_ms']} ms is paid twice")
            self.paid_slots.add(slot)

    def carry(self, epoch, policy):
        """The served records of what judges remember after an epoch, each of a judge of the epoch; `None` if not served."""
        rows = self.table(epoch, "carry", needed=False)
        for at, data in enumerate(rows or []):
            where = f"epoch {epoch}, carry {at}"
            try:
                carried = Carried(data)
            except Malformed as error:
                raise Difference("TBL-FORM", where, str(error), epoch=epoch) from None
            if at and rows[at - 1] >= data:
                raise Difference("TBL-ORDER", where, "records repeat or stand out of order", epoch=epoch)
            judge, found = policy.classes.get(carried.schema) if policy else None, carried.revision
            if judge != found or (carried.schema in SCORED_CLASSES and carried.key not in self.state.devices):
                detail = f"no judge of this epoch remembers {carried.key.hex()} of {carried.schema}, revision {found}"
                raise Difference("TBL-CARRY", where, detail, epoch=epoch)
        return rows

    def check_carry(self, epoch, policy, served, records):
        """Whether the memory served is the one under the state root of the logged statement; where it is not, says so as
        far as it can be told."""
        if epoch not in self.logged or self.logged[epoch]["state_root"] == root_of(records):
            return
        if served is None and policy and REMEMBERING & set(policy.classes.items()):
            detail = "it is not served, and without what judges remember the state does not have its root"
            raise Difference("TBL-MISSING", f"epoch {epoch}, carry", detail, epoch=epoch)
        # A snapshot under the stated root knows which records are the right ones.
        data = self.source.table(epoch, "snapshot")
        try:
            stated = parse_snapshot(data)[1] if data is not None else []
        except Malformed:
            return
        same = others(stated) == others(records)
        if root_of(stated) == self.logged[epoch]["state_root"] and same:
            detail = "the served records are not the ones under the state root of the logged epoch statement"
            raise Difference("TBL-CARRY", f"epoch {epoch}, carry", detail, epoch=epoch)

    def table(self, epoch, name, needed):
        """The rows of a served table."""
        data = self.source.table(epoch, name)
        if data is None and needed:
            detail = "it is not served: export the log with its tables, or check the log alone with --log-only"
            raise Difference("TBL-MISSING", f"epoch {epoch}, {name}", detail, epoch=epoch)
        try:
            return split(data) if data is not None else None
        except Malformed as error:
            raise Difference("TBL-FORM", f"epoch {epoch}, {name}", str(error), epoch=epoch) from None

    def compare(self, epoch, policy, payouts, statement, records):
        """Holds the recomputed rows, statement, policy and records against those served."""
        served = self.table(epoch, "payouts", needed=False)
        if served is not None and served != payouts:
            raise rows_difference(f"epoch {epoch}, payout", payouts, served, epoch)
        found = self.source.table(epoch, "statement")
        if found is not None and found != statement:
            raise first_difference(f"epoch {epoch}, the served statement", statement, found, epoch=epoch)
        found = self.source.table(epoch, "policy")
        if found is not None and (policy is None or found != policy.document):
            detail = "it is not the policy that the log has for this epoch"
            values = policy.hash.hex() if policy else "none", sha256(found).hex()
            raise Difference("TBL-POLICY", f"epoch {epoch}, the policy", detail, *values, epoch=epoch)
        found = self.source.table(epoch, "snapshot")
        if found is not None:
            self.compare_snapshot(epoch, statement, records, found)

    @staticmethod
    def compare_snapshot(epoch, statement, records, data):
        """Holds the recomputed records against a served snapshot."""
        where = f"epoch {epoch}, the snapshot"
        try:
            served_statement, served = parse_snapshot(data)
        except Malformed as error:
            raise Difference("TBL-FORM", where, str(error), epoch=epoch) from None
        if served_statement != statement:
            raise first_difference(where, statement, served_statement, epoch=epoch)
        for at in range(max(len(records), len(served))):
            expected, found = (rows[at] if at < len(rows) else b"" for rows in (records, served))
            if expected != found:
                name = record_name(expected or found)
                detail = f"record {at} ({name}) differs"
                raise Difference("SNP-DIFFERS", where, detail, shown(expected, 200), shown(found, 200), epoch=epoch)


def logged_statements(entries):
    """The first epoch statement of each number in the log, none of them checked."""
    logged = {}
    for data in entries:
        try:
            kind, _, body = formats.parse_entry(data)
            if kind == EPOCH:
                statement = formats.parse_epoch(body)
                logged.setdefault(statement["number"], statement)
        except Malformed:
            pass  # The replay names it when it comes there.
    return logged


def rows_difference(where, expected, found, epoch):
    """The first payout row that differs."""
    for at in range(max(len(expected), len(found))):
        mine, theirs = (rows[at] if at < len(rows) else b"" for rows in (expected, found))
        if mine != theirs:
            device = None
            try:
                paid = formats.parse_payout(mine or theirs)
                device = device_name(paid["device"]) if paid["device"] else None
            except Malformed:
                pass
            detail = "the row is not what the verdicts and the policy give"
            words = payout_words(mine), payout_words(theirs)
            return Difference("TBL-PAYOUT", f"{where} {at}", detail, *words, epoch=epoch, device=device)
    raise AssertionError("rows that are equal do not differ")


def payout_words(data):
    """A payout row in words."""
    if not data:
        return "no row"
    try:
        paid = formats.parse_payout(data)
        return f"{paid['amount']} to {paid['account']} from {paid['pool']} by weight {paid['weight']}"
    except Malformed as error:
        return str(error)


def first_difference(where, expected, found, **about):
    """The first field of an epoch statement that differs."""
    try:
        mine, theirs = formats.parse_epoch(expected), formats.parse_epoch(found)
    except Malformed as error:
        return Difference("EPO-FORM", where, str(error), **about)
    for name, _ in EPOCH_FIELDS.values():
        if mine[name] != theirs[name]:
            path, mine, theirs = narrowed(name, mine[name], theirs[name])
            return Difference("EPO-DIFFERS", where, f"{path} differs", words(mine), words(theirs), **about)
    return Difference("EPO-DIFFERS", where, "the bytes differ", shown(expected), shown(found), **about)


def narrowed(name, mine, theirs):
    """Goes into rows until single values differ."""
    path, names = name, ROW_NAMES.get(name, ())
    while type(mine) is list and type(theirs) is list and len(mine) == len(theirs):
        at = next(at for at in range(len(mine)) if mine[at] != theirs[at])
        is_row = names and type(mine[at]) is not list
        path += f".{names[at]}" if is_row else f"[{at}]"
        mine, theirs = mine[at], theirs[at]
    return path, mine, theirs


def words(value):
    """A value for people: hashes in hexadecimal."""
    return value.hex() if type(value) is bytes else str(value)
