"""The brain: decides from what users wrote what the data plane does.

``read`` turns manifests into a World, ``decide`` turns a World into a Plan. Both are pure and total: mistakes in the
input are returned as Problems and never raised.
"""
