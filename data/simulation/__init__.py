"""Parts of the simulator: its configuration, genome, programs, counts and truth (``docs/simulator.md``)."""
