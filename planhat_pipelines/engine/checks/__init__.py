"""Does the world hold what the specs promise, and what the ledger says?"""
