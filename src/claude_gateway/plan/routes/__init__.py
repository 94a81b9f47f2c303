"""What ModelRoutes mean: rules, targets and their abilities."""
