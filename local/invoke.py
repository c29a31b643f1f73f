"""`python -m local.invoke package.module.function`: one invocation of an ordinary handler, as Lambda would make it.

The event comes as JSON on stdin, the result goes as JSON to stdout. The caller ends the process at the deadline.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
import uuid
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Context:
    """The members of Lambda's context object that handlers use."""

    deadline: float
    function_name: str
    memory_limit_in_mb: str
    invoked_function_arn: str
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def main(argv: list[str] | None = None) -> int:
    """Returns 1 if the handler raised; its traceback is on stderr."""
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description=__doc__)
    parser.add_argument("handler")
    parser.add_argument("--timeout-seconds", type=float, required=True)
    options = parser.parse_args(argv)
    deadline = time.monotonic() + options.timeout_seconds
    module, _, name = options.handler.rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    context = Context(
        deadline=deadline,
        function_name=function,
        memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        invoked_function_arn=f"arn:aws:lambda:{os.environ['AWS_REGION']}:123456789012:function:{function}",
    )
    # The function's log goes to stderr, so that stdout is the result alone.
    result_stream, sys.stdout = sys.stdout, sys.stderr
    result = handler(json.load(sys.stdin), context)
    json.dump(result, result_stream)
    result_stream.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
