"""What holds for all tests."""

from hypothesis import settings

# No test asserts a time: a busy machine is no defect.
settings.register_profile("callsieve", deadline=None)
settings.load_profile("callsieve")
