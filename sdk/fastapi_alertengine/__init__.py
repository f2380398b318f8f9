"""Health of a FastAPI or Starlette service, in one line: `instrument(app)`."""

from .config import AlertConfig, Limits
from .instrumentation import instrument
from .monitor import Monitor

__version__ = "2.0.0"
__all__ = ["AlertConfig", "Limits", "Monitor", "instrument"]
