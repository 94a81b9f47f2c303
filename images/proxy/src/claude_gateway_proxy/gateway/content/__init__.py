"""What people and models write, for the spans of their requests: only where the installation asks for it."""
