"""The worker is killed, or told to stop: does the log of alerts show it?"""

import random
import time

KILLS = 6
RECOVERY_S = 15.0


def test_sigkill_at_random(scenario, report, long_form) -> None:
    kills = 200 if long_form else KILLS
    chance, recoveries = random.Random(4), []
    with scenario(seed=11) as (_, service):
        for _ in range(kills):
            time.sleep(chance.uniform(0.0, 0.8))  # the moment is what is random here
            at = service.kill()
            service.start()
            recoveries.append(service.recovered(at))
    report("worker SIGKILL, at random", kills, scenario.verdict, recoveries)
    assert scenario.verdict.transitions >= 40
    assert max(recoveries) <= RECOVERY_S, recoveries
