"""Plain Messages as a translation reads them: turns and blocks, media as URLs, documents as text."""

from claude_gateway_proxy.translation.arguments import written
from claude_gateway_proxy.translation.messages.shapes import Document


class Unsupported(ValueError):  # noqa: N818 - a verdict on a request
    """A request holds what the upstream's format cannot express; the text names the field and the fix."""


def blocks(content: object) -> list[Document]:
    """Return the blocks of a content value; a plain string is one block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if type(content) is list and len(content) == 1 and type(content[0]) is dict:
        return content
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def messages_of(request: Document) -> list[tuple[str, list[Document]]]:
    """Return roles and blocks of a request's messages; turns of one role in a row are one, as Anthropic reads them."""
    found = request.get("messages")
    turns: list[tuple[str, list[Document]]] = []
    for turn in found if isinstance(found, list) else ():
        if not isinstance(turn, dict):
            continue
        role, said = str(turn.get("role")), blocks(turn.get("content"))
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(said)
        else:
            turns.append((role, said))
    return turns


def text_of(block: Document) -> str:
    """Return the text of a text block."""
    text = block.get("text")
    return text if isinstance(text, str) else ""


def source_url(block: Document) -> str | None:
    """Return an image or a document as a URL, a data URL where the data is in the block.

    Raises Unsupported for a file that only Anthropic's API holds.
    """
    source = block.get("source")
    if not isinstance(source, dict):
        return None
    if source.get("type") == "file":
        raise Unsupported("messages: a file_id is known to Anthropic's API alone; send the file's content instead")
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = source.get("url")
    return url if isinstance(url, str) else None


def document_text(block: Document) -> str | None:
    """Return the text of a document whose content is plain text; None for other documents."""
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
        return None
    inner = source.get("data") if source["type"] == "text" else source.get("content")
    text = "\n".join(filter(None, map(text_of, blocks(inner))))
    title = block.get("title")
    return f"{title}\n{text}" if isinstance(title, str) and title else text


def arguments_of(block: Document) -> str:
    """Return the input of a tool call as JSON text."""
    return written(block.get("input"))


def tools_of(request: Document) -> list[Document]:
    """Return the tools of a request."""
    found = request.get("tools")
    return [tool for tool in found if isinstance(tool, dict)] if isinstance(found, list) else []


def calls_of(request: Document) -> list[Document]:
    """Return the tool calls of a conversation, in their order."""
    found = request.get("messages")
    turns = found if isinstance(found, list) else []
    contents = [turn.get("content") for turn in turns if isinstance(turn, dict)]
    return [
        block
        for content in contents
        if type(content) is list
        for block in content
        if isinstance(block, dict) and block.get("type") == "tool_use"
    ]
