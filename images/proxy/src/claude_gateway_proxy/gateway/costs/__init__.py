"""What a request costs: the most that it can cost before it is sent, and the cost of its usage at its end."""
