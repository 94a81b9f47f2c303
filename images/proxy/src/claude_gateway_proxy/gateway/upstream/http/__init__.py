"""An HTTP/1.1 client for a relay: POST requests, answers read piece by piece, llhttp as the parser.

A general client spends more time per request than all else that the gateway does; this one has only what a relay
needs. It follows no redirects, keeps no cookies, unpacks nothing and adds no header.
"""
