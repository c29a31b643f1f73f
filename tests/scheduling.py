"""Which tests go to the same worker of pytest-xdist.

A file stays in one worker, so that what its module makes is made once. What starts many processes or measures times
runs one after the other, in one worker, beside the rest in others. pytest-xdist's own groups would say so by a mark,
which it writes into the test's id; pytest 9 has ids that can't be written (seen with 3.8.0 and 9.2.0).
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

ONE_AFTER_THE_OTHER = ("e2e/", "soak/", "layers/", "local/bench/")


class FilesTogether(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0].removeprefix("tests/")
        return "one after the other" if path.startswith(ONE_AFTER_THE_OTHER) else path
