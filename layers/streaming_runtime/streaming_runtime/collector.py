"""The garbage collector while the application starts: what is made then stays, and looking for garbage is in vain.

Importing an application makes tens of thousands of objects. The collector, which comes again after every few hundred
of them, takes a tenth of the processor time of a start.
"""

import gc

# Not never: a start that does make garbage must not run out of memory.
_STARTING = (200_000, 10, 10)
# The thresholds of this process, while others are in force.
_usual: list[tuple[int, int, int]] = []


def spare_start_up() -> None:
    """Collect seldom until `end_start_up`."""
    if not _usual:
        _usual.append(gc.get_threshold())
        gc.set_threshold(*_STARTING)


def end_start_up() -> None:
    """Collect as usual, and not what is there by now. Thresholds that the application has set itself stay."""
    gc.freeze()
    if _usual:
        usual = _usual.pop()
        if gc.get_threshold() == _STARTING:
            gc.set_threshold(*usual)
