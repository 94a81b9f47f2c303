"""The brain: what users wrote, decided into what the data plane does.

``read`` makes a World of manifests, ``decide`` makes a Plan of a World. Both are pure and total: whatever they are
given, mistakes come back as Problems and never as exceptions.
"""
