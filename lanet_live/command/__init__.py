"""The terminal: arguments, the headless runs, `--doctor`, progress."""
