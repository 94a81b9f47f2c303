"""Request bodies: what they say, read without decoding them whole, and edits that keep every other byte."""
