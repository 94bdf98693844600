"""Writing an article: the prompt for a model, and the author that needs none."""
