"""``python -m gqlib`` is ``gqlib``: for torchrun, and if the command is not on the path."""

import sys

from gqlib.cli import main

sys.exit(main())
