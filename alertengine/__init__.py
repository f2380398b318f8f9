"""Notice failure, tell a person, run the recovery they approve once, and keep the record."""

__version__ = "0.1.0"
