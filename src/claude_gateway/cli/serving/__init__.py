"""``serve``: the processes of one proxy on this machine, and their supervision."""
