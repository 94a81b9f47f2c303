"""Request bodies: read without decoding them completely, and edited so that every other byte stays."""
