"""Tool calls of Claude Code's auto mode, judged by a model of the route's choice where the target cannot judge them.

Claude Code sends ``safeguards`` with a request and wants a verdict for each tool call at the end of the answer. A
verdict is never made up: what was not judged is said to be so.
"""
