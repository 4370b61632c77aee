"""A section of the settings: a frozen group of fields, each with its default, meaning and bounds."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core.core_schema import ValidationInfo

_NUMBER = re.compile(r"\s*[+-]?[\d.]+\s*")
Execution: dict[str, Any] = {"execution": True}
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Seed = Annotated[int, Field(ge=0, lt=2**31, description="Seed of this part's random draws.")]


def setting(default: Any, meaning: str, **bounds: Any) -> Any:
    """A field with its default, what it means and its bounds, as pydantic names them."""
    return Field(default, description=meaning, **bounds)


def execution(default: Any, meaning: str, **bounds: Any) -> Any:
    """A field that says where or how to compute, not what: it enters no key."""
    return Field(default, description=meaning, json_schema_extra=Execution, **bounds)


class Section(BaseModel):
    """A frozen group of settings that refuses unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_misreadings(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would read as something else: true as 1, and 5 as five seconds after 1970 began."""
        asked = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and asked is not bool:
            raise ValueError("Input should not be true or false")
        if asked == datetime | None and _NUMBER.fullmatch(str(value)):
            raise ValueError("Input should be a time such as 2026-01-31T12:00:00Z")
        return value

    def content(self) -> dict[str, Any]:
        """The fields that decide what is computed, as plain JSON values; `execution` fields are left out."""
        fields = type(self).model_fields
        kept = {name for name, field in fields.items() if field.json_schema_extra != Execution}
        return self.model_dump(mode="json", include=kept)
