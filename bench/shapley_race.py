"""One race: whyglass on a whole batch, peers on as many of its rows as is bearable, cost of the batch compared turn by turn."""

from __future__ import annotations

import itertools
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from harness import Job, seconds, take_turns

HEAD = [
    "case",
    "against",
    "asked",
    "reached",
    "met",
    "in single turns",
    "turns",
    "rows",
    "whyglass, a row",
    "peer, a row",
    "answers differ by",
]
LONGEST = 120.0  # CPU seconds one race may take, by what one turn of it took; it then has fewer turns, at least one
Explain = Callable[[np.ndarray], np.ndarray]


@dataclass
class Peer:
    """Somebody else who explains the same rows.

    Attributes:
        name: Who.
        explain: rows -> values of these rows.
        few: Rows explained each turn; the cost of the batch is scaled from them.
        asked: The ratio to reach; None when the line only informs.
        setup: What has to be done once a batch; counted when given.
        tolerance: By how much the answers may differ before the race is void.
    """

    name: str
    explain: Explain
    few: int
    asked: float | None
    setup: Job | None = None
    tolerance: float = 1e-7


@dataclass
class Race:
    """One case.

    Attributes:
        case: In words.
        rows: The batch.
        explain: whyglass: rows -> what is compared with the peers' answers.
        peers: Who else runs.
        others: More ways of whyglass, timed in the same turns and stated in the note.
    """

    case: str
    rows: np.ndarray
    explain: Explain
    peers: list[Peer]
    others: dict[str, Job] = field(default_factory=dict)


def settle() -> None:
    """Wait for helper threads, so that their work is not counted as anybody's."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and type(thread) is threading.Thread:
            thread.join(120)


def run(race: Race, turns: int) -> tuple[list[list[str]], str]:
    """Hold it: lines of the table and a sentence on the other ways."""
    try:
        ours = race.explain(race.rows)
    except Exception as error:  # noqa: BLE001  (a case that cannot be run is reported, and the others still run)
        said = " ".join(f"{type(error).__name__}: {error}".replace("|", "/").split())[:160]
        return [[race.case, p.name, _asked(p.asked), "not run", "no", said, *[""] * 5] for p in race.peers], ""
    settle()
    start = time.process_time()
    gaps = [float(np.abs(peer.explain(race.rows[: peer.few]) - ours[: peer.few]).max()) for peer in race.peers]
    jobs: dict[str, Job] = {"whyglass": lambda: race.explain(race.rows), **race.others}
    for peer in race.peers:
        jobs[peer.name] = _by_chunks(peer, race.rows)
        if peer.setup is not None:
            jobs[f"{peer.name}, set-up"] = peer.setup
    for name in ("whyglass", *race.others):
        jobs[name]()
    turns = max(1, min(turns, int(LONGEST / (time.process_time() - start)) - 1))
    cpu = take_turns(jobs, turns).cpu
    batch = len(race.rows)
    lines = []
    for peer, gap in zip(race.peers, gaps, strict=True):
        setups = cpu.get(f"{peer.name}, set-up", [0.0] * turns)
        theirs = [once + some * batch / peer.few for once, some in zip(setups, cpu[peer.name], strict=True)]
        ratios = sorted(t / o for t, o in zip(theirs, cpu["whyglass"], strict=True))
        reached = statistics.median(ratios)
        void = not gap <= peer.tolerance
        met = "" if peer.asked is None else "no" if void or reached < peer.asked else "yes"
        lines.append(
            [
                race.case,
                peer.name,
                _asked(peer.asked),
                "void" if void else f"**{times(reached)}**",
                met,
                f"{times(ratios[0])} to {times(ratios[-1])}",
                str(turns),
                f"{batch:,}" if peer.few == batch else f"{batch:,}; peer {peer.few:,}, scaled",
                seconds(statistics.median(cpu["whyglass"]) / batch),
                seconds(statistics.median(theirs) / batch),
                f"{gap:.0e}",
            ]
        )
        print(*lines[-1], sep=" | ", file=sys.stderr, flush=True)
    said = "; ".join(f"{name} {seconds(statistics.median(cpu[name]) / batch)} a row" for name in race.others)
    return lines, f"{race.case}: {said}." if said else ""


def times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.1f}x"


def _asked(asked: float | None) -> str:
    return "" if asked is None else f"{asked:,.0f}x"


def _by_chunks(peer: Peer, rows: np.ndarray) -> Job:
    """The peer's rows change from turn to turn, so that no lucky few stand for the batch."""
    starts = range(0, len(rows) - peer.few + 1, peer.few)
    chunks = itertools.cycle([rows[start : start + peer.few] for start in starts])
    return lambda: peer.explain(next(chunks))
