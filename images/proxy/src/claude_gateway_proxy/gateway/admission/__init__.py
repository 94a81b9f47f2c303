"""The one gate for every request, a client's or the gateway's own: may it be sent, and what did it use?"""
