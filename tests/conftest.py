"""What holds for all tests: generated examples are the same in every run, on any machine, however slow."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "streamcheck",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("streamcheck")
