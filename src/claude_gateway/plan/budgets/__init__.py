"""What Budgets mean, and how their money is divided between pods."""
