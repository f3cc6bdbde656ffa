"""Settings for all tests."""

from hypothesis import settings

# No time limit for a single example: a first call that loads a library, or a busy machine, is not a failure.
settings.register_profile("bi2scope", deadline=None)
settings.load_profile("bi2scope")
