"""What rows become in Planhat: records, metric points, activities."""
