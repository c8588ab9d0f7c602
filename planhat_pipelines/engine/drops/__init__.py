"""Files of a bucket as a source."""
