"""An HTTP/1.1 client for a relay: POST requests, answers read piece by piece, llhttp as the parser.

A general client would need more time per request than the rest of the gateway; this one has only what a relay needs. It
follows no redirects, stores no cookies, decompresses nothing and adds no header.
"""
