"""Tables of a store in formats that other programs read; one pass over the store, memory that does not grow."""
