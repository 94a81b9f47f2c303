"""The verdict on a request that has no form as Messages."""


class Rejected(ValueError):  # noqa: N818 - a verdict on a request
    """A request that cannot be put to a Claude; the message names the field and goes to the client."""
