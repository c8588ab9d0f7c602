"""What users may write in YAML: frozen pydantic models, and the reader that reports every error."""
