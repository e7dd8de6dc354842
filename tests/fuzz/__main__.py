"""Open-ended fuzzing by hand: batches of mutations in child processes, so that a crash of one is seen and passed over.

python -m tests.fuzz --mutations 1000000 --start 0 --kind bytes --jobs 2
"""

import argparse
import collections
import multiprocessing
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection

from tests.fuzz.attempt import Failure, attempt
from tests.fuzz.mutations import KINDS

BATCH = 500
GIBIBYTE = 1 << 30


def work(kind: str, numbers: range, limit: int, pipe: Connection) -> None:
    """Try the mutations of a batch; send each number before it is tried, and what failed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (limit * GIBIBYTE, limit * GIBIBYTE))
    for number in numbers:
        pipe.send(number)
        failure = attempt(kind, number)
        if failure is not None:
            pipe.send(tuple(failure))
    pipe.send(None)


class Batch:
    """A child process and what it has told so far."""

    def __init__(self, kind: str, numbers: range, limit: int) -> None:
        self.kind = kind
        self.numbers = numbers
        self.at = numbers.start
        self.seen = time.monotonic()
        self.pipe, child = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(target=work, args=(kind, numbers, limit, child), daemon=True)
        self.process.start()
        child.close()

    def heard(self) -> tuple[list[Failure], bool]:
        """What the child has found since the last time, and whether it is done; a crash is found, too."""
        found: list[Failure] = []
        try:
            while self.pipe.poll(0.02):
                told = self.pipe.recv()
                self.seen = time.monotonic()
                if told is None:
                    self.process.join()
                    return found, True
                if isinstance(told, int):
                    self.at = told
                else:
                    found.append(Failure(*told))
        except EOFError:
            self.process.join()
            found.append(Failure(self.kind, self.at, f"the process ended with {self.process.exitcode}", ""))
            return found, True
        if time.monotonic() - self.seen > 120:
            self.process.kill()
            self.process.join()
            found.append(Failure(self.kind, self.at, "hangs where no signal reaches it", ""))
            return found, True
        return found, False


def main() -> int:
    """Run, print what was found once for each place, exit 1 if anything was. Ctrl-C ends it with the sum."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long, with the sum")
    parser.add_argument("--memory", type=int, default=4, help="address space of a child, in GiB")
    wanted = parser.parse_args()
    kinds = wanted.kind or list(KINDS)
    share = -(-wanted.mutations // len(kinds))
    waiting = collections.deque(
        (kind, range(at, min(at + BATCH, wanted.start + share)))
        for at in range(wanted.start, wanted.start + share, BATCH)
        for kind in kinds
    )
    multiprocessing.set_start_method("fork")
    running: list[Batch] = []
    places: collections.Counter[tuple[str, str]] = collections.Counter()
    done, start = 0, time.monotonic()
    try:
        while (waiting or running) and time.monotonic() - start < wanted.seconds:
            while waiting and len(running) < wanted.jobs:
                kind, numbers = waiting.popleft()
                running.append(Batch(kind, numbers, wanted.memory))
            for batch in list(running):
                found, ended = batch.heard()
                for failure in found:
                    key = (failure.where or failure.what, failure.what.partition(":")[0])
                    places[key] += 1
                    if places[key] == 1:
                        print(f"{failure.kind} {failure.number}: {failure.what}\n    {failure.where}", flush=True)
                if ended:
                    running.remove(batch)
                    done += batch.at + 1 - batch.numbers.start
                    if batch.at + 1 < batch.numbers.stop:
                        waiting.appendleft((batch.kind, range(batch.at + 1, batch.numbers.stop)))
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        for batch in running:
            done += batch.at - batch.numbers.start
            batch.process.kill()
            batch.process.join()
    seconds = time.monotonic() - start
    print(f"{done:,} mutations in {seconds:,.0f} s: {sum(places.values()):,} failures at {len(places)} places")
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
