"""`python -m gemel` is `gemel`."""

from gemel.cli import main

main()
