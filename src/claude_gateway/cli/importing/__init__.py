"""Turns the configuration of another gateway into our objects, and reports what stays behind."""
