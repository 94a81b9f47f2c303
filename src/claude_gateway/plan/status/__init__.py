"""What is known of objects, and the conditions that are written to them."""
