"""Settings that are a URL which something is sent to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

WEB = r"^https?://"

WebUrl = Annotated[str, Field(pattern=WEB)]
