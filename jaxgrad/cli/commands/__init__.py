"""One file a command: its options and its help, light to import; what it does is in ``jaxgrad.cli``."""
