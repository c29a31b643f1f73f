"""`python -m poegw`."""

from poegw.main import main

main()
