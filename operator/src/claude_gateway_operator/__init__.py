"""The operator: lists all objects, decides, and applies the result."""
