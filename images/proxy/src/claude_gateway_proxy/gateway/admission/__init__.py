"""Admission of every request, the clients' and the gateway's own: whether it may be sent, and what it used."""
