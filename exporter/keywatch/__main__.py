"""Lets `python -m keywatch` be the `keywatch` command."""

import sys

from keywatch.cli.command import main

sys.exit(main())
