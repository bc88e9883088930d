"""One system for all tests; a service that each has for itself."""

from services import make_service, service, system  # noqa: F401
