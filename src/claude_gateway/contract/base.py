"""What every part of the contract is: a frozen value in camelCase JSON."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Contract(BaseModel):
    """A frozen value in camelCase JSON; a reader ignores fields that a newer writer added."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="ignore",
        # By default pydantic keeps the last 16,384 short values that any JSON held, forever: memory grew with each edit
        # for hours, and names and digests of old revisions stayed in it.
        cache_strings="keys",
    )
