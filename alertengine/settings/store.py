"""[store]: where the record lives, and where its second mark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator


class StoreSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, Field(pattern=r"^sqlite:///")] = "sqlite:///alertengine.db"
    """A path after sqlite:/// ; a relative one lies in the data directory."""
    mark_file: str | None = None
    """A second high-water mark, outside the data directory: it tells where the whole directory was put back."""

    @field_validator("mark_file")
    @classmethod
    def absolute(cls, value: str | None) -> str | None:
        if value and not Path(value).is_absolute():
            raise ValueError("must be an absolute path, best on another disk than the data directory")
        return value or None
