"""The subcommands of `planhat-pipelines`: a module each, with `add_arguments(parser)` and `run(args) -> int`."""
