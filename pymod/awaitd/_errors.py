"""The exceptions that are made in Python; the others are _awaitd's."""

from _awaitd import ConfigError


class UnknownDevice(ConfigError, ImportError):
    """No device of that name is configured; the message lists those there are.

    Also an ImportError, for ``from awaitd.devices import NAME``.
    """


# Where it is imported from, and how a traceback names it.
UnknownDevice.__module__ = "awaitd"
