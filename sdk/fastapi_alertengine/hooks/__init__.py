"""Ready timers for the clients an app uses: one call each, nothing imported unless used."""

from .asyncpg import asyncpg_timer
from .httpx import time_httpx
from .sqlalchemy import time_sqlalchemy

__all__ = ["asyncpg_timer", "time_httpx", "time_sqlalchemy"]
