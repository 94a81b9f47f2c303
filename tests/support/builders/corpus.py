"""What the real CLI sent and what it was answered, as recorded by ``tests.support.clients.record``.

``tests/data/corpus/<version>/<scenario>.json`` holds the exchanges of one scenario; tools stand once per version, in
``tools.json``. Machine facts, ids and dates are replaced, and long prose of the vendor is cut to its beginning and
its length: no part of the gateway may depend on it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "data" / "corpus"
TOOLS: Final = "tools.json"


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange. ``body`` is the request's, in the CLI's own order of keys and without blanks; empty for GET.

    ``target`` is path and query, ``headers`` those of the request but for Host, Content-Length and Connection;
    ``answer`` is the answer's body; empty where it was an AWS event stream.
    """

    version: str
    scenario: str
    number: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    content_type: str
    answer: bytes

    @property
    def json(self) -> Any:
        """The request's body, parsed."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.version}-{self.scenario}-{self.number}"


def compact(value: Any) -> bytes:
    """Write JSON as the CLI does."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def recordings(*, scenario: str | None = None) -> list[Recording]:
    """Return all recordings, or those of one scenario, oldest version first."""
    found: list[Recording] = []
    for folder in sorted(FOLDER.iterdir(), key=_version):
        tools = json.loads((folder / TOOLS).read_text())
        for file in sorted(folder.glob("*.json")):
            if file.name != TOOLS and scenario in (None, file.stem):
                exchanges = enumerate(json.loads(file.read_text()), 1)
                found += [_read(folder.name, file.stem, number, data, tools) for number, data in exchanges]
    return found


def _version(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split(".")]


def _read(version: str, scenario: str, number: int, data: dict[str, Any], tools: dict[str, Any]) -> Recording:
    request, answer = data["request"], data["answer"]
    body = request["body"]
    if body is not None and "tools" in body:
        body["tools"] = [tools[tool] if isinstance(tool, str) else tool for tool in body["tools"]]
    return Recording(
        version=version,
        scenario=scenario,
        number=number,
        method=request["method"],
        target=request["target"],
        headers=tuple(request["headers"].items()),
        body=b"" if body is None else compact(body),
        status=answer["status"],
        content_type=answer["content_type"],
        answer="".join(answer["body"]).encode(),
    )
