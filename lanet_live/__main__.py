"""`python -m lanet_live` does what `lanet-live` does."""

import sys

from lanet_live.cli import main

sys.exit(main())
