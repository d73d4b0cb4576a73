"""From verdicts to payouts, revision 1. Integers only; every division is a floor; every remainder has a named place."""

from __future__ import annotations

from formats import PPM, Malformed, encode_payout

BITS_128 = 1 << 128


def allocate(policy, epoch, epoch_start_ms, books, verdicts):
    """An epoch's payout rows (canonical bytes, sorted), pools, balance, and what each account gets.

    `books` is what the epoch found: `minted` by all epochs before, `unallocated` and `escrow` at the end of the last, and
    what was `deposited` in this one.
    """
    minted = policy.minted(epoch, books["minted"])
    pot = books["unallocated"] + minted
    if pot >= BITS_128:
        raise Malformed("the epoch's pot passes 128 bits")
    payouts, pools, left = [], [], pot
    for pool in policy.pools:
        devices = tally(policy, pool["class"], epoch_start_ms, verdicts)
        size = pot * pool["share_ppm"] // PPM
        rows, weight_total, count = share_out(pool, size, devices)
        paid = sum(row["amount"] for row in rows)
        pools.append([pool["name"], size, weight_total, count, paid, len(rows)])
        payouts += rows
        left -= paid
    balance = dict.fromkeys(("refunded", "vesting", "burned", "unallocated"), 0)
    escrow = books["escrow"] + books["deposited"]
    balance.update(opening=books["unallocated"] + books["escrow"], deposited=books["deposited"], escrow=escrow)
    balance.update(minted=minted, paid=pot - left)
    name, to = policy.residual["name"], policy.destination()
    residual = [name, left, 0, 0, 0, 0]
    if to == "burn":
        balance["burned"] = left
    elif to == "next-epoch":
        balance["unallocated"] = left
    else:
        balance["paid"], residual[4] = pot, left
        if left:
            residual[5] = 1
            payouts.append({"account": to, "device": b"", "pool": name, "weight": 0, "amount": left})
    pools.append(residual)
    check_balance(balance)
    totals = {}
    for payout in payouts:
        totals[payout["account"]] = totals.get(payout["account"], 0) + payout["amount"]
    return sorted(map(encode_payout, payouts)), pools, balance, totals


def tally(policy, schema, epoch_start_ms, verdicts):
    """Per device: what it delivered for each account as [weight after the late factor, amount]."""
    devices = {}
    for verdict in verdicts:
        if verdict["class"] != schema:
            continue
        weight = verdict["amount"] * verdict["score_ppm"] // PPM
        if verdict["slot_ms"] < epoch_start_ms:
            weight = weight * policy.late_ppm // PPM
        accounts = devices.setdefault(verdict["device"], {})
        row = accounts.setdefault(verdict["account"], [0, 0])
        row[0] += weight
        row[1] += verdict["amount"]
    return devices


def share_out(pool, size, devices):
    """The rows of a pool of `size`, the weight it is shared by, and the number of devices."""
    sharing = []
    for device, accounts in devices.items():
        weight = sum(row[0] for row in accounts.values())
        delivered = sum(row[1] for row in accounts.values())
        qualifies = pool["rule"] == "pro-rata" or weight * PPM >= pool["min_score_ppm"] * delivered
        if weight > 0 and qualifies:
            if weight >= 1 << 63:
                raise Malformed("a device's weight passes 63 bits")
            sharing.append((device, weight, accounts))
    weight_total, rows = sum(weight for _, weight, _ in sharing), []
    for device, weight, accounts in sharing:
        part = size * weight // weight_total if pool["rule"] == "pro-rata" else size // len(sharing)
        if pool["cap"] is not None:
            part = min(part, pool["cap"])
        for account, (own, _) in accounts.items():
            units = part * own // weight
            if units:
                rows.append(
                    {"account": account, "device": device, "pool": pool["name"], "weight": own, "amount": units}
                )
    return rows, weight_total, len(sharing)


def check_balance(balance):
    """`opening + minted + deposited = paid + refunded + burned + closing`."""
    came = sum(balance[name] for name in ("opening", "minted", "deposited"))
    went = sum(balance[name] for name in ("paid", "refunded", "burned", "escrow", "vesting", "unallocated"))
    if came >= BITS_128:
        raise Malformed("a side of the epoch's balance passes 128 bits")
    if came != went:
        raise Malformed(f"the epoch does not balance: {came} against {went}")
