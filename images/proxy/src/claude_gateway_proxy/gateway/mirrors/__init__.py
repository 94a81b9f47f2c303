"""Shadow traffic: a copy of a share of a route's requests goes to a candidate, and the answers are compared."""
