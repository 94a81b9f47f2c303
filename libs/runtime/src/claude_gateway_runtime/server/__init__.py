"""An HTTP/1.1 server for streams: uvicorn with limits, and with shutdowns that let responses finish.

``listener`` is for a process that has several sockets and ends each step by step, ``serving`` for one that has a single
socket.
"""
