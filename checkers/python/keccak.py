"""keccak256, as the EVM computes it (FIPS 202's permutation with the padding of the original submission)."""

from __future__ import annotations

MASK = (1 << 64) - 1
RATE = 136


def _round_constants():
    """The constants of iota, from the linear feedback shift register of FIPS 202, section 3.2.5."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if register & 1:
                constant |= 1 << ((1 << bit) - 1)
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    return constants


def _pi_lane():
    """The walk of rho and pi: which lane moves where, and how far it turns (sections 3.2.2 and 3.2.3)."""
    steps, x, y = [], 1, 0
    for time in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        steps.append((x + 5 * y, (time + 1) * (time + 2) // 2 % 64))
    return steps


ROUND_CONSTANTS = _round_constants()
PI_LANE = _pi_lane()


def _permute(a):
    for constant in ROUND_CONSTANTS:
        c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20]
        c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21]
        c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22]
        c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23]
        c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24]
        d = (
            c4 ^ ((c1 << 1 | c1 >> 63) & MASK),
            c0 ^ ((c2 << 1 | c2 >> 63) & MASK),
            c1 ^ ((c3 << 1 | c3 >> 63) & MASK),
            c2 ^ ((c4 << 1 | c4 >> 63) & MASK),
            c3 ^ ((c0 << 1 | c0 >> 63) & MASK),
        )
        a = [lane ^ d[at % 5] for at, lane in enumerate(a)]
        moving = a[1]
        for lane, turn in PI_LANE:
            moving, a[lane] = a[lane], (moving << turn | moving >> (64 - turn)) & MASK
        for row in (0, 5, 10, 15, 20):
            b0, b1, b2, b3, b4 = a[row : row + 5]
            a[row : row + 5] = (
                b0 ^ (~b1 & b2),
                b1 ^ (~b2 & b3),
                b2 ^ (~b3 & b4),
                b3 ^ (~b4 & b0),
                b4 ^ (~b0 & b1),
            )
        a[0] ^= constant
    return a


def keccak256(data):
    """The 32-byte digest."""
    padding = RATE - len(data) % RATE
    data += b"\x81" if padding == 1 else b"\x01" + bytes(padding - 2) + b"\x80"
    state = [0] * 25
    for start in range(0, len(data), RATE):
        block = data[start : start + RATE]
        for lane in range(RATE // 8):
            state[lane] ^= int.from_bytes(block[8 * lane : 8 * lane + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])
