"""Lets `python -m keywatch` be the `keywatch` command."""

import sys

from keywatch.cli.begin import main

sys.exit(main())
