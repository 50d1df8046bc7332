"""How Hypothesis searches."""

from hypothesis import settings

# No test asserts a time: the machine may have other things to do.
settings.register_profile("callsieve", deadline=None)
# Every step is several times slower under the sanitizers.
settings.register_profile("sanitized", deadline=None, max_examples=25)
settings.load_profile("callsieve")
