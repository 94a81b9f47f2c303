"""What every process of Claude Gateway shares."""
