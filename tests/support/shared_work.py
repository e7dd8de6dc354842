"""Work for processes that share items; it is imported quickly, since each process that is spawned does so."""

import os
import time


def square(number: int) -> int:
    """Ends its process at 5."""
    if number == 5:
        os._exit(1)
    return number * number


def where(number: int) -> int:
    return os.getpid()


def slowly(item: tuple[str, int]) -> int:
    """Returns when the folder has as many files."""
    while len(os.listdir(item[0])) < item[1]:
        time.sleep(0.005)
    return item[1]


def echo(item: bytes) -> bytes:
    """Returns as much as it is given."""
    return item
