"""How is a number of things said? With the noun in singular or plural, the same everywhere."""


def counted(amount: int, noun: str, plural: str | None = None) -> str:
    """A number of things. plural: where it is not the noun and an s.

    >>> counted(1, "alert"), counted(1200, "alert"), counted(0, "entry", "entries")
    ('1 alert', '1,200 alerts', '0 entries')
    """
    return f"{amount:,} {noun if amount == 1 else plural or noun + 's'}"
