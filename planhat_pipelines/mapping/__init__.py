"""Columns to Planhat fields: pure expressions over polars frames, no input or output."""
