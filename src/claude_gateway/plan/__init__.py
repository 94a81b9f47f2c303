"""Decides what the data plane does, from the objects that users wrote.

``read`` turns manifests into a World, ``decide`` turns a World into a Plan. Both are pure and total: mistakes in the
input are returned as Problems and never raised.

``routes``, ``credentials``, ``clients`` and ``budgets`` decide for one kind of object each, ``status`` says what users
see of it.
"""
