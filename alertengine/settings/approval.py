"""The settings of who may decide, [approval], and of who they are, [oidc]."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from alertengine.core.authority import PinFor, Rules


class ApprovalSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pin: PinFor = PinFor.NEVER
    self_approval: bool = True
    break_glass: bool = False

    def rules(self) -> Rules:
        return Rules(**self.model_dump())


class OidcSection(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    scope: str = "openid email profile"
    email_claim: str = "email"
    tenant_claim: str | None = None
    session_s: Annotated[float, Field(ge=60, le=30 * 86400)] = 43200.0

    @field_validator("issuer")
    @classmethod
    def a_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://, just as the provider calls itself")
        return value

    @model_validator(mode="after")
    def both_or_none(self) -> Self:
        if (self.issuer is None) != (self.client_id is None):
            raise ValueError("issuer and client_id go together")
        return self
