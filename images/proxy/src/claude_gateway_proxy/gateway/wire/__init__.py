"""How requests and answers look on their way: paths, model ids, frames and betas of each wire.

Within the gateway everything is Messages: what comes in is read as Messages, what goes out is put into frames last.
"""
