"""The Planhat API: its models as data, and a client that tells the end of every item it sends."""
