"""Runs submissions apart from the grader: a zygote that knows no secret, a worker a submission, limits on all."""
