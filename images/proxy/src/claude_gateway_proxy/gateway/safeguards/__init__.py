"""Tool calls of Claude Code's auto mode, judged by a model that the route names if the target cannot judge them.

Claude Code sends ``safeguards`` with a request and expects a verdict on each tool call at the end of the answer. A
verdict is never invented: a call that was not judged is reported as such.
"""
