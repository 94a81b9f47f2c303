"""Runs in a pod: what each of these gateways says that the caller's budgets have spent. Prints it as JSON.

``usage.py URL...``
"""

import json
import os
import sys
from urllib.request import Request, urlopen


def spent(url: str) -> dict[str, str]:
    """Return the dollars that were spent of each budget, by its name, as one gateway knows them."""
    request = Request(f"{url}/v1/usage", headers={"x-api-key": os.environ["ANTHROPIC_AUTH_TOKEN"]})
    with urlopen(request, timeout=30) as answer:
        return {found["budget"]: found["spent_usd"] for found in json.load(answer)["budgets"]}


if __name__ == "__main__":
    print(json.dumps({url: spent(url) for url in sys.argv[1:]}))
