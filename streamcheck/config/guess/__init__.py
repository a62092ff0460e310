"""What config suits these events? For `streamcheck init`: fields as seen, roles guessed, a config with its reasons."""

from streamcheck.config.guess.fields import Field, Sample, survey
from streamcheck.config.guess.guessing import Guess, guess, label_topics
from streamcheck.config.guess.roles import Picks
from streamcheck.config.guess.write import Origin, write

__all__ = ["Field", "Guess", "Origin", "Picks", "Sample", "guess", "label_topics", "survey", "write"]
