"""`python -m lanet_live` does what `lanet-live` does."""

import sys

from lanet_live.command.main import main

sys.exit(main())
