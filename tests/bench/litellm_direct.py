"""LiteLLM's own functions, called directly: the floor of the LiteLLM lane.

``python -m tests.bench.litellm_direct FUNCTION BASE_URL COUNT`` prints the milliseconds of each call as a JSON list.
``anthropic_messages`` takes and returns Messages as the lane does; ``acompletion`` is what the lane calls.
"""

import asyncio
import json
import os
import sys
import time


async def main(function: str, base_url: str, count: int) -> list[float]:
    """Call one function of LiteLLM's again and again; the first calls warm it up."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # Otherwise each call looks for a LiteLLM proxy server, which costs 0.1 s; the floor is without that.
    sys.modules["litellm.proxy.proxy_server"] = None  # type: ignore[assignment]
    import litellm

    litellm.drop_params = True
    call = getattr(litellm, function)
    spent = []
    for number in range(count + 50):
        began = time.perf_counter()
        await call(
            model="hosted_vllm/bench",
            api_base=base_url,
            api_key="none",
            max_tokens=1024,
            messages=[{"role": "user", "content": "go on"}],
        )
        if number >= 50:
            spent.append((time.perf_counter() - began) * 1e3)
    return spent


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
