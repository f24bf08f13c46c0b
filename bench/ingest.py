"""How fast webhooks are received, proven, encrypted and put on disk before they are answered.

    python -m bench.ingest                all of it (about 15 minutes)
    python -m bench.ingest --quick        one short round of each
    python -m bench.ingest --only open    one part: closed, slow, open, growth
    python -m bench.ingest --processes 2  with so many web processes on one address

Rounds of the variants alternate, so that a noisy machine hurts them alike: read the ratios of one
run. `others` is the share of the machine that processes outside the benchmark used meanwhile.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys

from bench.fill import fill
from bench.house import STORES, one_round

DISTURBERS = {
    "sqlite": (("bench.disturb", "writer"), ("bench.disturb", "backup")),
    "postgresql": (("bench.disturb", "writer"),),
}
COLUMNS = ("per_second", "p50_ms", "p99_ms", "p999_ms", "max_ms", "server_us", "others")


class Table:
    """Rounds by name, printed as they come and summed up by medians."""

    def __init__(self, title):
        self.rounds = {}
        print(f"\n## {title}\n\n{'':26}" + "".join(f"{name:>11}" for name in COLUMNS), flush=True)

    def add(self, name, found):
        bad = {k: v for k, v in found["statuses"].items() if k != "200"}
        note = f"  {bad}" if bad else ""
        note += "  the generator ran out of requests" if found["ran_out"] else ""
        print(f"{name:26}" + "".join(f"{found[c]:>11}" for c in COLUMNS) + note, flush=True)
        self.rounds.setdefault(name, []).append(found)

    def median(self, name, column="per_second"):
        return statistics.median(found[column] for found in self.rounds[name])

    def ratios(self, over, under):
        return [
            a["per_second"] / b["per_second"]
            for a, b in zip(self.rounds[over], self.rounds[under], strict=True)
        ]


def closed(options):
    """64 connections, each sends as soon as it is answered; against the same without the commit."""
    table = Table("Closed loop, 64 connections")
    for store in options.stores:
        with STORES[store]() as site:
            for _ in range(options.rounds):
                for variant in ("control", "full"):
                    table.add(f"{store} {variant}", one_round(site, variant, **options.load))
        ratios = table.ratios(f"{store} full", f"{store} control")
        said = ", ".join(f"{ratio:.0%}" for ratio in ratios)
        print(
            f"{store}: {table.median(f'{store} full'):,.0f}/s; of the control: {said} (bar: 50 %)"
        )


def slow(options):
    """5 ms more for each transaction, as on a slower disk (bar: 2,500/s)."""
    table = Table("Closed loop, 64 connections, 5 ms added to each commit")
    for store in options.stores:
        with STORES[store]() as site:
            for _ in range(options.rounds):
                table.add(store, one_round(site, "slow-commit", **options.load))
        print(f"{store}: {table.median(store):,.0f}/s (bar: 2,500/s)")


def open_loop(options):
    """3,000/s whatever the answers do, beside a worker's transactions and an online backup."""
    load = {**options.load, "rate": 3000, "connections": 256, "seconds": options.seconds * 2}
    load["count"] = int(3000 * (load["seconds"] + load["warmup"])) + 3000
    table = Table("Open loop at 3,000/s, latency from the moment a request was due")
    for store in options.stores:
        with STORES[store]() as site:
            for _ in range(options.rounds):
                table.add(f"{store} alone", one_round(site, "full", **load))
                found = one_round(site, "full", disturbers=DISTURBERS[store], **load)
                table.add(f"{store} disturbed", found)
        p99 = table.median(f"{store} disturbed", "p99_ms")
        p999 = table.median(f"{store} disturbed", "p999_ms")
        print(f"{store}, disturbed: p99 {p99} ms, p99.9 {p999} ms (bars: 25 ms, 150 ms)")


def growth(options):
    """The closed loop on an empty store and on one with a million events (bar: within 20 %)."""
    table = Table(f"Closed loop, empty and with {options.events:,} events")
    for store in options.stores:
        with contextlib.ExitStack() as sites:
            empty = sites.enter_context(STORES[store]())
            grown = sites.enter_context(STORES[store]())
            fill(grown, options.events)
            for _ in range(options.rounds):
                table.add(f"{store} empty", one_round(empty, "full", **options.load))
                table.add(f"{store} grown", one_round(grown, "full", **options.load))
        said = ", ".join(f"{r:.0%}" for r in table.ratios(f"{store} grown", f"{store} empty"))
        print(f"{store}: grown of empty: {said} (bar: 80 %)")


PARTS = {"closed": closed, "slow": slow, "open": open_loop, "growth": growth}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="one part; may be repeated")
    parser.add_argument("--store", choices=STORES, action="append", help="one store")
    parser.add_argument("--processes", type=int, default=1, help="web processes on one address")
    parser.add_argument("--core", help="core to keep the server on; else it may use them all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each round")
    parser.add_argument("--events", type=int, default=1_000_000, help="for growth")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s, 20,000 events")
    options = parser.parse_args()
    if options.core:
        os.environ["BENCH_SERVER_CORE"] = options.core
    options.stores = options.store or list(STORES)
    if options.quick:
        options.rounds, options.seconds, options.events = 1, 2, 20_000
    options.load = {
        "processes": options.processes,
        "connections": 64,
        "seconds": options.seconds,
        "warmup": 1,
        "count": int(20_000 * (options.seconds + 1)),
    }
    print(f"python -m bench.ingest {' '.join(sys.argv[1:])}  {json.dumps(options.load)}")
    for name in options.only or PARTS:
        PARTS[name](options)


if __name__ == "__main__":
    main()
