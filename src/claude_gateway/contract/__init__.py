"""What the data plane reads: the bundle, its parts and the reports that come back.

Knows nothing of Kubernetes or of the objects that users write, so that the data plane is built and
tested without either.
"""
