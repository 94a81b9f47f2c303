"""What a request costs: before it is sent at most, and at its end by what was used."""
