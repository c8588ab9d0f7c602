"""Figures of speed and memory, each a ratio of what was measured side by side in one run: python -m benchmarks."""
