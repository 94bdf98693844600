"""The main job, `manage.py demo`: the whole platform at work on eight sample briefs."""
