"""How it runs: definitions, jobs, schedules, sensors, resources and the `minsheng` command."""
