"""A section of the settings: a frozen group of fields, each with its default, meaning and bounds."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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

    def content(self) -> dict[str, Any]:
        """The fields that decide what is computed, as plain JSON values; `execution` fields are left out."""
        fields = type(self).model_fields
        kept = {name for name, field in fields.items() if field.json_schema_extra != Execution}
        return self.model_dump(mode="json", include=kept)
