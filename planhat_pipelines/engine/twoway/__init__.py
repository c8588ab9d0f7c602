"""Both directions: which side's value of each field stays, and the runs that carry it to the other side."""
