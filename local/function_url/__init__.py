"""A Lambda Function URL on this machine: HTTP in, sandboxes that freeze between requests, streamed bytes out.

It speaks to a function the way Lambda does, over the Runtime API, and knows nothing of what the function serves.

What it keeps to: one request per sandbox, cold starts on demand, SIGSTOP between invocations, 6 MB in (counted on the
event), 200 MB out when streamed and 6 MB when buffered, the function's timeout with the sandbox killed at the deadline,
10 s for the init phase, 429 when every sandbox is busy, preflights answered without the function.

What a client sees when things go wrong: 502 if the function failed before its answer began, a connection cut without
the last chunk if it failed in the middle. A client that leaves does not stop the function: the rest of the answer is
drained and billed, as on AWS.

The same for an API Gateway REST API (`Door.REST_API`), whose proxy integration may stream, too.

What it leaves out: the 2 MB/s cap after the first 6 MB of a stream, the memory limit (the peak is reported, not
enforced), TLS, IAM authentication, and the second try that AWS gives a failed init phase.
"""

from local.function_url.cors import Cors
from local.function_url.function import Door, Function, InvocationOutcome, InvokeMode, Report
from local.function_url.server import FunctionUrl

__all__ = ["Cors", "Door", "Function", "FunctionUrl", "InvocationOutcome", "InvokeMode", "Report"]
