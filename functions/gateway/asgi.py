"""The module-level application, for servers and for Lambda; nothing else imports it.

`handler` is what Lambda calls: the streaming runtime takes the application out of it, AWS's own runtime calls it and
gets buffered answers. There Mangum would run the lifespan around every invocation and so close warm connections.
"""

import os

from mangum import Mangum

from gateway.app import create_app

# The template sets it for the streaming runtime; elsewhere nothing is prepared ahead.
is_deployed = bool(os.environ.get("AWS_LAMBDA_EXEC_WRAPPER"))
app = create_app(is_deployed=is_deployed)
handler = Mangum(app, lifespan="on" if is_deployed else "off")
