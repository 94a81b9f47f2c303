"""``spend``: what requests cost, by whom and for what."""
