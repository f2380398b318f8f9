"""Settings of the diagnosis, which each provider's own add to."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertengine.core.spend import Budget, Prices, Terms
from alertengine.settings.url import WebUrl


class DiagnosisSection(BaseModel):
    """Rules always diagnose, at once; a provider other than `rules` is asked after them and never waited for long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str = "rules"
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    api_key: SecretStr | None = None
    base_url: WebUrl | None = None
    deadline_s: Annotated[float, Field(ge=0, le=20)] = 3.0
    limit_s: Annotated[float, Field(gt=0, le=60)] = 20.0
    max_tokens: Annotated[int, Field(ge=200, le=8000)] = 1200
    second_opinion: bool = False
    tokens_per_day: Annotated[int, Field(ge=0)] = 300_000
    usd_per_day: Annotated[float, Field(ge=0)] = 1.0
    usd_per_million_in: Annotated[float, Field(ge=0)] | None = None
    usd_per_million_out: Annotated[float, Field(ge=0)] | None = None

    def terms(self) -> Terms:
        return Terms(
            deadline_s=self.deadline_s,
            limit_s=self.limit_s,
            max_tokens=self.max_tokens,
            second_opinion=self.second_opinion,
            budget=Budget(tokens=self.tokens_per_day, usd=self.usd_per_day),
        )

    def prices(self, usual: Prices) -> Prices:
        """Those given, else the usual ones."""
        given = {"usd_in": self.usd_per_million_in, "usd_out": self.usd_per_million_out}
        return replace(usual, **{name: price for name, price in given.items() if price is not None})
