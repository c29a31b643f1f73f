"""`python -m reverse`."""

import sys

from reverse.terminal.main import main

if __name__ == "__main__":
    sys.exit(main())
