"""The form of requests and answers on each wire: paths, model ids, frames and betas.

Within the gateway, every Claude wire is Messages: requests are read as Messages, and answers are framed last.
"""
