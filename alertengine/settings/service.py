"""The settings of [services.NAME]: what an operator knows of a service that it does not tell itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alertengine.core.cost import Value
from alertengine.core.diagnosis.harmless import unlinked

Route = Annotated[str, Field(min_length=1, max_length=200)]


class ValueSection(BaseModel):
    """What one request of a route is worth, by its method and path as the health report names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    amount: Annotated[float, Field(strict=True, gt=0, le=1e12)] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None

    @field_validator("noun")
    @classmethod
    def plain(cls, value: str | None) -> str | None:
        """It stands in messages, and a tenant may have given it."""
        if value is not None and (not value.isprintable() or unlinked(value) != value):
            raise ValueError(
                'words alone ("failed payments"): no line breaks, and nothing that reads as a link'
            )
        return value

    @model_validator(mode="after")
    def complete(self) -> ValueSection:
        if self.noun is None and self.amount is None:
            raise ValueError('give noun ("failed payments"), or amount and currency, or all three')
        if (self.amount is None) != (self.currency is None):
            raise ValueError("amount and currency go together")
        return self

    def worth(self) -> Value:
        return Value(noun=self.noun, amount=self.amount, currency=self.currency)


class ServiceSection(BaseModel):
    """Of the service of this name, whoever's it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: dict[Route, ValueSection] = {}


EXAMPLE = """
[services.payments.value]
"POST /pay" = { noun = "failed payments", amount = 15.20, currency = "USD" }   # of one request
"POST /refund" = { noun = "failed refunds" }
"""
