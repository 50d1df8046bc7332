"""What holds for all tests."""

from hypothesis import settings

# No test asserts a time: a busy machine is no defect.
settings.register_profile("callsieve", deadline=None)
# Every step is several times slower under the sanitizers.
settings.register_profile("sanitized", deadline=None, max_examples=25)
settings.load_profile("callsieve")
