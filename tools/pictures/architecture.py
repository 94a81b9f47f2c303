"""The picture of the architecture in the README: clients, the proxy's lanes, providers, and the objects."""

from collections.abc import Iterator
from typing import Final

from tools.pictures.theme import Theme, label, svg

WIDTH: Final = 880
HEIGHT: Final = 390
CLIENTS: Final = ("Claude Code", "Anthropic and OpenAI SDKs", "Codex, OpenCode", "LangChain and others")
LANES: Final = (
    ("relay lane", "same format: byte for byte", "Anthropic · Bedrock · Vertex AI · OpenAI · vLLM"),
    ("codec lane", "translated in the gateway", "OpenAI · OpenRouter · DeepSeek · vLLM · Ollama"),
    ("LiteLLM lane", "a worker with the library", "Gemini, Cohere and every other provider"),
)
OBJECTS: Final = ("ModelRoute", "ClaudeCredential", "GatewayClient")
TITLE: Final = (
    "Clients send requests to the gateway of one proxy. It relays them to providers of the same format, translates "
    "them itself, or passes them to LiteLLM. Objects in YAML become a bundle that the proxy follows."
)


def render(theme: Theme) -> str:
    """Return the picture as SVG."""
    return svg(_parts(theme), width=WIDTH, height=HEIGHT, title=TITLE)


def _parts(theme: Theme) -> Iterator[str]:
    arrow = f'<path d="M0,0 L8,4 L0,8 z" fill="{theme.soft}"/>'
    size = 'markerWidth="8" markerHeight="8" refX="7" refY="4"'
    yield f'<defs><marker id="tip" {size} orient="auto">{arrow}</marker></defs>'
    yield label(20, 34, "Clients", colour=theme.soft, bold=True)
    for row, name in enumerate(CLIENTS):
        yield _box(theme, 20, 50 + 46 * row, 190, 34)
        yield label(115, 72 + 46 * row, name, colour=theme.ink, size=13, anchor="middle")
        yield _arrow(theme, 210, 67 + 46 * row, 262, 136)
    yield label(264, 34, "One proxy: on a laptop, or pods in a cluster", colour=theme.soft, bold=True)
    yield _box(theme, 264, 50, 300, 172, stroke=theme.accent)
    yield label(280, 130, "gateway", colour=theme.ink, size=16, bold=True)
    yield label(280, 150, ":4000", colour=theme.soft, size=13)
    yield label(620, 34, "Providers", colour=theme.soft, bold=True)
    for row, (name, how, providers) in enumerate(LANES):
        top = 62 + 52 * row
        yield _box(theme, 366, top, 186, 44)
        yield label(378, top + 19, name, colour=theme.accent, size=13, bold=True)
        yield label(378, top + 35, how, colour=theme.soft, size=11)
        yield _arrow(theme, 552, top + 22, 616, top + 22)
        yield label(622, top + 26, providers, colour=theme.ink, size=11)
    yield from _control(theme)


def _control(theme: Theme) -> Iterator[str]:
    for row, name in enumerate(OBJECTS):
        yield _box(theme, 20, 268 + 38 * row, 190, 30)
        yield label(115, 288 + 38 * row, name, colour=theme.ink, size=13, anchor="middle")
        yield _arrow(theme, 210, 283 + 38 * row, 262, 321)
    yield _box(theme, 264, 290, 140, 62)
    yield label(334, 317, "decide()", colour=theme.ink, size=14, anchor="middle", bold=True)
    yield label(334, 336, "operator or serve", colour=theme.soft, size=11, anchor="middle")
    yield _arrow(theme, 404, 308, 458, 308)
    yield _box(theme, 460, 290, 104, 36)
    yield label(512, 313, "bundle", colour=theme.ink, anchor="middle")
    yield _arrow(theme, 512, 290, 512, 224)
    yield label(526, 262, "live in a second, no restart", colour=theme.soft, size=12)
    yield _arrow(theme, 404, 340, 616, 340)
    yield label(622, 344, "status: what is wrong, and what every pod serves", colour=theme.ink, size=11)


def _box(theme: Theme, x: int, y: int, width: int, height: int, *, stroke: str = "") -> str:
    style = f'rx="8" fill="{theme.fill}" stroke="{stroke or theme.line}" stroke-width="{1.5 if stroke else 1}"'
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {style}/>'


def _arrow(theme: Theme, x1: int, y1: int, x2: int, y2: int) -> str:
    place = f'x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"'
    return f'<line {place} stroke="{theme.soft}" stroke-width="1.2" marker-end="url(#tip)"/>'
