"""An HTTP/1.1 server for streams: uvicorn with bounds, and with shutdowns that cut no answer before its time.

``listener`` is for a process that has several sockets and ends each step by step, ``serving`` for one that has a single
socket.
"""
