"""Hand-outs: one file per person with their new key, readable for the person who hands it out unless it is sealed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import private_file
from claude_gateway.cli.keyhelper import program
from claude_gateway.cli.keys.people import Person

_SEALING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Handout:
    """Where a person's key was written, and whether only that person can read it."""

    person: Person
    path: Path
    sealed: bool


def prepared(folder: Path) -> Path:
    """Make the folder for this user alone. Raises Trouble, also if others can enter it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077:
            raise Trouble(f"others can enter the folder {folder}", fix=f"chmod 700 {folder}, or choose another one.")
    except OSError as error:
        raise Trouble(
            f"{folder} cannot be made: {error.strerror}", fix="Choose another place with --handouts."
        ) from None
    return folder


def write(folder: Path, keys: Sequence[tuple[Person, str]]) -> list[Handout]:
    """Write one file per person (0600). A person with a public key gets a file that only they can read.

    Sealing is done by the program ``age``, which reads the key from standard input: each person needs it as well, to
    open the file. Raises Trouble, and then leaves none of them: no list has their hashes.
    """
    done: list[Handout] = []
    try:
        for person, key in keys:
            done.append(_write(folder, person, key))
    except BaseException:
        discard(done)
        raise
    return done


def discard(written: Sequence[Handout]) -> None:
    """Remove hand-outs whose keys will not work."""
    for handout in written:
        handout.path.unlink(missing_ok=True)


def _write(folder: Path, person: Person, key: str) -> Handout:
    content = f"{key}\n".encode()
    # The name has no slash and no leading dot: ``people`` checks it.
    name = f"{person.name}.key"
    if person.public_key:
        name += ".age"
        content = sealed(content, person.public_key)
    path = folder / name
    try:
        private_file.create(path, content)
    except FileExistsError:
        raise Trouble(
            f"{path} already exists and was not changed", fix="Hand it out and remove it, or choose another --handouts."
        ) from None
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}", fix="Choose another --handouts.") from None
    return Handout(person, path, sealed=bool(person.public_key))


def sealed(content: bytes, public_key: str) -> bytes:
    """Return content that only the owner of the public key can read, as ``age`` writes it. Raises Trouble."""
    fix = "Install age (https://age-encryption.org), or remove the column with the public keys."
    command = ["age", "--encrypt", "--armor", "--recipient", public_key]
    return program.output(command, timeout=_SEALING_SECONDS, missing=fix, said=content).encode()
