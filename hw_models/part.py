"""What every piece of a device file is: frozen, and closed to unknown keys."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A frozen piece of a device file that admits no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
