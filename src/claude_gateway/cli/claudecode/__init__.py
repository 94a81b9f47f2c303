"""``setup``: settings files of Claude Code, and checks of what is in them."""
