"""The base of all settings: typed, checked where they are made, never changed afterwards."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Unknown keys are refused, values are not converted from other types, nothing changes later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
